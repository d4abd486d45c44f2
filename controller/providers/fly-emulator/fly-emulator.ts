/** An emulator of the Fly Machines API: durable machines on a clock, run by a runner, spoken to as Request → Response. */
import type { Clock } from '../../../system/clock.ts'
import { randomHex, type Entropy } from '../../../system/entropy.ts'
import { silentLog, type Log } from '../../../system/log.ts'
import { answerTo, ConnectionCut, routeOf, subjectOf, type Answering } from './answering.ts'
import { controlAnswer, type ControlParts } from './control-routes.ts'
import { emulatorScriptSchema, type EmulatorScript, type EmulatorScriptInput } from './emulator-script.ts'
import { createFaultScript, type FaultRule, type FaultScript } from './faults.ts'
import { createHosts, type Hosts } from './hosts.ts'
import { LATENCIES, latencySchema, type Latency, type LatencyInput, type LatencyProfile } from './latency.ts'
import { createListener } from './listen.ts'
import { createMachineSockets, type MachineSockets } from './machine-sockets.ts'
import type { EmulatedMachine } from './model.ts'
import { createMachineIssuer, issuerAnswer, type MachineIssuer } from './oidc.ts'
import { createPlacement, type CountMachines, type Placement } from './placement.ts'
import type { Quirks } from './quirks.ts'
import { createRateBuckets, type RateLimits } from './rate-limits.ts'
import { openRecords, type EmulatorRecords } from './records.ts'
import type { FoundRoute, RouteContext } from './routes.ts'
import type { MachineRunner } from './runner.ts'
import { secretsFor } from './secrets.ts'
import { createTokenDesk, type Caller, type Grant, type TokenDesk } from './tokens.ts'
import { refusalAnswer, type Answer } from './wire.ts'
import { EmulatedWorld, type MachineListener, type Transition } from './world.ts'

/** Where an emulator keeps its machines, what runs them, and how slow and faulty it is. */
export type FlyEmulatorOptions = {
  /** File that keeps apps and machines; undefined keeps them in memory. */
  readonly databasePath?: string | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  readonly runner: MachineRunner
  readonly log?: Log
  /** `instant` (default), `fly`, `fly-lagging`, or times of one's own. */
  readonly latency?: LatencyProfile | LatencyInput
  /** Faults of requests. */
  readonly faults?: readonly FaultRule[]
  /** Everything that is planned to go wrong; its seed and rates are for whoever opens the emulator. */
  readonly script?: EmulatorScriptInput
  /** Absent holds nobody to a rate; FLY_RATES are the documented ones. */
  readonly rateLimits?: RateLimits | undefined
  /** Tokens that are accepted, and for what; absent accepts any, but not none. */
  readonly tokens?: readonly (string | Grant)[]
  /** What tokens/current tells of a token that is bound to no organization; default `personal`. */
  readonly orgSlug?: string
  /** Opens the control API under /_emulator/ to who shows it; absent keeps it shut. */
  readonly controlToken?: string | undefined
  /** Folder of the sockets by which machines reach their own API; absent opens none. Keep it short. */
  readonly socketFolder?: string | undefined
  /** What stands before the organization in the issuer of OIDC tokens; default the emulator's own URL and /oidc. */
  readonly oidcIssuer?: string | undefined
  /** Sees every request of the API with its answer. */
  readonly observe?: ((exchange: Exchange) => void) | undefined
}

/** A request of the API and its answer, as they went over the wire. */
export type Exchange = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly requestText: string
  readonly status: number
  readonly responseText: string
  readonly contentType: string
}

/** One request as it came and went; `status` 0 is a connection that was cut. */
export type JournalEntry = {
  /** 1, 2, 3 … over the emulator's life. */
  readonly sequence: number
  readonly atMs: number
  readonly method: string
  readonly path: string
  readonly action: string
  readonly app?: string
  readonly machine?: string
  readonly requestId: string
  status?: number
}

