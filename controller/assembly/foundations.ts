/** Opens what everything else of a control plane stands on: the store with its ledger, bus, presence, personas, objects. */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import type { DatabaseSync } from 'node:sqlite'
import { createMemoryBus } from '../bus/memory.ts'
import { createPresence } from '../bus/presence-tracker.ts'
import { createLocalClient } from '../client/local.ts'
import type { Environment } from '../config.ts'
import type { Manager } from '../engine/manager.ts'
import { RESOURCES } from '../kinds/index.ts'
import { createEmbeddedLedger } from '../ledger/embedded.ts'
import { loadPersonas } from '../persona-folder.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { openDatabase } from '../store/database.ts'
import { openEmbeddedStore } from '../store/embedded.ts'
import { createMemoryStore } from '../store/memory.ts'
import type { Store } from '../store/store.ts'
import { assert } from '../../system/assert.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { attentivePresence } from './attentive-presence.ts'
import { openAudit } from './audit.ts'
import { lateRecount, openFirestore, openRedisBus, openRedisLedger, type BackendPorts } from './backends.ts'
import { openDataFolder, openIdentity, refuseLostStore, type DataPaths } from './data-folder.ts'
import { createNamespaces, makeTenantNamespace } from './namespaces.ts'
import { tenantQuota } from './quota.ts'
import { createForecast, machineDefaults } from './forecast.ts'
import { createFreezeWord, type FreezeWord } from './freeze.ts'
import { encryptSecrets } from './secrets-at-rest.ts'
import { openControllers } from './run-controllers.ts'
import { openShare } from './shards.ts'
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

/** Opens what the settings name: the store, the ledger, the bus. `undo` closes all of it. Rejects when anything cannot be opened. */
export async function openFoundations(options: FoundationOptions, undo: Undo) {
  const { clock, entropy, log, environment } = options
  const paths = await openDataFolder(options.dataFolder)
  const metrics = createMetrics({ process: true })
  const database = await openFile(paths, environment, undo)
  // After the store, whose lock says that no other control plane writes here.
  const audit = openAudit(environment, { path: paths.auditLog, clock, entropy, log, metrics })
  undo.add(() => audit.close())
  const identity = await openIdentity(paths, entropy, environment)
  const personas = await loadPersonas(options.personasFolder)
  const masterKey = Buffer.from(identity.masterKey, 'hex')
  const ports = { clock, entropy, log, metrics, environment, controlPlaneId: identity.controlPlaneId }
  const storeAtRest = await openStore(ports, database, undo)
  const store = encryptSecrets(storeAtRest, { environment, masterKey, entropy, log })
  undo.add(() => store.close())
  const recount = lateRecount()
  const hasRedis = environment.REDIS_URL !== undefined
  const ledger = hasRedis
    ? await openRedisLedger({ ...ports, recount }, undo)
    : createEmbeddedLedger({ database: needed(database), clock })
  undo.add(() => ledger.close())
  const bus = hasRedis ? await openRedisBus(ports, undo) : createMemoryBus({ log })
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
    recount,
    bus,
    presence,
    metrics,
    audit,
    builtinAgentTypes: new Set(personas.keys()),
    masterKey,
  }
}

/** The file of the data folder; undefined where neither objects nor the ledger lie in it. */
async function openFile(paths: DataPaths, environment: Environment, undo: Undo): Promise<DatabaseSync | undefined> {
  if (environment.STORE !== 'embedded' && environment.REDIS_URL !== undefined) return undefined
  if (environment.STORE === 'embedded') await refuseLostStore(paths)
  const database = openDatabase(paths.store)
  undo.add(() => database.close())
  return database
}

async function openStore(ports: BackendPorts, database: DatabaseSync | undefined, undo: Undo): Promise<Store> {
  if (ports.environment.STORE === 'firestore') return await openFirestore(ports, undo)
  // The cluster has the objects: what is built over a store here is asked for nothing.
  if (ports.environment.STORE === 'cluster') return createMemoryStore({ log: ports.log })
  return openEmbeddedStore({ database: needed(database), log: ports.log })
}

function needed(database: DatabaseSync | undefined): DatabaseSync {
  // The settings ask for a Redis where there is no file.
  assert(database, 'A store without a file has its ledger on Redis')
  return database
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
  base.recount.use(client)
  const share = openShare({ ...base, registry })
  const namespaces = createNamespaces(registry)
  const manager: Manager = openControllers({ ...base, client, registry, share })
  return { registry, client, namespaces, manager, freezeWord, share }
}
