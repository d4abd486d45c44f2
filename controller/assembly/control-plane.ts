/** Assembles one whole control plane in this process, starts it in order and stops it in order. */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { createMemoryBus } from '../bus/memory.ts'
import { createPresence } from '../bus/presence-tracker.ts'
import type { Client } from '../client/client.ts'
import { createLocalClient } from '../client/local.ts'
import type { Environment } from '../config.ts'
import { createCoordinator } from '../coordinator/coordinator.ts'
import { createProductApi } from '../coordinator/product.ts'
import { anthropicUpstream } from '../coordinator/gateway/anthropic.ts'
import { rehearsalUpstream } from '../coordinator/gateway/rehearsal.ts'
import { DEFAULT_SETTINGS } from '../coordinator/ports.ts'
import { createManager, type Manager } from '../engine/manager.ts'
import { createRegistryEventSink } from '../engine/registry-ports.ts'
import { KINDS } from '../kinds/kinds.ts'
import { RESOURCES } from '../kinds/index.ts'
import { ensureBuiltinPlans } from '../kinds/plan/builtin.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { createEmbeddedLedger } from '../ledger/embedded.ts'
import { loadPersonas } from '../persona-folder.ts'
import { createMachineFeed } from '../providers/machine-feed.ts'
import { createGarbageCollector } from '../registry/collector.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { createEventExpiry } from '../registry/expiry.ts'
import { createApiServer } from '../server/server.ts'
import { createTokenSet } from '../server/tokens.ts'
import { openDatabase } from '../store/database.ts'
import { openEmbeddedStore } from '../store/embedded.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { addControllers } from './controllers.ts'
import { openDataFolder, readIdentity, writeIdentity } from './data-folder.ts'
import { openDoor, type DoorOptions } from './door.ts'
import { refusedAtDoor } from './front-door.ts'
import { routeLog } from './log-route.ts'
import { openMachines } from './machines.ts'
import { createNamespaces, makeTenantNamespace } from './namespaces.ts'
import { createUndo } from './undo.ts'

/** What a control plane is started with. */
export type ControlPlaneOptions = DoorOptions & {
  readonly dataFolder: string
  readonly personasFolder: string
  readonly environment: Environment
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
}

/** A running control plane; `stop` ends all of it. */
export type ControlPlane = {
  readonly client: Client
  readonly manager: Manager
  readonly httpsUrl: string
  readonly httpUrl: string
  readonly kubeconfig: string
  /** Whether the rehearsal model answers because no key is set. */
  readonly isRehearsal: boolean
  /** Ends everything, sprites first; leaves no process behind. Safe to call twice. */
  readonly stop: () => Promise<void>
}

/** Between two looks at a tenant's machines, in ms: seldom where the emulator tells by itself. */
const FEED_INTERVAL_MS = { emulated: 5_000, fly: 5_000 } as const