/** A running emulator. */
export interface FlyEmulator {
  /** Answers a request without a socket; rejects with ConnectionCut where a fault cuts the connection. */
  request(request: Request): Promise<Response>
  /** The same as a machine asks from its inside: no token, and only about itself. */
  machineRequest(machineId: string, request: Request): Promise<Response>
  /** Listens for HTTP; port 0 takes a free one. Gives the base URL. */
  listen(port?: number, host?: string): Promise<string>
  /** The last requests, oldest first (at most 10,000). */
  readonly journal: readonly JournalEntry[]
  /** The last changes of state, oldest first (at most 10,000). */
  readonly transitions: readonly Transition[]
  readonly faults: FaultScript
  readonly hosts: Hosts
  readonly placement: Placement
  /** The truth: every machine that is not destroyed. */
  machines(): readonly EmulatedMachine[]
  onChange(listener: MachineListener): () => void
  /** Says that a machine's host cannot be reached (or can again): its config is then hidden, its process lives on. */
  setHostStatus(machineId: string, status: EmulatedMachine['hostStatus']): void
  /** From now on everything takes so long. */
  setLatency(latency: LatencyProfile | LatencyInput): void
  /** Closes sockets, timers and file; with `kill` (default true) ends every machine's process first. */
  close(options?: { readonly kill?: boolean }): Promise<void>
}

const JOURNAL_MAX = 10_000

/** Opens the emulator; machines of an earlier run are found again. Errors: those of the file (locked, corrupt). */
export function createFlyEmulator(options: FlyEmulatorOptions): FlyEmulator {
  const records = openRecords(options.databasePath)
  return new Emulator(options, records, emulatorScriptSchema.parse(options.script ?? {}))
}

const latencyOf = (latency: LatencyProfile | LatencyInput): Latency =>
  typeof latency === 'string' ? LATENCIES[latency] : latencySchema.parse(latency)

class Emulator implements FlyEmulator {
  readonly journal: JournalEntry[] = []
  readonly faults: FaultScript
  readonly hosts: Hosts
  readonly placement: Placement
  readonly #options: FlyEmulatorOptions
  readonly #records: EmulatorRecords
  readonly #world: EmulatedWorld
  readonly #tokens: TokenDesk
  readonly #issuer: MachineIssuer
  readonly #sockets: MachineSockets
  readonly #answering: Answering
  readonly #control: ControlParts
  readonly #quirks: Quirks
  readonly #closing = new AbortController()
  readonly #listener = createListener((request) => this.request(request))
  #baseUrl = 'http://emulator'
  #sequence = 0

