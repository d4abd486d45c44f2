/** From a spec that is written to the create request at the provider, on the embedded store, against one bare durable write. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { addControllers } from '../controller/assembly/controllers.ts'
import { createNamespaces, makeTenantNamespace } from '../controller/assembly/namespaces.ts'
import { CONTROLLER_ACTOR } from '../controller/api/admission.ts'
import { createMemoryBus } from '../controller/bus/memory.ts'
import { createPresence } from '../controller/bus/presence-tracker.ts'
import type { Client } from '../controller/client/client.ts'
import { createLocalClient } from '../controller/client/local.ts'
import { createManager, type Manager } from '../controller/engine/manager.ts'
import { createRegistryEventSink } from '../controller/engine/registry-ports.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { ensureBuiltinPlans } from '../controller/kinds/plan/builtin.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createMemoryLedger } from '../controller/ledger/memory.ts'
import { createFakeMachines } from '../controller/providers/fake/fake-machines.ts'
import type { MachineProvider } from '../controller/providers/machines.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { createRegistry } from '../controller/registry/create-registry.ts'
import { openDatabase } from '../controller/store/database.ts'
import { openEmbeddedStore } from '../controller/store/embedded.ts'
import { realClock, type Clock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { createMetrics } from '../system/metrics.ts'
import { percentile, type Row } from './table.ts'

const TENANTS = 50
const SPRITES = 500
/** Between two applies, in ms: 20 a second, as performance.md's row 1 has it. */
const PACE_MS = 50

/** p50 and p99 of apply → create over 500 single applies on 50 tenants, and of a bare durable write between them. */
export async function benchConverge(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-converge-'))
  const world = await openWorld(join(folder, 'store.db'))
  const bare = openBare(join(folder, 'bare.db'))
  const [waits, floors]: [number[], number[]] = [[], []]
  try {
    for (let tenant = 0; tenant < TENANTS; tenant++) await world.addTenant(`tenant-${tenant}`)
    for (let index = 0; index < SPRITES; index++) {
      waits.push(await world.applySprite(`tenant-${index % TENANTS}`, `s${index}`))
      floors.push(bare.write(index))
      await realClock.sleep(PACE_MS)
    }
    return ['p50', 'p99'].map((name) => {
      const share = name === 'p50' ? 0.5 : 0.99
      const [ours, floor] = [percentile(waits, share), percentile(floors, share)]
      return {
        what: `spec written -> create request, ${name}`,
        ours: `${ours.toFixed(1)} ms`,
        divisor: `one bare durable write ${floor.toFixed(2)} ms`,
        ratio: ours / floor,
      }
    })
  } finally {
    bare.close()
    await world.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function openBare(path: string): { write: (index: number) => number; close: () => void } {
  const database = new DatabaseSync(path)
  database.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE kv(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID',
  )
  const put = database.prepare('INSERT OR REPLACE INTO kv(k, v) VALUES (?, ?)')
  return {
    write: (index) => {
      const startedMs = realClock.monotonic()
      put.run(`key-${index}`, 'x'.repeat(1000))
      return realClock.monotonic() - startedMs
    },
    close: () => database.close(),
  }
}

async function openWorld(path: string) {
  const [clock, entropy, log, metrics] = [realClock, realEntropy, silentLog, createMetrics()]
  const database = openDatabase(path)
  const store = openEmbeddedStore({ database })
  const registry = createRegistry({
    store,
    resources: [...CORE_RESOURCES, ...RESOURCES],
    clock,
    entropy,
    builtinAgentTypes: new Set(['copywriter']),
    makeNamespace: (name) => makeTenantNamespace(client, namespaces, name),
  })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'bench' })
  const namespaces = createNamespaces(registry)
  const bus = createMemoryBus()
  const presence = await createPresence({ bus, clock })
  const machines = createFakeMachines({ clock, entropy, controlPlaneId: 'cp-bench', steps: { min: 0, max: 0 } })
  const arrived = new Map<string, (atMs: number) => void>()
  const provider = tellingCreates(machines, (sprite) => arrived.get(sprite)?.(clock.monotonic()))
  const manager = createManager({
    client,
    clock,
    entropy,
    log,
    metrics,
    events: createRegistryEventSink(registry),
    kinds: KINDS,
  })
  addControllers(manager, {
    client,
    clock,
    entropy,
    log,
    bus,
    presence,
    ledger: createMemoryLedger({ clock }),
    provider,
    feed: { read: () => undefined },
    namespaces,
    builtinAgentTypes: new Set(['copywriter']),
    defaults: { image: 'bench', regions: ['local'] },
    controlPlaneId: 'cp-bench',
    masterKey: new Uint8Array(32),
    stopTimeoutSeconds: 1,
    coordinatorUrl: () => 'http://127.0.0.1:1',
    lookForAnthropicKey: () => Promise.resolve(undefined),
  })
  await namespaces.ensure('default')
  await ensureBuiltinPlans(client)
  await manager.start()
  return {
    ...operations({ client, manager, arrived, clock }),
    close: async () => {
      await manager.stop()
      await presence.close()
      await store.close()
      database.close()
    },
  }
}

/** What the benchmark does to the world, and how long it took until the provider was asked. */
function operations(world: {
  readonly client: Client
  readonly manager: Manager
  readonly arrived: Map<string, (atMs: number) => void>
  readonly clock: Clock
}) {
  const { client, manager, arrived, clock } = world
  return {
    addTenant: async (name: string) => {
      await client.create(tenantKind, {
        metadata: { name },
        spec: { displayName: name, plan: 'enterprise', config: {}, brand: {}, suspend: false },
      })
      await manager.whenIdle()
    },
    applySprite: async (namespace: string, name: string) => {
      const { promise, resolve } = Promise.withResolvers<number>()
      arrived.set(name, resolve)
      const startedMs = clock.monotonic()
      await client.create(spriteKind, {
        metadata: { name, namespace },
        spec: { agentType: 'copywriter', runPolicy: 'Always' },
      })
      const waitMs = (await promise) - startedMs
      await manager.whenIdle()
      return waitMs
    },
  }
}

/** The machines, with a word at each create: only when the request is made is looked at. */
function tellingCreates(machines: MachineProvider, onCreate: (sprite: string) => void): MachineProvider {
  return Object.assign(Object.create(machines) as MachineProvider, {
    create: (...args: Parameters<MachineProvider['create']>) => {
      onCreate(args[0].owner.sprite)
      return machines.create(...args)
    },
    list: machines.list.bind(machines),
    get: machines.get.bind(machines),
    start: machines.start.bind(machines),
    stop: machines.stop.bind(machines),
    destroy: machines.destroy.bind(machines),
    removeTenant: machines.removeTenant.bind(machines),
  })
}
