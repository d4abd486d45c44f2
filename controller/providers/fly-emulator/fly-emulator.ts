/** An emulator of the Fly Machines API: durable machines on a clock, run by a runner, spoken to as Request → Response. */
import type { Clock } from '../../../system/clock.ts'
import { randomHex, type Entropy } from '../../../system/entropy.ts'
import { silentLog, type Log } from '../../../system/log.ts'
import { APP_ROUTES } from './app-routes.ts'
import { EXTRA_ROUTES } from './extra-routes.ts'
import { createFaultScript, type EmulatorFault, type FaultRule, type FaultScript } from './faults.ts'
import { createListener } from './listen.ts'
import { MACHINE_ROUTES } from './machine-routes.ts'
import { LATENCIES, type EmulatedMachine, type Latency, type LatencyProfile } from './model.ts'
import { openRecords, type EmulatorRecords } from './records.ts'
import { findRoute, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import type { MachineRunner } from './runner.ts'
import { refusalAnswer, type Answer } from './wire.ts'
import { EmulatedWorld, type MachineListener } from './world.ts'

/** Where an emulator keeps its machines, what runs them, and how slow and faulty it is. */
export type FlyEmulatorOptions = {
  /** File that keeps apps and machines; undefined keeps them in memory. */
  readonly databasePath?: string | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  readonly runner: MachineRunner
  readonly log?: Log
  /** `instant` (default), `fly`, or ranges of one's own. */
  readonly latency?: LatencyProfile | Latency
  readonly faults?: readonly FaultRule[]
  /** Tokens that are accepted; absent accepts any, but not none. */
  readonly tokens?: readonly string[]
  /** What tokens/current tells; default `personal`. */
  readonly orgSlug?: string
}

/** One request as it came and went; `status` 0 is a connection that was cut. */
export type JournalEntry = {
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
  /** Listens for HTTP; port 0 takes a free one. Gives the base URL. */
  listen(port?: number, host?: string): Promise<string>
  /** The last requests, oldest first (at most 10,000). */
  readonly journal: readonly JournalEntry[]
  readonly faults: FaultScript
  /** The truth: every machine that is not destroyed. */
  machines(): readonly EmulatedMachine[]
  onChange(listener: MachineListener): () => void
  /** Says that a machine's host cannot be reached (or can again): its config is then hidden, its process lives on. */
  setHostStatus(machineId: string, status: EmulatedMachine['hostStatus']): void
  /** Closes sockets, timers and file; with `kill` (default true) ends every machine's process first. */
  close(options?: { readonly kill?: boolean }): Promise<void>
}

/** A fault has cut the connection: no reply. */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut'
}

const ROUTES: readonly Route[] = [...APP_ROUTES, ...MACHINE_ROUTES, ...EXTRA_ROUTES]
const JOURNAL_MAX = 10_000
const BODY_BYTES_MAX = 1024 * 1024

/** Opens the emulator; machines of an earlier run are found again. Errors: those of the file (locked, corrupt). */
export function createFlyEmulator(options: FlyEmulatorOptions): FlyEmulator {
  const records = openRecords(options.databasePath)
  const { latency = 'instant', log = silentLog, clock, entropy, runner } = options
  const timing = typeof latency === 'string' ? LATENCIES[latency] : latency
  const world = new EmulatedWorld({ records, runner, clock, entropy, log, latency: timing })
  world.recover()
  return new Emulator(options, records, world)
}

class Emulator implements FlyEmulator {
  readonly journal: JournalEntry[] = []
  readonly faults: FaultScript
  readonly #options: FlyEmulatorOptions
  readonly #records: EmulatorRecords
  readonly #world: EmulatedWorld
  readonly #closing = new AbortController()
  readonly #listener = createListener((request) => this.request(request))

  constructor(options: FlyEmulatorOptions, records: EmulatorRecords, world: EmulatedWorld) {
    this.#options = options
    this.#records = records
    this.#world = world
    this.faults = createFaultScript(options.faults ?? [], () => options.entropy.random())
  }

  async request(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const found = findRoute(ROUTES, request.method, url.pathname)
    const entry = this.#record(request, url, found)
    try {
      const given = await this.#answer(request, url, { found, entry })
      entry.status = given.status
      return toResponse(given, entry.requestId)
    } catch (error) {
      if (error instanceof ConnectionCut) entry.status = 0
      throw error
    }
  }

  listen(port = 0, host = '127.0.0.1'): Promise<string> {
    return this.#listener.listen(port, host)
  }

  machines(): readonly EmulatedMachine[] {
    return [...this.#records.machines.values()].filter((machine) => machine.state !== 'destroyed')
  }

  onChange(listener: MachineListener): () => void {
    return this.#world.onChange(listener)
  }

  setHostStatus(machineId: string, status: EmulatedMachine['hostStatus']): void {
    const machine = this.#world.machine(machineId)
    if (machine) this.#world.apply({ machine: { ...machine, hostStatus: status }, effects: [] })
  }

  async close(options: { readonly kill?: boolean } = {}): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await this.#listener.close()
    await this.#world.close({ kill: options.kill ?? true })
    this.#records.close()
  }