  constructor(options: FlyEmulatorOptions, records: EmulatorRecords, script: EmulatorScript) {
    const { clock, entropy, runner, log = silentLog, latency = 'instant', rateLimits } = options
    const random = (): number => entropy.random()
    this.#options = options
    this.#records = records
    this.#quirks = script.quirks
    this.#sockets = createMachineSockets(options.socketFolder, log, (id, request) => this.machineRequest(id, request))
    this.#world = new EmulatedWorld(
      {
        records,
        runner,
        clock,
        entropy,
        log,
        latency: latencyOf(latency),
        environment: (one) => this.#environment(one),
      },
      script.machines,
    )
    this.faults = createFaultScript([...(options.faults ?? []), ...script.requests], random)
    this.placement = createPlacement(script.placement, random, countIn(records))
    this.hosts = createHosts({ world: this.#world, records, clock, entropy })
    this.#tokens = createTokenDesk({ given: options.tokens, records, clock, entropy })
    const baseUrl = (): string => options.oidcIssuer ?? `${this.#baseUrl}/oidc`
    this.#issuer = createMachineIssuer({ baseUrl, records, clock, entropy })
    this.#control = { emulator: this, world: this.#world, feed: script.feed, records }
    this.#answering = {
      contextFor: (caller) => this.#contextFor(caller),
      faults: this.faults,
      rates: rateLimits && { buckets: createRateBuckets(rateLimits), tellsWhen: rateLimits.retryAfter },
    }
    this.#world.onChange((id, machine) => {
      if (!machine?.run) this.#sockets.shut(id)
    })
    this.#world.recover()
    this.hosts.plan(script.hosts)
  }

  get transitions(): readonly Transition[] {
    return this.#world.transitions
  }

  request(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.pathname.startsWith('/_emulator/')) return this.#controlled(request, url)
    if (url.pathname.startsWith('/oidc/'))
      return Promise.resolve(toResponse(issuerAnswer(this.#issuer, url.pathname), 'oidc'))
    return this.#serve(request, url, this.#tokens.callerOf(request.headers.get('authorization')))
  }

  machineRequest(machineId: string, request: Request): Promise<Response> {
    const machine = this.#world.machine(machineId)
    const org = machine && this.#records.apps.get(machine.app)?.orgSlug
    const caller: Caller | undefined = machine && {
      tokenId: `machine-${machineId}`,
      machine: machineId,
      apps: [machine.app],
      ...(org === undefined ? {} : { orgSlug: org }),
    }
    return this.#serve(request, new URL(request.url), caller)
  }

  async listen(port = 0, host = '127.0.0.1'): Promise<string> {
    this.#baseUrl = await this.#listener.listen(port, host)
    return this.#baseUrl
  }

  machines(): readonly EmulatedMachine[] {
    return [...this.#records.machines.values()].filter((machine) => machine.state !== 'destroyed')
  }

  onChange(listener: MachineListener): () => void {
    return this.#world.onChange(listener)
  }

  setHostStatus(machineId: string, status: EmulatedMachine['hostStatus']): void {
    this.hosts.setStatus(machineId, status)
  }

  setLatency(latency: LatencyProfile | LatencyInput): void {
    this.#world.latency = latencyOf(latency)
  }

  async close(options: { readonly kill?: boolean } = {}): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.hosts.close()
    await this.#listener.close()
    await this.#world.close({ kill: options.kill ?? true })
    await this.#sockets.close()
    this.#records.close()
  }

  async #serve(request: Request, url: URL, caller: Caller | undefined): Promise<Response> {
    const found = routeOf(request.method, url)
    const entry = this.#record(request, url, found)
    try {
      const body = { text: await request.text() }
      const { headers, signal } = request
      const given = await answerTo({ found, url, headers, signal, body, caller }, this.#answering)
      entry.status = given.status
      const response = toResponse(given, entry.requestId)
      this.#options.observe?.({
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        requestText: body.text,
        status: given.status,
        responseText: textOf(given),
        contentType: response.headers.get('content-type') ?? '',
      })
      return response
    } catch (error) {
      if (error instanceof ConnectionCut) entry.status = 0
      throw error
    }
  }

  async #controlled(request: Request, url: URL): Promise<Response> {
    const { controlToken } = this.#options
    const isOpen = controlToken !== undefined && request.headers.get('authorization') === `Bearer ${controlToken}`
    const requestId = randomHex(this.#options.entropy, 13)
    if (!isOpen) return toResponse(refusalAnswer(controlToken === undefined ? 404 : 401, 'unauthorized'), requestId)
    const given = await controlAnswer(this.#control, request, url)
    return given instanceof Response ? given : toResponse(given, requestId)
  }

  #record(request: Request, url: URL, found: FoundRoute | undefined): JournalEntry {
    const entry: JournalEntry = {
      sequence: ++this.#sequence,
      atMs: this.#options.clock.now(),
      method: request.method,
      path: url.pathname + url.search,
      ...subjectOf(found),
      requestId: `${randomHex(this.#options.entropy, 13)}-emulator`,
    }
    this.journal.push(entry)
    if (this.journal.length > JOURNAL_MAX) this.journal.splice(0, this.journal.length - JOURNAL_MAX)
    return entry
  }

  /** Secrets of its app, and the way to its own API. */
  #environment(machine: EmulatedMachine): Readonly<Record<string, string>> {
    const app = this.#records.apps.get(machine.app)
    const socket = this.#sockets.open(machine.id)
    return {
      ...(app ? secretsFor(app, machine, this.#options.clock.now()) : {}),
      ...(socket === undefined ? {} : { FLY_API_SOCKET: socket }),
    }
  }

  #contextFor(caller: Caller): RouteContext {
    const { clock, entropy, orgSlug = 'personal' } = this.#options
    return {
      world: this.#world,
      records: this.#records,
      clock,
      entropy,
      orgSlug,
      closing: this.#closing.signal,
      caller,
      hosts: this.hosts,
      placement: this.placement,
      tokens: this.#tokens,
      issuer: this.#issuer,
      feed: this.#control.feed,
      quirks: this.#quirks,
    }
  }
}

/** Counts machines that are not gone. */
const countIn =
  (records: EmulatorRecords): CountMachines =>
  ({ region, app }) => {
    const among = app === undefined ? records.machines.values() : records.machinesOf(app)
    let count = 0
    for (const machine of among)
      if (machine.state !== 'destroyed' && (region === undefined || machine.region === region)) count++
    return count
  }

const textOf = (given: Answer): string => given.text ?? (given.body === undefined ? '' : JSON.stringify(given.body))

function toResponse(given: Answer, requestId: string): Response {
  const headers = new Headers({ 'fly-request-id': requestId, ...given.headers })
  const text = textOf(given)
  if (given.body === undefined && given.text === undefined) return new Response(null, { status: given.status, headers })
  if (!headers.has('content-type'))
    headers.set('content-type', given.text === undefined ? 'application/json' : 'text/plain')
  return new Response(text, { status: given.status, headers })
}
