/** A fleet in a bottle: the real Sprite, Work, slot and dispatch controllers on a fake store, fake machines and a clock that stands still. */
import { createFakeClient, type FakeClient } from '../../controller/engine/fake-client.ts'
import type { Manager } from '../../controller/engine/manager.ts'
import { FROZEN_ANNOTATION } from '../../controller/kinds/marks.ts'
import { spriteKind, type Sprite } from '../../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import { workKind, type Work } from '../../controller/kinds/work/schema.ts'
import { createFakeMachines, type FakeMachines } from '../../controller/providers/fake/fake-machines.ts'
import type { MachineList } from '../../controller/providers/machines.ts'
import { seededEntropy, type Entropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { CONTROL_PLANE, seedTenant, simulatedManager } from './controllers.ts'
import { Crew } from './crew.ts'
import { PlanWatch } from './plan-watch.ts'
import { traced } from './traced.ts'

export { CONTROL_PLANE } from './controllers.ts'

export type FleetOptions = {
  readonly seed: number
  readonly limit: number
  readonly retentionSeconds?: number
  readonly tenants?: readonly string[]
  /** An agent type without a persona. */
  readonly unknownAgentType?: string
}

/** Longer than any planned `delayEffect` takes. */
const LATE_EFFECT_MS_MAX = 6_000

/** The whole bottle; `tick` lets one second pass for everything in it. */
export class Fleet {
  readonly clock = new TestClock()
  /** When the clocks began, ms since 1970. */
  readonly startedAtMs = this.clock.now()
  readonly client: FakeClient
  readonly machines: FakeMachines
  readonly #trace: string[] = []
  readonly #watch: PlanWatch
  readonly #crew: Crew
  readonly #entropy: Entropy
  readonly #pictures = new Map<string, MachineList & { readonly atMs: number }>()
  readonly #tenants: readonly string[]
  readonly #unknownAgentType: string | undefined
  #manager: Manager | undefined

  constructor(options: FleetOptions) {
    this.#entropy = seededEntropy(options.seed)
    this.#unknownAgentType = options.unknownAgentType
    this.#tenants = options.tenants ?? ['acme', 'beta']
    this.client = createFakeClient({ clock: this.clock })
    this.machines = createFakeMachines({
      clock: this.clock,
      entropy: this.#entropy,
      controlPlaneId: CONTROL_PLANE,
      steps: { min: 0, max: 4 },
    })
    this.machines.onTransition(({ machine, from, to, running }) => {
      this.#note(`machine ${machine.name} ${from ?? ''} -> ${to} (${running} run)`)
      this.#watch.noteMove(machine.id, from, to)
      this.#judge()
    })
    const { clock, client } = this
    this.#crew = new Crew({
      client,
      clock,
      entropy: this.#entropy,
      onHeard: (tenant, sprite) => this.#manager?.trigger('sprite', { namespace: tenant, name: sprite }),
    })
    this.#watch = new PlanWatch({
      client,
      clock,
      tenants: this.#tenants,
      limit: options.limit,
      lateEffectMs: LATE_EFFECT_MS_MAX,
      note: (line) => this.#note(line),
    })
    for (const tenant of this.#tenants)
      seedTenant(client, tenant, {
        concurrentSprites: options.limit,
        retentionSeconds: options.retentionSeconds ?? 0,
      })
  }

  async addSprite(tenant: string, name: string, spec: Partial<Sprite['spec']> = {}): Promise<void> {
    await this.client.create(spriteKind, {
      metadata: { name, namespace: tenant },
      spec: { agentType: 'copywriter', runPolicy: 'OnDemand', ...spec },
    })
  }

  async addWork(tenant: string, name: string, spec: Partial<Work['spec']> = {}): Promise<void> {
    await this.client.create(workKind, {
      metadata: { name, namespace: tenant },
      spec: {
        type: 'write_copy',
        description: 'Write',
        agentType: 'copywriter',
        priority: 0,
        maxAttempts: 3,
        cancelled: false,
        ...spec,
      },
    })
  }

  /** Whether the collector only tells; read at start. */
  isDryRun = false

  /** Freezes the tenant's machines, or thaws them. */
  async freeze(tenant: string, isFrozen: boolean): Promise<void> {
    const annotations = { [FROZEN_ANNOTATION]: isFrozen ? 'true' : null }
    await this.client.patchMetadata(tenantKind, { namespace: '', name: tenant }, { annotations })
  }

  /** Changes a tenant's limit, as a new plan does. */
  async setLimit(tenant: string, limit: number): Promise<void> {
    const key = { namespace: '', name: tenant }
    await this.client.patchStatus(tenantKind, key, { limits: { concurrentSprites: limit } })
  }

  /** The share of tasks (0…1) that fail. */
  set failWork(share: number) {
    this.#crew.failWork = share
  }

  /** The wall clock is set: what the control plane has in memory stays as old as it is, what is stored does not. */
  jumpClock(byMs: number): void {
    this.clock.jumpWall(byMs)
    const { presence } = this.#crew
    for (const [id, one] of presence)
      presence.set(id, { ...one, lastSeenAtMs: one.lastSeenAtMs + byMs, firstSeenAtMs: one.firstSeenAtMs + byMs })
    for (const [tenant, one] of this.#pictures) this.#pictures.set(tenant, { ...one, atMs: one.atMs + byMs })
  }

  /** Starts the control plane; after `crash` it finds the world as it was left. */
  async start(): Promise<void> {
    const { clock } = this
    const note = (label: string) => (line: string) => this.#note(`${label} ${line}`)
    const client = traced(this.client, note('store'), ['patchStatus', 'patchMetadata', 'create', 'delete'])
    const provider = traced(this.machines, note('fly'), ['create', 'start', 'stop', 'destroy', 'get'])
    this.#crew.presence.clear()
    this.#pictures.clear()
    const manager = simulatedManager({
      client,
      clock,
      entropy: this.#entropy,
      provider,
      feed: { read: (tenant: string) => this.#pictures.get(tenant) },
      presence: this.#crew.presence,
      defaults: { image: 'sprite:1', regions: ['local'] },
      isDryRun: this.isDryRun,
      personaExists: (_, agentType) => agentType !== this.#unknownAgentType,
    })
    this.#manager = manager
    const started = manager.start()
    await this.clock.advance(0)
    await started
  }

  /** Ends the control plane as kill -9 does: no pass that has not begun its call makes it. */
  async crash(): Promise<void> {
    const stopped = this.#manager?.stop()
    this.#manager = undefined
    await this.clock.advance(10)
    await stopped
  }

  get manager(): Manager | undefined {
    return this.#manager
  }

  /** One second: machines move, pictures are taken, sprites beat and work, the control plane reacts. */
  async tick(): Promise<void> {
    await this.clock.advance(1_000)
    this.machines.tick()
    await this.#takePictures()
    await this.#work()
    await this.clock.advance(0)
    this.#judge()
  }

  async run(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) await this.tick()
  }

  async #takePictures(): Promise<void> {
    for (const tenant of this.#tenants) {
      try {
        this.#pictures.set(tenant, { ...(await this.machines.list(tenant)), atMs: this.clock.now() })
      } catch {
        // A provider that does not answer leaves the last picture standing.
      }
    }
  }

  /** What the sprites' processes and the Coordinator do together in a second. */
  async #work(): Promise<void> {
    for (const machine of this.machines.machines()) {
      if (machine.state !== 'started' || machine.owner === undefined) continue
      await this.#crew.beat(machine.owner)
    }
  }

  #judge(): void {
    this.#watch.judge(this.machines.machines())
  }

  #note(line: string): void {
    this.#trace.push(`${this.clock.monotonic()} ${line}`)
  }

  /** What happened to machines and in the store: what a failing seed is understood by. */
  trace(): string {
    return this.#trace.join('\n')
  }

  sprites(): readonly Sprite[] {
    return this.client.peekAll(spriteKind)
  }

  work(): readonly Work[] {
    return this.client.peekAll(workKind)
  }

  /** What the run has to answer for, each once. */
  get violations(): readonly string[] {
    return this.#watch.violations
  }

  /** How often each work was completed. */
  get completions(): ReadonlyMap<string, number> {
    return this.#crew.completions
  }

  get entropy(): Entropy {
    return this.#entropy
  }
}
