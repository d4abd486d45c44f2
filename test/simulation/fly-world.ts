/** A fleet at Fly in a bottle: the real controllers, feed and Fly adapter over the real emulator, without sockets, on one clock. */
import { isDeleting } from '../../controller/api/object.ts'
import { createFakeClient, type FakeClient } from '../../controller/engine/fake-client.ts'
import type { Manager } from '../../controller/engine/manager.ts'
import { slotLedgerKind } from '../../controller/kinds/slotledger/schema.ts'
import { spriteKind, type Sprite } from '../../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import { workKind } from '../../controller/kinds/work/schema.ts'
import {
  createFlyEmulator,
  type FlyEmulator,
  type FlyEmulatorOptions,
} from '../../controller/providers/fly-emulator/fly-emulator.ts'
import { createIdleRunner } from '../../controller/providers/fly-emulator/idle-runner.ts'
import type { EmulatedMachine } from '../../controller/providers/fly-emulator/model.ts'
import { FLY_RATES } from '../../controller/providers/fly-emulator/rate-limits.ts'
import type { AppToken } from '../../controller/providers/fly/app-tokens.ts'
import { createFlyProvider } from '../../controller/providers/fly/fly-provider.ts'
import { appName, isSharedApp, readStamp } from '../../controller/providers/fly/machine-config.ts'
import { createMachineFeed, type MachineFeed } from '../../controller/providers/machine-feed.ts'
import type { OwnerStamp } from '../../controller/providers/machines.ts'
import { seededEntropy, type Entropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { CONTROL_PLANE, seedTenant, simulatedManager } from './controllers.ts'
import { Crew } from './crew.ts'
import { plantStrangers } from './fly-planting.ts'
import { removalController } from './removal.ts'
import { faultyStore, type StoreFaults } from './store-faults.ts'
import { PlanWatch } from './plan-watch.ts'
import { traced } from './traced.ts'

/** How a world differs from the usual one. */
export type FlyWorldOptions = {
  readonly seed: number
  /** Default `highera-{tenant}`: an app for each tenant. */
  readonly appTemplate?: string
  readonly latency?: FlyEmulatorOptions['latency']
  readonly quirks?: NonNullable<FlyEmulatorOptions['script']>['quirks']
  /** Keeps what the store and the wire did, for reading. */
  readonly isTraced?: boolean
}

/** The tenants, and how long each keeps a stopped machine: one starts them again, one makes them anew. */
const TENANTS: ReadonlyMap<string, number> = new Map([
  ['acme', 86_400],
  ['beta', 0],
  // Deleted while the story goes on.
  ['gone', 0],
])
/** How many machines each tenant may run at first. */
export const LIMIT = 3
const FEED_INTERVAL_MS = 5_000
/** The longest planned delay of a request, and the adapter's own deadline. */
const LATE_EFFECT_MS = 20_000
const IMAGE = `registry.example/sprite@sha256:${'5e'.repeat(32)}`

type Watched = { readonly id: string; readonly state: string; readonly owner: OwnerStamp | undefined }

/** The whole bottle; `tick` lets one second pass for everything in it. */
export class FlyWorld {
  readonly clock = new TestClock()
  readonly client: FakeClient
  readonly emulator: FlyEmulator
  readonly entropy: Entropy
  readonly crew: Crew
  readonly #options: FlyWorldOptions
  readonly #watch: PlanWatch
  readonly #trace: string[] = []
  readonly #machines = new Map<string, EmulatedMachine>()
  readonly #watched = new Map<string, Watched>()
  /** Machines that are not ours. */
  readonly #foreign = new Set<string>()
  readonly #strays = new Set<string>()
  #isPlanted = false
  readonly #namespaces = new Set(TENANTS.keys())
  /** What befalls the control plane's writes to the store. */
  storeFaults: StoreFaults | undefined
  storeFaultsMet = 0
  readonly #tokens = new Map<string, AppToken>()
  #manager: Manager | undefined
  #feed: MachineFeed | undefined
  /** Calls so far, but those of the feed. */
  calls = 0

  constructor(options: FlyWorldOptions) {
    const { clock } = this
    this.#options = options
    this.entropy = seededEntropy(options.seed)
    this.client = createFakeClient({ clock })
    this.crew = new Crew({
      client: this.client,
      clock,
      entropy: this.entropy,
      onHeard: (tenant, sprite) => this.#manager?.trigger('sprite', { namespace: tenant, name: sprite }),
    })
    this.#watch = new PlanWatch({
      client: this.client,
      clock,
      tenants: [...TENANTS.keys()],
      limit: LIMIT,
      lateEffectMs: LATE_EFFECT_MS,
      note: (line) => this.#note(line),
    })
    this.emulator = createFlyEmulator({
      clock,
      entropy: seededEntropy(options.seed + 1_000_000),
      runner: createIdleRunner(),
      latency: options.latency ?? 'fly',
      rateLimits: FLY_RATES,
      controlToken: 'control',
      ...(options.quirks === undefined ? {} : { script: { quirks: options.quirks } }),
    })
    this.emulator.onChange((id, machine) => this.#seeMachine(id, machine))
    for (const [tenant, retentionSeconds] of TENANTS)
      seedTenant(this.client, tenant, { concurrentSprites: LIMIT, retentionSeconds })
  }

  get #template(): string {
    return this.#options.appTemplate ?? 'highera-{tenant}'
  }

  #seeMachine(id: string, machine: EmulatedMachine | undefined): void {
    const before = this.#watched.get(id)
    if (machine === undefined) {
      this.#machines.delete(id)
      this.#watched.delete(id)
    } else {
      this.#machines.set(id, machine)
      const owner = before === undefined ? this.#ownerOf(machine) : before.owner
      this.#watched.set(id, { id, state: machine.state, owner })
    }
    if (before?.state === machine?.state) return
    this.#note(`machine ${machine?.name ?? id} ${before?.state ?? ''} -> ${machine?.state ?? 'forgotten'}`)
    if (machine !== undefined) this.#watch.noteMove(id, before?.state, machine.state)
    // What is planted claims to be ours: it is told apart when all of it is there.
    if (this.#isPlanted) this.#watch.judge([...this.#watched.values()].filter((one) => !this.#strays.has(one.id)))
  }

  #ownerOf({ app, config }: EmulatedMachine): OwnerStamp | undefined {
    const stamp = readStamp(config)
    return stamp?.controlPlane === CONTROL_PLANE && app === appName(this.#template, stamp.tenant) ? stamp : undefined
  }

  /** Sends a request as somebody else does: past the adapter, the faults of requests are for it too. */
  async raw(method: string, path: string, body?: object): Promise<Response> {
    const isControl = path.startsWith('/_emulator/')
    const answer = this.emulator.request(
      new Request(`http://emulator${path}`, {
        method,
        headers: { authorization: `Bearer ${isControl ? 'control' : 'somebody'}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    )
    // The way there takes its time.
    if (!isControl) await this.clock.advance(1_000)
    return await answer
  }

  /** Plants machines that nobody may touch, one of ours that belongs to nobody, and an app that is to go. */
  async plant(): Promise<void> {
    const { clock } = this
    const own = await plantStrangers({
      send: (path, body) => this.raw('POST', path, body),
      pass: (ms) => clock.advance(ms),
      appOf: (tenant) => appName(this.#template, tenant),
      isShared: this.isShared,
      controlPlaneId: CONTROL_PLANE,
      image: IMAGE,
    })
    for (const id of own) this.#strays.add(id)
    await clock.advance(10_000)
    for (const [id, machine] of this.#watched) {
      if (this.#strays.has(id)) continue
      this.#foreign.add(id)
      this.#watched.set(id, { ...machine, owner: undefined })
    }
    this.#isPlanted = true
  }

  /** Starts the control plane; after `crash` it finds the world as it was left. */
  async start(): Promise<void> {
    const { clock, client } = this
    // Always, so that a plan that is traced goes as it went before.
    const faulty = faultyStore(client, {
      clock,
      entropy: this.entropy,
      faults: () => this.storeFaults,
      onFault: () => this.storeFaultsMet++,
    })
    const store = traced(faulty, (line) => this.#note(`store ${line}`), [
      'patchStatus',
      'patchMetadata',
      'create',
      'delete',
    ])
    this.crew.presence.clear()
    const provider = createFlyProvider({
      baseUrl: 'http://emulator',
      token: 'fm2_org',
      orgSlug: 'personal',
      appTemplate: this.#template,
      controlPlaneId: CONTROL_PLANE,
      clock,
      appTokens: {
        read: async (app) => this.#tokens.get(app),
        write: async (app, token) => void this.#tokens.set(app, token),
        remove: async (app) => void this.#tokens.delete(app),
      },
      fetch: (url, init) => this.#fetch(url as URL /* The adapter gives no other. */, init),
    })
    const feed = createMachineFeed({
      provider,
      clock,
      log: silentLog,
      tenants: () => this.#tenants(),
      intervalMs: FEED_INTERVAL_MS,
      onChange: (tenant, machine, previous) => {
        const sprite = (machine ?? previous)?.owner?.sprite
        if (sprite !== undefined) this.#manager?.trigger('sprite', { namespace: tenant, name: sprite })
        if (machine === undefined) this.#manager?.trigger('slots', { namespace: '', name: tenant })
      },
    })
    const manager = simulatedManager({
      client: store,
      clock,
      entropy: this.entropy,
      provider,
      feed,
      presence: this.crew.presence,
      defaults: { image: IMAGE, regions: ['iad', 'ams'] },
      isDryRun: false,
      personaExists: () => true,
    })
    manager.add(removalController({ client: store, clock, manager, provider, namespaces: this.#namespaces }))
    this.#manager = manager
    this.#feed = feed
    const started = manager.start()
    await clock.advance(0)
    await started
    feed.start()
  }

  /** What undici does, without a socket. */
  async #fetch(url: URL, init: RequestInit | undefined): Promise<Response> {
    const { signal, ...rest } = init ?? {}
    signal?.throwIfAborted()
    if (!isFeed(url, rest.method)) this.calls++
    this.#judgeCall(url, rest.method)
    const answer = this.emulator.request(new Request(url, rest)).catch((error: unknown) => {
      throw Object.assign(new TypeError('fetch failed', { cause: error }), { code: 'ECONNRESET' })
    })
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const response = await Promise.race([answer, aborted])
      if (this.#options.isTraced) this.#note(`fly ${init?.method} ${url.pathname}${url.search} ${response.status}`)
      return response
    } catch (error) {
      this.#note(`fly ${init?.method} ${url.pathname} ${String(error)}`)
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** S3: what is not ours is only read. */
  #judgeCall(url: URL, method: string | undefined): void {
    const [, , , app = '', , machine] = url.pathname.split('/')
    if (method === 'GET' || url.pathname === '/v1/apps') return
    if (machine !== undefined && this.#foreign.has(machine)) this.#watch.violate(`S3: ${method} of a foreign machine`)
    if (app === 'theirs') this.#watch.violate(`S3: ${method} in a foreign app`)
    const isEnding =
      app === appName(this.#template, 'gone') && this.#tenants().every((name) => !this.#stands(name, app))
    if (method === 'DELETE' && machine === undefined && !isEnding) this.#watch.violate(`S4: app ${app} was deleted`)
  }

  /** Whether the tenant has the app and nobody has asked for its end. */
  #stands(tenant: string, app: string): boolean {
    const found = this.client.peek(tenantKind, { namespace: '', name: tenant })
    return appName(this.#template, tenant) === app && found !== undefined && !isDeleting(found)
  }

  #tenants(): readonly string[] {
    return this.client.peekAll(tenantKind).map(({ metadata }) => metadata.name)
  }

  /** Ends the control plane as kill -9 does: no pass that has not begun its call makes it. */
  async crash(): Promise<void> {
    const stopped = Promise.all([this.#manager?.stop(), this.#feed?.stop()])
    this.#manager = undefined
    this.#feed = undefined
    await this.clock.advance(10)
    await stopped
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    await this.crash()
    await this.emulator.close({ kill: false })
  }

  async tick(): Promise<void> {
    await this.clock.advance(1_000)
    for (const { run, state, id } of this.#machines.values()) {
      const owner = this.#watched.get(id)?.owner
      if (run !== undefined && state === 'started' && owner !== undefined) await this.crew.beat(owner)
    }
    await this.clock.advance(0)
  }

  async run(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) await this.tick()
  }

  /** Whether the app of the tenant that was deleted is gone from Fly too. */
  async isAppGone(): Promise<boolean> {
    if (this.isShared) return true
    return (await this.raw('GET', `/v1/apps/${appName(this.#template, 'gone')}`)).status === 404
  }

  /** Live machines of ours. */
  live(): readonly EmulatedMachine[] {
    return [...this.#machines.values()].filter(
      ({ id, state }) => this.#watched.get(id)?.owner !== undefined && !this.#strays.has(id) && state !== 'destroyed',
    )
  }

  /** What is not yet as it shall be in the end; nothing when all is. */
  unsettled(): readonly string[] {
    const sprites = this.client.peekAll(spriteKind)
    const named = new Set(sprites.flatMap((sprite) => sprite.status?.machine?.id ?? []))
    const holders = this.client.peekAll(slotLedgerKind).flatMap((ledger) => ledger.status?.holders ?? [])
    const up = this.live().filter(({ state }) => state === 'started')
    return [
      ...sprites.flatMap((sprite) => (isAtRest(sprite) ? [] : `sprite ${keyOf(sprite)} is ${sprite.status?.phase}`)),
      ...this.client
        .peekAll(workKind)
        .flatMap((work) => (work.status?.phase === 'Completed' ? [] : `work ${keyOf(work)} is ${work.status?.phase}`)),
      ...this.live().flatMap(({ id, name }) => (named.has(id) ? [] : `orphan ${name}`)),
      ...this.#tenants().flatMap((tenant) => (tenant === 'gone' ? 'tenant gone is there' : [])),
      ...[...this.#strays].flatMap((id) => (this.#isGone(id) ? [] : `stray ${id} is there`)),
      ...(holders.length === up.length ? [] : [`${holders.length} slots are held for ${up.length} machines`]),
    ]
  }

  #isGone(id: string): boolean {
    const state = this.#machines.get(id)?.state
    return state === undefined || state === 'destroyed'
  }

  /** Promises broken so far. */
  violations(): readonly string[] {
    const twice = [...this.crew.completions].flatMap(([work, count]) =>
      count === 1 ? [] : `work ${work} was completed ${count} times`,
    )
    return [...this.#watch.violations, ...twice]
  }

  get isShared(): boolean {
    return isSharedApp(this.#template)
  }

  #note(line: string): void {
    if (this.#options.isTraced) this.#trace.push(`${this.clock.monotonic()} ${line}`)
  }

  /** What happened: what a failing plan is understood by. */
  trace(): string {
    return this.#trace.join('\n')
  }
}

/** What the feed asks: of the organization, or of each tenant where that is refused. */
const isFeed = ({ pathname }: URL, method: string | undefined): boolean =>
  pathname.startsWith('/v1/orgs/') || (method === 'GET' && /^\/v1\/apps\/[^/]+\/machines$/.test(pathname))

const keyOf = ({ metadata }: { readonly metadata: { readonly namespace?: string; readonly name: string } }): string =>
  `${metadata.namespace}/${metadata.name}`

const isAtRest = (sprite: Sprite): boolean =>
  sprite.status?.phase === (sprite.spec.runPolicy === 'Always' ? 'Idle' : 'Stopped')