  #record(request: Request, url: URL, found: ReturnType<typeof findRoute>): JournalEntry {
    const app = found?.parts.get('app')
    const machine = found?.parts.get('machine')
    const entry: JournalEntry = {
      atMs: this.#options.clock.now(),
      method: request.method,
      path: url.pathname + url.search,
      action: found?.route.action ?? 'unknown',
      ...(app === undefined ? {} : { app }),
      ...(machine === undefined ? {} : { machine }),
      requestId: `${randomHex(this.#options.entropy, 13)}-emulator`,
    }
    this.journal.push(entry)
    if (this.journal.length > JOURNAL_MAX) this.journal.splice(0, this.journal.length - JOURNAL_MAX)
    return entry
  }

  async #answer(
    request: Request,
    url: URL,
    { found, entry }: { readonly found: ReturnType<typeof findRoute>; readonly entry: JournalEntry },
  ): Promise<Answer> {
    if (!this.#isAuthorized(request)) return refusalAnswer(401, 'unauthorized')
    if (!found) return refusalAnswer(404, 'not_found: no such route')
    const body = await readJson(request)
    if ('refusal' in body) return body.refusal
    const part = (name: string): string => found.parts.get(name) ?? ''
    const asked: RouteRequest = {
      app: part('app'),
      machine: part('machine'),
      key: part('key'),
      org: part('org'),
      query: url.searchParams,
      body: body.value,
      headers: request.headers,
      signal: request.signal,
    }
    const fault = this.faults.draw(entry)
    return this.#meet(fault, () => this.#commit(found.route, asked))
  }

  async #commit(route: Route, asked: RouteRequest): Promise<Answer> {
    if (this.#closing.signal.aborted) throw new ConnectionCut('Emulator is closing')
    const given = await route.run(this.#context(), asked)
    this.#world.pump()
    return given
  }

  async #meet(fault: EmulatorFault | undefined, commit: () => Promise<Answer>): Promise<Answer> {
    switch (fault?.kind) {
      case undefined:
        return commit()
      case 'status':
        return {
          ...refusalAnswer(fault.status, fault.error ?? 'planned fault', fault.code),
          headers: fault.headers ?? {},
        }
      case 'body':
        return { status: 200, body: new RawBody(fault.text, fault.contentType ?? 'text/html') }
      case 'reset':
        throw new ConnectionCut('Planned fault before commit')
      case 'loseReply':
        await commit()
        throw new ConnectionCut('Planned fault after commit')
      case 'statusAfterCommit':
        await commit()
        return refusalAnswer(fault.status, fault.error ?? 'planned fault')
      case 'delay':
        await this.#options.clock.sleep(fault.delayMs, this.#closing.signal).catch(() => {})
        return commit()
      case 'hang':
        await new Promise<void>((resolve) => {
          if (this.#closing.signal.aborted) resolve()
          this.#closing.signal.addEventListener('abort', () => resolve(), { once: true })
        })
        throw new ConnectionCut('Emulator has closed')
    }
  }

  #context(): RouteContext {
    const { clock, entropy, orgSlug = 'personal' } = this.#options
    return { world: this.#world, records: this.#records, clock, entropy, orgSlug, closing: this.#closing.signal }
  }

  #isAuthorized(request: Request): boolean {
    const token = /^(?:Bearer|FlyV1) (\S+)$/.exec(request.headers.get('authorization') ?? '')?.[1]
    return token !== undefined && (this.#options.tokens?.includes(token) ?? true)
  }
}

/** A body that is no JSON, for faults. */
class RawBody {
  readonly text: string
  readonly contentType: string
  constructor(text: string, contentType: string) {
    this.text = text
    this.contentType = contentType
  }
}

async function readJson(request: Request): Promise<{ readonly value: unknown } | { readonly refusal: Answer }> {
  const text = await request.text()
  if (text.length > BODY_BYTES_MAX) return { refusal: refusalAnswer(413, 'request body too large') }
  if (text === '') return { value: undefined }
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return { refusal: refusalAnswer(400, 'invalid_argument: request body is not JSON') }
  }
}

function toResponse(given: Answer, requestId: string): Response {
  const headers = new Headers({ 'fly-request-id': requestId, ...given.headers })
  if (given.body === undefined) return new Response(null, { status: given.status, headers })
  const raw = given.body instanceof RawBody ? given.body : new RawBody(JSON.stringify(given.body), 'application/json')
  headers.set('content-type', raw.contentType)
  return new Response(raw.text, { status: given.status, headers })
}
