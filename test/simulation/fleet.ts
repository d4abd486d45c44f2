/** A fleet in a bottle: the real Sprite, Work, slot and dispatch controllers on a fake store, fake machines and a clock that stands still. */
import type { Key } from '../../controller/api/object.ts'
import type { PresenceRecord } from '../../controller/bus/presence.ts'
import { createFakeClient, type FakeClient } from '../../controller/engine/fake-client.ts'
import { createManager, type Manager } from '../../controller/engine/manager.ts'
import { createDestroyBrake } from '../../controller/kinds/sprite/brake.ts'
import { FROZEN_ANNOTATION, isFrozen } from '../../controller/kinds/marks.ts'
import { collectorController } from '../../controller/kinds/sprite/collect-reconcile.ts'
import { spriteController } from '../../controller/kinds/sprite/reconcile.ts'
import { spriteKind, type Sprite } from '../../controller/kinds/sprite/schema.ts'
import { SPRITE_DEADLINES } from '../../controller/kinds/sprite/world.ts'
import { slotController } from '../../controller/kinds/slotledger/reconcile.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../../controller/kinds/slotledger/schema.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import { projectKind } from '../../controller/kinds/project/schema.ts'
import { reviewKind } from '../../controller/kinds/review/schema.ts'
import { dispatchController } from '../../controller/kinds/work/dispatch-reconcile.ts'
import { workController } from '../../controller/kinds/work/reconcile.ts'
import { isTerminal, workKind, type Work } from '../../controller/kinds/work/schema.ts'
import { createFakeMachines, type FakeMachines } from '../../controller/providers/fake/fake-machines.ts'
import type { Machine, MachineList } from '../../controller/providers/machines.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { seededEntropy, type Entropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { timestamp } from '../../system/timestamp.ts'
import { traced } from './traced.ts'

export type FleetOptions = {
  readonly seed: number
  readonly limit: number
  readonly retentionSeconds?: number
  readonly tenants?: readonly string[]
  /** An agent type without a persona. */
  readonly unknownAgentType?: string
}

/** Id of the control plane of every fleet here. */
export const CONTROL_PLANE = 'cp-test'

/** Longer than any planned `delayEffect` takes. */
const LATE_EFFECT_MS_MAX = 6_000

/** The whole bottle; `tick` lets one second pass for everything in it. */
export class Fleet {
  readonly clock = new TestClock()
  readonly client: FakeClient
  readonly machines: FakeMachines
  readonly #violations = new Set<string>()
  readonly #trace: string[] = []
  readonly completions = new Map<string, number>()
  readonly #entropy: Entropy
  readonly #presence = new Map<string, PresenceRecord>()
  readonly #pictures = new Map<string, MachineList & { readonly atMs: number }>()
  readonly #tenants: readonly string[]
  readonly #limit: number
  readonly #unknownAgentType: string | undefined
  readonly #listeners = new Set<(tenant: string, sprite: string) => void>()
  /** How many may still run because of a larger limit before. */
  readonly #inherited = new Map<string, number>()
  readonly #known = new Map<string, number>()
  readonly #loweredAt = new Map<string, number>()
  /** Destroyed from a stop: its process cannot come back, so it does not count as running. */
  readonly #goingUnstarted = new Set<string>()
  #manager: Manager | undefined
  #listeningSinceMs = 0
  #failWork = 0

