/** Opens what everything else of a control plane stands on: the store with its ledger, bus, presence, personas, objects. */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { createMemoryBus } from '../bus/memory.ts'
import { createPresence } from '../bus/presence-tracker.ts'
import { createLocalClient } from '../client/local.ts'
import type { Environment } from '../config.ts'
import { createManager, type Manager } from '../engine/manager.ts'
import { createRegistryEventSink } from '../engine/registry-ports.ts'
import { KINDS } from '../kinds/kinds.ts'
import { RESOURCES } from '../kinds/index.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { createEmbeddedLedger } from '../ledger/embedded.ts'
import { loadPersonas } from '../persona-folder.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { openDatabase } from '../store/database.ts'
import { openEmbeddedStore } from '../store/embedded.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { attentivePresence } from './attentive-presence.ts'
import { openAudit } from './audit.ts'
import { openDataFolder, openIdentity, refuseLostStore } from './data-folder.ts'
import { createNamespaces, makeTenantNamespace } from './namespaces.ts'
import { tenantQuota } from './quota.ts'
import { createForecast, machineDefaults } from './forecast.ts'
import { createFreezeWord, type FreezeWord } from './freeze.ts'
import { encryptSecrets } from './secrets-at-rest.ts'
import type { Undo } from './undo.ts'

/** What the foundations are opened with. */
export type FoundationOptions = {
  readonly dataFolder: string
  readonly personasFolder: string
  readonly environment: Environment
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
}

/** What is open once `openFoundations` has resolved. */
export type Foundations = Awaited<ReturnType<typeof openFoundations>>

/** Opens the data folder and what lies in it. `undo` closes all of it. Rejects when anything cannot be opened. */
export async function openFoundations(options: FoundationOptions, undo: Undo) {
  const { clock, entropy, log, environment } = options
  const paths = await openDataFolder(options.dataFolder)
  await refuseLostStore(paths)
  const database = openDatabase(paths.store)
  undo.add(() => database.close())
  const metrics = createMetrics({ process: true })
  // After the store, whose lock says that no other control plane writes here.
  const audit = openAudit(environment, { path: paths.auditLog, clock, entropy, log, metrics })
  undo.add(() => audit.close())
  const identity = await openIdentity(paths, entropy, environment)
  const personas = await loadPersonas(options.personasFolder)
  const masterKey = Buffer.from(identity.masterKey, 'hex')
  const storeAtRest = openEmbeddedStore({ database, log })
  const store = encryptSecrets(storeAtRest, { environment, masterKey, entropy, log })
  undo.add(() => store.close())
  const ledger = createEmbeddedLedger({ database, clock })
  undo.add(() => ledger.close())
  const bus = createMemoryBus({ log })
  undo.add(() => bus.close())
  const presence = attentivePresence(await createPresence({ bus, clock }), clock)
  undo.add(() => presence.close())
  return {
    clock,
    entropy,
    log,
    environment,
    paths,
    identity,
    personas,
    store,
    storeAtRest,
    ledger,
    bus,
    presence,
    metrics,
    audit,
    builtinAgentTypes: new Set(personas.keys()),
    masterKey,
  }
}

/** The objects of a control plane: how they are written, read, and watched over. */
export type Objects = Omit<ReturnType<typeof openObjects>, 'freezeWord'> & { readonly freezeWord?: FreezeWord }

/** Makes registry, client and manager over the store; nothing runs yet. */
export function openObjects(base: Foundations) {
  const { clock, entropy, log, metrics, store, builtinAgentTypes } = base
  const freezeWord = createFreezeWord(base.environment)
  const registry = createRegistry({
    store,
    resources: [...CORE_RESOURCES, ...RESOURCES],
    clock,
    entropy,
    builtinAgentTypes,
    makeNamespace: (name) => makeTenantNamespace(client, namespaces, name),
    quota: tenantQuota(base.environment, base.storeAtRest),
    forecast: createForecast({
      manager: () => manager,
      clock,
      builtinAgentTypes,
      defaults: machineDefaults(base.environment),
      frozenBy: freezeWord.frozenBy,
    }),
    log,
    metrics,
  })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'sprites-controller' })
  const namespaces = createNamespaces(registry)
  const manager: Manager = createManager({
    client,
    clock,
    entropy,
    log,
    metrics,
    events: createRegistryEventSink(registry),
    kinds: KINDS,
    weightOf: (tenant) => manager.cache.get(tenantKind, { namespace: '', name: tenant })?.status?.limits?.priority ?? 1,
  })
  return { registry, client, namespaces, manager, freezeWord }
}