/** Starts all of it. Rejects when anything cannot be opened, after closing what had been opened. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const undo = createUndo()
  try {
    return await start(options, undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

async function start(options: ControlPlaneOptions, undo: ReturnType<typeof createUndo>): Promise<ControlPlane> {
  const { clock, entropy, log, environment } = options
  const paths = await openDataFolder(options.dataFolder)
  const database = openDatabase(paths.store)
  undo.add(() => database.close())
  const identity = await readIdentity(paths, entropy)
  const personas = await loadPersonas(options.personasFolder)
  const builtinAgentTypes = new Set(personas.keys())
  const metrics = createMetrics({ process: true })
  const store = openEmbeddedStore({ database, log })
  undo.add(() => store.close())
  const ledger = createEmbeddedLedger({ database, clock })
  undo.add(() => ledger.close())
  const bus = createMemoryBus({ log })
  undo.add(() => bus.close())
  const presence = await createPresence({ bus, clock })
  undo.add(() => presence.close())

  const registry = createRegistry({
    store,
    resources: [...CORE_RESOURCES, ...RESOURCES],
    clock,
    entropy,
    builtinAgentTypes,
    makeNamespace: (name) => makeTenantNamespace(client, namespaces, name),
    log,
    metrics,
  })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'sprites-controller' })
  const namespaces = createNamespaces(registry)
  const manager = createManager({
    client,
    clock,
    entropy,
    log,
    metrics,
    events: createRegistryEventSink(registry),
    kinds: KINDS,
    weightOf: (tenant) => manager.cache.get(tenantKind, { namespace: '', name: tenant })?.status?.limits?.priority ?? 1,
  })
  const machines = await openMachines({
    environment,
    paths,
    controlPlaneId: identity.controlPlaneId,
    clock,
    entropy,
    log,
    metrics,
  })
  undo.add(() => machines.close())

  const apiKey = environment.ANTHROPIC_API_KEY
  const settings = {
    ...DEFAULT_SETTINGS,
    ...(environment.SPRITE_MODEL === undefined ? {} : { defaultModel: environment.SPRITE_MODEL }),
  }
  const masterKey = Buffer.from(identity.masterKey, 'hex')
  const coordinator = createCoordinator({
    client,
    cache: manager.cache,
    bus,
    ledger,
    presence,
    recorder: manager.recorder,
    clock,
    entropy,
    log: log.child({ part: 'coordinator' }),
    metrics,
    masterKey,
    personas: (agentType) => personas.get(agentType),
    upstream:
      apiKey === undefined
        ? rehearsalUpstream()
        : anthropicUpstream({ apiKey, baseUrl: environment.ANTHROPIC_BASE_URL, timeoutMs: settings.upstreamTimeoutMs }),
    settings,
  })
  undo.add(() => coordinator.close())

  const tokens = createTokenSet()
  const product = createProductApi({
    client,
    entropy,
    log,
    authenticate: async (token) => {
      const actor = tokens.authenticate(token)
      return actor === undefined ? undefined : { name: actor.name, role: 'admin', tenants: 'all' }
    },
  })
  const server = createApiServer({
    registry,
    authenticate: tokens.authenticate,
    log: log.child({ part: 'api' }),
    metrics,
    clock,
    entropy,
    readiness: () => Promise.resolve(manager.isSynced ? [] : ['The caches are not filled yet']),
    extraRoutes: async (request, response, url) =>
      (await coordinator.route(request, response, url)) ||
      // Sprites prove themselves by their own tokens; people and apps come in as to the API itself.
      (await refusedAtDoor(request, response)) ||
      (await routeLog(
        { client, authenticate: tokens.authenticate, logPath: machines.logPath },
        request,
        response,
        url,
      )) ||
      (await product.route(request, response, url)),
  })
  undo.add(() => server.close())
  const door = await openDoor({ server, tokens, paths, clock, entropy, options, lastHttpPort: identity.httpPort })
  if (door.httpPort !== identity.httpPort) await writeIdentity(paths, { ...identity, httpPort: door.httpPort })

  const feed = createMachineFeed({
    provider: machines.provider,
    clock,
    log,
    tenants: () => manager.cache.list(tenantKind).map((tenant) => tenant.metadata.name),
    intervalMs: machines.isEmulated ? FEED_INTERVAL_MS.emulated : FEED_INTERVAL_MS.fly,
    onChange: (tenant, machine, previous) => {
      const sprite = (machine ?? previous)?.owner?.sprite
      if (sprite !== undefined) manager.trigger('sprite', { namespace: tenant, name: sprite })
      if (machine === undefined) manager.trigger('slots', { namespace: '', name: tenant })
    },
  })
  addControllers(manager, {
    client,
    clock,
    entropy,
    log,
    bus,
    presence,
    ledger,
    provider: machines.provider,
    feed,
    namespaces,
    builtinAgentTypes,
    defaults: { image: environment.SPRITE_IMAGE, regions: environment.FLY_REGIONS.split(',') },
    controlPlaneId: identity.controlPlaneId,
    masterKey,
    stopTimeoutSeconds: machines.stopTimeoutSeconds,
    coordinatorUrl: () => environment.COORDINATOR_URL ?? door.httpUrl,
  })
  presence.onChange((tenant, sprite) => manager.trigger('sprite', { namespace: tenant, name: sprite }))
  machines.onMove((app) =>
    refreshTenantOf(manager, environment.FLY_APP, { app, refresh: (tenant) => feed.refresh(tenant) }),
  )

  // Events of cluster-scoped objects lie there, as in every cluster.
  await namespaces.ensure('default')
  await ensureBuiltinPlans(client)
  const collector = createGarbageCollector({ registry, store, clock, log })
  await collector.start()
  undo.add(() => collector.stop())
  const expiry = createEventExpiry({ registry, clock, log })
  expiry.start()
  undo.add(() => expiry.stop())
  // Sprites go while the Coordinator still answers: they give their work back. Controllers stop before that.
  undo.add(() => machines.close())
  undo.add(() => manager.stop())
  await manager.start()
  feed.start()
  undo.add(() => feed.stop())
  log.info({ httpsUrl: door.httpsUrl, httpUrl: door.httpUrl }, 'control plane is up')
  return { client, manager, ...door, isRehearsal: apiKey === undefined, stop: undo.run }
}

/** Looks at the machines of the tenant whose app moved, at once. */
function refreshTenantOf(
  manager: Manager,
  template: string,
  moved: { readonly app: string; readonly refresh: (tenant: string) => Promise<void> },
): void {
  const tenants = manager.isSynced ? manager.cache.list(tenantKind).map((tenant) => tenant.metadata.name) : []
  for (const tenant of tenants) if (template.replace('{tenant}', tenant) === moved.app) void moved.refresh(tenant)
}