  constructor(options: FleetOptions) {
    this.#entropy = seededEntropy(options.seed)
    this.#limit = options.limit
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
      if (to === 'destroying' && from === 'stopped') this.#goingUnstarted.add(machine.id)
      this.#judge()
    })
    for (const tenant of this.#tenants) this.#seedTenant(tenant, options.retentionSeconds ?? 0)
  }

  #seedTenant(name: string, retentionSeconds: number): void {
    this.client.seed({
      apiVersion: tenantKind.apiVersion,
      kind: 'Tenant',
      metadata: { name },
      spec: { displayName: name, plan: 'starter', config: {}, brand: {}, suspend: false },
      status: {
        namespace: name,
        limits: {
          concurrentSprites: this.#limit,
          spriteIdleTimeoutSeconds: 30,
          priority: 1,
          priorityRouting: true,
          customPersonas: false,
          stoppedMachineRetentionSeconds: retentionSeconds,
          guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
        },
      },
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
    this.#failWork = share
  }

  /** Starts the control plane; after `crash` it finds the world as it was left. */
  async start(): Promise<void> {
    const { clock } = this
    const note = (label: string) => (line: string) => this.#note(`${label} ${line}`)
    const client = traced(this.client, note('store'), ['patchStatus', 'patchMetadata', 'create', 'delete'])
    const provider = traced(this.machines, note('fly'), ['create', 'start', 'stop', 'destroy', 'get'])
    this.#listeningSinceMs = clock.now()
    this.#presence.clear()
    this.#pictures.clear()
    const manager = createManager({
      client,
      clock,
      entropy: this.#entropy,
      log: silentLog,
      metrics: createMetrics(),
      relistMs: 0,
      kinds: [spriteKind, workKind, tenantKind, slotLedgerKind, projectKind, reviewKind],
      stopGraceMs: 0,
    })
    const bus = { publish: async () => {}, subscribe: async () => async () => {}, close: async () => {} }
    const feed = { read: (tenant: string) => this.#pictures.get(tenant) }
    const common = {
      client,
      cache: manager.cache,
      clock,
      bus,
      recorder: manager.recorder,
      provider,
      feed,
      machines: feed,
      frozenBy: (name: string) => {
        const tenant = manager.cache.get(tenantKind, { namespace: '', name })
        return tenant !== undefined && isFrozen(tenant) ? 'the test' : undefined
      },
      isDryRun: this.isDryRun,
    }
    const brake = createDestroyBrake()
    manager.add(
      spriteController({
        ...common,
        entropy: this.#entropy,
        presence: {
          read: (tenant, sprite) => this.#presence.get(`${tenant}/${sprite}`),
          listeningSinceMs: this.#listeningSinceMs,
          onChange: () => () => {},
        },
        defaults: { image: 'sprite:1', regions: ['local'] },
        deadlines: SPRITE_DEADLINES,
        controlPlaneId: CONTROL_PLANE,
        personaExists: (_, agentType) => agentType !== this.#unknownAgentType,
        brake,
        bootEnv: () => ({}),
        stopTimeoutSeconds: 5,
      }),
    )
    manager.add(slotController(common))
    manager.add(workController(common))
    manager.add(dispatchController(common))
    manager.add(collectorController({ ...common, brake, controlPlaneId: CONTROL_PLANE, log: silentLog }))
    this.#manager = manager
    this.#listeners.clear()
    this.#listeners.add((tenant, sprite) => manager.trigger('sprite', { namespace: tenant, name: sprite }))
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
      await this.#beat(machine)
    }
  }

  async #beat(machine: Machine): Promise<void> {
    const owner = machine.owner
    if (owner === undefined) return
    const key: Key = { namespace: owner.tenant, name: owner.sprite }
    const sprite = this.client.peek(spriteKind, key)
    const isCurrent = sprite?.metadata.uid === owner.spriteUid && sprite.status?.incarnation === owner.incarnation
    if (!isCurrent) return
    const id = `${owner.tenant}/${owner.sprite}`
    const before = this.#presence.get(id)
    const nowMs = this.clock.now()
    const isSame = before?.incarnation === owner.incarnation
    this.#presence.set(id, {
      uid: owner.spriteUid,
      incarnation: owner.incarnation,
      lastSeenAtMs: nowMs,
      firstSeenAtMs: isSame ? before.firstSeenAtMs : nowMs,
      state: 'idle',
    })
    if (!isSame || nowMs - before.lastSeenAtMs > 1_500)
      for (const listener of this.#listeners) listener(owner.tenant, owner.sprite)
    const work = this.client
      .peekAll(workKind)
      .find(
        (one) =>
          one.metadata.namespace === owner.tenant &&
          one.status?.assignedSprite === owner.sprite &&
          !isTerminal(one.status.phase),
      )
    if (work !== undefined) await this.#advanceWork(work, owner.incarnation, sprite)
  }

  async #advanceWork(work: Work, incarnation: number, sprite: Sprite): Promise<void> {
    const at = { resourceVersion: work.metadata.resourceVersion }
    const key = { namespace: work.metadata.namespace ?? '', name: work.metadata.name }
    const now = timestamp(this.clock.now())
    const number = (work.status?.attemptsTotal ?? 0) + 1
    if (work.status?.phase === 'Assigned' && sprite.status?.phase !== 'Draining') {
      const attempts = [
        ...(work.status.attempts ?? []),
        { number, sprite: sprite.metadata.name, incarnation, startTime: now },
      ]
      await this.client.patchStatus(
        workKind,
        key,
        { phase: 'InProgress', incarnation, attempt: number, attemptsTotal: number, attempts, startTime: now },
        at,
      )
      return
    }
    if (work.status?.phase !== 'InProgress' || work.status.incarnation !== incarnation) return
    if (this.#entropy.random() < 0.7) return
    const isFailure = this.#entropy.random() < this.#failWork
    const outcome = isFailure ? 'Failed' : 'Completed'
    const attempts = (work.status.attempts ?? []).map((attempt) =>
      attempt.outcome === undefined ? { ...attempt, endTime: now, outcome } : attempt,
    )
    const end = isFailure
      ? { phase: 'Pending', attempts, assignedSprite: null, assignedTime: null, incarnation: null, attempt: null }
      : { phase: 'Completed', attempts, completionTime: now, tokensTotal: 10 }
    await this.client.patchStatus(workKind, key, end, at)
    if (!isFailure) {
      const id = `${key.namespace}/${key.name}`
      this.completions.set(id, (this.completions.get(id) ?? 0) + 1)
    }
  }

  /** S1 and S2 at this instant. */
  #judge(): void {
    const perTenant = new Map<string, number>()
    const perSprite = new Map<string, number>()
    for (const machine of this.machines.machines()) {
      const { owner, state } = machine
      if (
        owner === undefined ||
        state === 'stopped' ||
        (state === 'destroying' && this.#goingUnstarted.has(machine.id))
      )
        continue
      perTenant.set(owner.tenant, (perTenant.get(owner.tenant) ?? 0) + 1)
      perSprite.set(owner.spriteUid, (perSprite.get(owner.spriteUid) ?? 0) + 1)
    }
    for (const tenant of this.#tenants) {
      const count = perTenant.get(tenant) ?? 0
      // The limit that the ledger knows: a change counts from there on.
      const ledger = this.client.peek(slotLedgerKind, { namespace: tenant, name: SLOT_LEDGER_NAME })
      const limit = ledger?.status?.limit ?? this.#limit
      // After a limit was lowered what runs may end first, but it may not grow again.
      if (limit < (this.#known.get(tenant) ?? limit)) this.#loweredAt.set(tenant, this.clock.monotonic())
      this.#known.set(tenant, limit)
      const most = Math.max(limit, this.#inherited.get(tenant) ?? limit)
      if (count > most) this.#violate(`S1: ${count} machines of "${tenant}" run, the limit is ${limit}`)
      // A create that was sent under the larger limit, and never answered, cannot be called back.
      const isInFlight = this.clock.monotonic() - (this.#loweredAt.get(tenant) ?? -Infinity) < LATE_EFFECT_MS_MAX
      this.#inherited.set(tenant, Math.max(limit, isInFlight ? most : Math.min(most, count)))
    }
    for (const [uid, count] of perSprite) if (count > 1) this.#violate(`S2: ${count} machines of sprite ${uid} run`)
  }

  #violate(what: string): void {
    this.#violations.add(what)
    this.#note(`VIOLATION ${what}`)
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
    return [...this.#violations]
  }

  get entropy(): Entropy {
    return this.#entropy
  }
}
