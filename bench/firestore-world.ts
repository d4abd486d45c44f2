/** A control plane's controllers over the Firestore store, in virtual time: sprites' processes and Firestore are played. */
import { addControllers } from '../controller/assembly/controllers.ts'
import { createNamespaces, makeTenantNamespace } from '../controller/assembly/namespaces.ts'
import { CONTROLLER_ACTOR } from '../controller/api/admission.ts'
import { resourceName } from '../controller/api/define-kind.ts'
import { createMemoryBus } from '../controller/bus/memory.ts'
import type { PresenceRecord } from '../controller/bus/presence.ts'
import { createLocalClient } from '../controller/client/local.ts'
import { SHARED_PROGRESS_INTERVAL_MS } from '../controller/coordinator/ports.ts'
import { claimPatch } from '../controller/coordinator/claim-decide.ts'
import { createManager } from '../controller/engine/manager.ts'
import { createRegistryEventSink } from '../controller/engine/registry-ports.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { ensureBuiltinPlans } from '../controller/kinds/plan/builtin.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind, type Work } from '../controller/kinds/work/schema.ts'
import { createMemoryLedger } from '../controller/ledger/memory.ts'
import { createFakeMachines } from '../controller/providers/fake/fake-machines.ts'
import { createMachineFeed } from '../controller/providers/machine-feed.ts'
import type { OwnerStamp } from '../controller/providers/machines.ts'
import { createGarbageCollector } from '../controller/registry/collector.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { createRegistry } from '../controller/registry/create-registry.ts'
import { createEventExpiry } from '../controller/registry/expiry.ts'
import { storedJudge } from '../controller/registry/stored.ts'
import { openFirestoreStore } from '../controller/store/firestore/firestore.ts'
import { seededEntropy, type Entropy } from '../system/entropy.ts'
import { silentLog, type Log } from '../system/log.ts'
import { createMetrics } from '../system/metrics.ts'
import { TestClock } from '../system/test-clock.ts'
import { timestamp } from '../system/timestamp.ts'
import { FirestoreInMemory } from './firestore-in-memory.ts'
import { CONTROL_PLANE } from './world.ts'

/** As a control plane at Fly has it. */
const FEED_INTERVAL_MS = 5_000
/** How far the clock moves at once, in seconds: what needs no more than that is started and looked at in time. */
const STEP_SECONDS = 5
/** How long a task takes, in seconds of virtual time. */
const TASK_SECONDS = 60

/** Runs a promise to its end while virtual time stands still, or, where it waits for time, moves on. */
async function settled<T>(clock: TestClock, promise: Promise<T>): Promise<T> {
  const outcome = { isKnown: false }
  const end = (): void => {
    outcome.isKnown = true
  }
  promise.then(end, end)
  for (let step = 0; step < 10_000 && !outcome.isKnown; step++) await clock.advance(step < 100 ? 0 : 100)
  return promise
}

type Ports = { readonly clock: TestClock; readonly entropy: Entropy; readonly log: Log }

/** The registry and the client of the controllers, over a store on Firestore in memory. */
async function openObjects(ports: Ports, firestore: FirestoreInMemory) {
  const { clock } = ports
  const resources = [...CORE_RESOURCES, ...RESOURCES]
  const opening = openFirestoreStore({
    ...ports,
    project: 'bench',
    database: '(default)',
    collections: resources.map(resourceName),
    judge: storedJudge(resources),
    settings: { connect: () => Promise.resolve(firestore.connect()) },
  })
  const store = await settled(clock, opening)
  const registry = createRegistry({
    ...ports,
    store,
    resources,
    builtinAgentTypes: new Set(['copywriter']),
    makeNamespace: (name) => makeTenantNamespace(client, namespaces, name),
  })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'bench' })
  const namespaces = createNamespaces(registry)
  return { store, registry, client, namespaces }
}

type Objects = Awaited<ReturnType<typeof openObjects>>

/** All controllers and what keeps the store in order, not started, over machines in memory. */
function wireControllers(ports: Ports, objects: Objects, { presence, provider }: Outside) {
  const { clock } = ports
  const { registry, store, client } = objects
  const events = createRegistryEventSink(registry)
  const manager = createManager({ ...ports, client, metrics: createMetrics(), events, kinds: KINDS })
  const feed = createMachineFeed({
    ...ports,
    provider,
    intervalMs: FEED_INTERVAL_MS,
    tenants: () => manager.cache.list(tenantKind).map((tenant) => tenant.metadata.name),
    onChange: (tenant, machine, previous) => {
      const sprite = (machine ?? previous)?.owner?.sprite
      if (sprite !== undefined) manager.trigger('sprite', { namespace: tenant, name: sprite })
    },
  })
  addControllers(manager, {
    ...ports,
    ...objects,
    provider,
    feed,
    bus: createMemoryBus(),
    presence: {
      read: (tenant, sprite) => presence.get(`${tenant}/${sprite}`),
      listeningSinceMs: clock.now(),
      onChange: () => () => {},
    },
    ledger: createMemoryLedger({ clock }),
    builtinAgentTypes: new Set(['copywriter']),
    defaults: { image: 'bench', regions: ['local'] },
    controlPlaneId: CONTROL_PLANE,
    masterKey: new Uint8Array(32),
    stopTimeoutSeconds: 1,
    coordinatorUrl: () => 'http://127.0.0.1:1',
    lookForAnthropicKey: () => Promise.resolve(undefined),
  })
  const collector = createGarbageCollector({ ...ports, registry, store })
  return { manager, feed, collector, expiry: createEventExpiry({ ...ports, registry }) }
}

