/** The controllers over the embedded store in this process, with machines of the benchmark's choice. */
import { addControllers } from '../controller/assembly/controllers.ts'
import { createNamespaces, makeTenantNamespace } from '../controller/assembly/namespaces.ts'
import { CONTROLLER_ACTOR } from '../controller/api/admission.ts'
import { createMemoryBus } from '../controller/bus/memory.ts'
import { createPresence } from '../controller/bus/presence-tracker.ts'
import { createLocalClient } from '../controller/client/local.ts'
import { createManager, type Manager } from '../controller/engine/manager.ts'
import { createRegistryEventSink } from '../controller/engine/registry-ports.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { ensureBuiltinPlans } from '../controller/kinds/plan/builtin.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createMemoryLedger } from '../controller/ledger/memory.ts'
import { createMachineFeed, type MachineFeed } from '../controller/providers/machine-feed.ts'
import type { MachineProvider } from '../controller/providers/machines.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { createRegistry } from '../controller/registry/create-registry.ts'
import { openDatabase } from '../controller/store/database.ts'
import { openEmbeddedStore } from '../controller/store/embedded.ts'
import type { Store } from '../controller/store/store.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { createMetrics } from '../system/metrics.ts'

/** The id of the control plane in every benchmark. */
export const CONTROL_PLANE = 'cp-bench'

/** As a control plane at Fly has it. */
const FEED_INTERVAL_MS = 5_000

/** Starts them over the store in a file; with `isFed` machines are looked at every 5 s, as they are at Fly. */
export async function openWorld(path: string, openMachines: () => MachineProvider, isFed = false) {
  const database = openDatabase(path)
  const world = await openWorldOver(openEmbeddedStore({ database }), openMachines, isFed)
  return {
    ...world,
    close: async () => {
      await world.close()
      database.close()
    },
  }
}

/** The same over any store, which it closes. */
export async function openWorldOver(store: Store, openMachines: () => MachineProvider, isFed: boolean) {
  const [clock, entropy, log, metrics] = [realClock, realEntropy, silentLog, createMetrics()]
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
  const provider = openMachines()
  const manager = createManager({
    client,
    clock,
    entropy,
    log,
    metrics,
    events: createRegistryEventSink(registry),
    kinds: KINDS,
  })
  const feed = feedOf(manager, provider)
  addControllers(manager, {
    client,
    clock,
    entropy,
    log,
    bus,
    presence,
    ledger: createMemoryLedger({ clock }),
    provider,
    feed: isFed ? feed : { read: () => undefined },
    namespaces,
    builtinAgentTypes: new Set(['copywriter']),
    defaults: { image: 'bench', regions: ['local'] },
    controlPlaneId: CONTROL_PLANE,
    masterKey: new Uint8Array(32),
    stopTimeoutSeconds: 1,
    coordinatorUrl: () => 'http://127.0.0.1:1',
    lookForAnthropicKey: () => Promise.resolve(undefined),
  })
  await namespaces.ensure('default')
  await ensureBuiltinPlans(client)
  await manager.start()
  if (isFed) feed.start()
  return {
    client,
    manager,
    close: async () => {
      await feed.stop()
      await manager.stop()
      await presence.close()
      await store.close()
    },
  }
}

/** Wakes the sprite whose machine is other than before, as the control plane does. */
function feedOf(manager: Manager, provider: MachineProvider): MachineFeed {
  return createMachineFeed({
    provider,
    clock: realClock,
    log: silentLog,
    tenants: () => manager.cache.list(tenantKind).map((tenant) => tenant.metadata.name),
    intervalMs: FEED_INTERVAL_MS,
    onChange: (tenant, machine, previous) => {
      const sprite = (machine ?? previous)?.owner?.sprite
      if (sprite !== undefined) manager.trigger('sprite', { namespace: tenant, name: sprite })
    },
  })
}