type Wired = ReturnType<typeof wireControllers>

/** What outlives a control plane: Firestore, the machines, and who was heard of. */
type Outside = {
  readonly clock: TestClock
  readonly firestore: FirestoreInMemory
  readonly provider: ReturnType<typeof createFakeMachines>
  readonly presence: Map<string, PresenceRecord>
}

/** An outside with nothing in it yet. */
export function emptyOutside(): Outside {
  const clock = new TestClock()
  const steps = { min: 0, max: 4 }
  return {
    clock,
    firestore: new FirestoreInMemory(clock),
    provider: createFakeMachines({ clock, entropy: seededEntropy(6), controlPlaneId: CONTROL_PLANE, steps }),
    presence: new Map(),
  }
}

/** What machines, sprites' processes and the Coordinator do in a step; the returned function lets one pass. */
function play(world: Objects & Wired, { clock, provider, presence }: Outside) {
  const { client, manager } = world
  const beat = ({ tenant, sprite, spriteUid: uid, incarnation }: OwnerStamp): void => {
    const id = `${tenant}/${sprite}`
    const before = presence.get(id)
    const isSame = before?.incarnation === incarnation
    const nowMs = clock.now()
    const firstSeenAtMs = isSame ? before.firstSeenAtMs : nowMs
    presence.set(id, { uid, incarnation, lastSeenAtMs: nowMs, firstSeenAtMs, state: 'idle' })
    if (!isSame) manager.trigger('sprite', { namespace: tenant, name: sprite })
  }
  const isDue = ({ status }: Work): boolean =>
    status?.phase === 'Assigned' ||
    (status?.phase === 'InProgress' && clock.now() - Date.parse(status.startTime ?? '') >= TASK_SECONDS * 1000)
  /** What the Coordinator writes of a task: a claim and an end, each after a look at the work as it is. */
  const advance = async ({ metadata, status }: Work): Promise<void> => {
    const key = { namespace: metadata.namespace ?? '', name: metadata.name }
    const sprite = status?.assignedSprite ?? ''
    const record = presence.get(`${key.namespace}/${sprite}`)
    if (record === undefined) return
    const work = await client.get(workKind, key)
    const { resourceVersion } = work.metadata
    const now = timestamp(clock.now())
    const isClaim = work.status?.phase === 'Assigned'
    const patch = isClaim ? claimPatch(work, { sprite, incarnation: record.incarnation }, now) : endOf(work, now)
    await client.patchStatus(workKind, key, patch, { resourceVersion })
    // A sprite that has ended a task asks for the next one, and the cache knows none.
    if (!isClaim) await client.list(workKind, { namespace: key.namespace })
  }
  const toldAtMs = new Map<string, number>()
  /** What a sprite says of its progress, as often as the Coordinator writes it. */
  const report = async ({ metadata, status }: Work): Promise<void> => {
    const sinceMs = toldAtMs.get(metadata.uid) ?? Date.parse(status?.startTime ?? '')
    if (clock.now() - sinceMs < SHARED_PROGRESS_INTERVAL_MS) return
    toldAtMs.set(metadata.uid, clock.now())
    const key = { namespace: metadata.namespace ?? '', name: metadata.name }
    const work = await client.get(workKind, key)
    const { resourceVersion } = work.metadata
    await client.patchStatus(workKind, key, { progress: `Writes, ${clock.now()}` }, { resourceVersion })
  }
  return async (): Promise<void> => {
    await clock.advance(STEP_SECONDS * 1000)
    provider.tick()
    for (const machine of provider.machines())
      if (machine.state === 'started' && machine.owner !== undefined) beat(machine.owner)
    for (const work of manager.cache.list(workKind))
      if (isDue(work)) await settled(clock, advance(work))
      else if (work.status?.phase === 'InProgress') await settled(clock, report(work))
    await clock.advance(0)
  }
}

/** The status patch of a task that is done. */
function endOf(work: Work, now: string): object {
  const attempts = (work.status?.attempts ?? []).map((one) => ({ ...one, endTime: now, outcome: 'Completed' }))
  return { phase: 'Completed', attempts, completionTime: now, tokensTotal: 10 }
}

/** Starts it. `run` lets seconds pass; `billed` counts what Firestore would bill for one process. */
export async function openFirestoreWorld(outside: Outside = emptyOutside()) {
  const { clock, firestore } = outside
  const ports: Ports = { clock, entropy: seededEntropy(5), log: silentLog }
  const objects = await openObjects(ports, firestore)
  const wired = wireControllers(ports, objects, outside)
  const { manager, collector, expiry, feed } = wired
  const begin = async (): Promise<void> => {
    await objects.namespaces.ensure('default')
    await ensureBuiltinPlans(objects.client)
    await manager.start()
    await collector.start()
  }
  await settled(clock, begin())
  expiry.start()
  feed.start()
  const step = play({ ...objects, ...wired }, outside)
  return {
    client: objects.client,
    registry: objects.registry,
    store: objects.store,
    clock,
    manager,
    billed: firestore.billed,
    run: async (seconds: number): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += STEP_SECONDS) await step()
    },
    settled: <T>(promise: Promise<T>): Promise<T> => settled(clock, promise),
    close: async () => {
      await settled(clock, Promise.all([expiry.stop(), feed.stop(), collector.stop(), manager.stop()]))
      await objects.store.close()
    },
  }
}
