/** Runs the controllers and the Coordinator over the objects of a Kubernetes cluster, without an API server of our own. */
import { hostname } from 'node:os'
import { resourceName } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { kubeClientOver } from '../client/kube.ts'
import { createKubeRegistry } from '../client/kube-registry.ts'
import { createKubeWire, type KubeWire } from '../client/kube-wire.ts'
import { ConfigError, rolesOf, type Environment } from '../config.ts'
import { createElector, type Elector } from '../engine/lease.ts'
import { createRegistryLeasePort } from '../engine/registry-ports.ts'
import { RESOURCES } from '../kinds/index.ts'
import { ensureBuiltinPlans } from '../kinds/plan/builtin.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import type { MachineFeed } from '../providers/machine-feed.ts'
import { CORE_RESOURCES, namespaceResource } from '../registry/core.ts'
import { secretResource } from '../registry/secrets.ts'
import { createTokenSet } from '../server/tokens.ts'
import { randomHex } from '../../system/entropy.ts'
import { openAccess } from './access.ts'
import { watchAnthropicKeys } from './anthropic-keys.ts'
import { openCoordinator, openServer, type ApiParts } from './apis.ts'
import { appTokenSecrets } from './app-token-secrets.ts'
import { pollChanges, type ChangeSource, type Touched } from './change-source.ts'
import { createClusterNamespaces } from './cluster-namespaces.ts'
import { clusterSource } from './cluster-source.ts'
import type { ControlPlane } from './control-plane.ts'
import { openDoor, type DoorOptions } from './door.ts'
import { openFoundations, type FoundationOptions, type Foundations, type Objects } from './foundations.ts'
import { openFreeze, type Freeze } from './freeze.ts'
import { openMachines } from './machines.ts'
import { logPreflight } from './preflight.ts'
import { openControllers, runControllers } from './run-controllers.ts'
import { openShare, wholeShare } from './shards.ts'
import { openSpriteUsers } from './sprite-users.ts'
import { whileLeading } from './standby.ts'
import { createUndo, type Undo } from './undo.ts'
import { wireControllers } from './wire-controllers.ts'

/** What a control plane over a cluster is started with. */
export type ClusterOptions = DoorOptions &
  FoundationOptions & {
    /** Aborts the wait for the lease. */
    readonly signal?: AbortSignal
    /** Told once when another process took the lease, or it could not be renewed: nothing is reconciled any more. */
    readonly onLost: () => void
  }

/** The lease that the controllers hold while they work. */
const LEASE_NAME = 'sprites-controller'
/** Between two looks at what is not watched: our own namespace for a freeze, Secrets that tenants refer to. */
const LOOK_MS = 30_000
const FIELD_MANAGER = 'sprites-controller'

/**
 * Starts them; resolves when all caches are filled. Processes without a common Redis take turns: then, with the role
 * `controller`, it resolves when the lease is held, and until then /readyz says that it stands by. Rejects when anything cannot be opened or the signal aborts, after closing the rest.
 */
export async function startClusterControllers(options: ClusterOptions): Promise<ControlPlane> {
  const undo = createUndo()
  try {
    return await start(options, undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

/** The objects of a control plane whose store is a cluster; nothing runs yet. */
function openClusterObjects(base: Foundations, wire: KubeWire): Objects {
  const { clock, entropy } = base
  const resources = [...CORE_RESOURCES, ...RESOURCES]
  const registry = createKubeRegistry({ wire, resources, fieldManager: FIELD_MANAGER, clock, entropy })
  const client = kubeClientOver(wire, { fieldManager: FIELD_MANAGER, clock, entropy })
  base.recount.use(client)
  // Over a ledger of its own one process leads, and has all tenants; over a common one processes share them.
  const share = isSharing(base.environment) ? openShare({ ...base, registry }) : wholeShare()
  const manager = openControllers({ ...base, client, registry, share })
  return { registry, client, namespaces: createClusterNamespaces(registry), manager, share }
}

async function start(options: ClusterOptions, undo: Undo): Promise<ControlPlane> {
  const environment = withoutApi(options.environment)
  const source = clusterSource(environment, 'STORE is "cluster"')
  const base = await openFoundations({ ...options, environment }, undo)
  const wire = createKubeWire(source, base.clock)
  undo.add(() => wire.close())
  const objects = openClusterObjects(base, wire)
  const isLed = rolesOf(environment).has('controller') && !isSharing(environment)
  const elector = isLed ? electorOf(base, objects) : undefined
  const machines = await openMachines({
    ...base,
    controlPlaneId: base.identity.controlPlaneId,
    appTokens: appTokenSecrets(objects.registry),
    lease: elector ?? objects.share,
  })
  undo.add(() => machines.close())
  const parts = { ...base, ...objects, machines, elector }
  await checkServed(objects.registry)
  // Our lease, and the tokens of platform admins and apps, lie there.
  await objects.namespaces.ensure(SYSTEM_NAMESPACE)
  const door = await openApis(parts, options, undo)
  if (elector !== undefined) await lead(elector, options, undo)
  await begin({ ...parts, coordinatorUrl: () => environment.COORDINATOR_URL ?? door.httpUrl }, undo)
  void logPreflight(environment, base)
  base.log.info({ httpUrl: door.httpUrl }, 'control plane over a cluster is up')
  const isRehearsal = environment.ANTHROPIC_API_KEY === undefined
  const kubeconfig = environment.KUBECONFIG ?? door.kubeconfig
  return { client: objects.client, manager: objects.manager, ...door, kubeconfig, isRehearsal, stop: undo.run }
}

/** Says at once what would otherwise be waited for without end. Throws ConfigError. */
async function checkServed(registry: Objects['registry']): Promise<void> {
  for (const resource of RESOURCES) {
    try {
      await registry.list(resource, { limit: 1 })
    } catch (error) {
      const name = resourceName(resource)
      if (hasReason(error, 'NotFound'))
        throw new ConfigError(`Install crds/ first, the cluster does not serve "${name}"`, { cause: error })
      if (hasReason(error, 'Forbidden'))
        throw new ConfigError(`Grant the rights of docs/cluster.md first, the cluster does not let us list "${name}"`, {
          cause: error,
        })
      throw error
    }
  }
}

/** The API of the objects is the cluster's own; ours, beside it, would be a way around the cluster's rights. */
function withoutApi(environment: Environment): Environment {
  const roles = [...rolesOf(environment)].filter((role) => role !== 'api')
  if (roles.length > 0) return { ...environment, ROLES: roles.join(',') }
  throw new ConfigError('Give ROLES coordinator or controller: the API of STORE "cluster" is the cluster’s own')
}

/** Whether processes share the tenants: for that they need one ledger and one bus, which are on Redis. */
const isSharing = ({ REDIS_URL: url }: Pick<Environment, 'REDIS_URL'>): boolean => url !== undefined

function electorOf({ clock, log, entropy }: Foundations, { registry }: Objects): Elector {
  return createElector({
    port: createRegistryLeasePort(registry),
    clock,
    log,
    namespace: SYSTEM_NAMESPACE,
    name: LEASE_NAME,
    identity: `${hostname()}_${randomHex(entropy, 8)}`,
  })
}

type ClusterParts = ApiParts & { readonly elector: Elector | undefined }

/** Opens what sprites, apps and probes ask: the Coordinator, health and metrics. */
async function openApis(parts: ClusterParts, options: ClusterOptions, undo: Undo) {
  const { environment, elector, identity, masterKey } = parts
  const hasCoordinator = rolesOf(environment).has('coordinator')
  const spriteUsers = hasCoordinator ? await openSpriteUsers(parts, undo) : undefined
  const coordinator = hasCoordinator ? whileLeading(openCoordinator({ ...parts, spriteUsers }), elector) : undefined
  undo.add(async () => coordinator?.close())
  const tokens = createTokenSet()
  // Apps come in by the AccessTokens that lie in the cluster, with the roles that these and Users give.
  const access = await openAccess(parts, undo)
  const server = openServer({ ...parts, coordinator, tokens, access })
  undo.add(() => server.close())
  return await openDoor({
    ...parts,
    server,
    tokens,
    options,
    lastHttpPort: identity.httpPort,
    sharedKey: masterKey,
  })
}

/** Waits until the lease is held; tells when it is lost before the end. */
async function lead(elector: Elector, { onLost, signal }: ClusterOptions, undo: Undo): Promise<void> {
  let isEnding = false
  elector.onChange((isLeader) => {
    if (isLeader || isEnding) return
    isEnding = true
    onLost()
  })
  undo.add(() => {
    isEnding = true
    return elector.stop()
  })
  elector.start()
  await elector.whenLeader(signal)
}

type Beginning = ClusterParts & { readonly coordinatorUrl: () => string }

/** Starts what runs by itself, in the order in which each needs the others. Garbage and old events are the cluster's to remove. */
async function begin(parts: Beginning, undo: Undo): Promise<void> {
  const feed = rolesOf(parts.environment).has('controller') ? await openFeed(parts, undo) : undefined
  if (feed !== undefined) await ensureBuiltinPlans(parts.client)
  await runControllers({ ...parts, feed }, undo)
}

/** Adds the controllers, with the freeze and the keys that they look at. */
async function openFeed(parts: Beginning, undo: Undo): Promise<MachineFeed> {
  const changes = looks(parts, undo)
  const freeze: Freeze = openFreeze({ ...parts, store: changes })
  undo.add(freeze.close)
  const feed = wireControllers({ ...parts, freeze }, parts.coordinatorUrl)
  await freeze.load()
  undo.add(watchAnthropicKeys(changes, parts.manager))
  return feed
}

/** Our own namespace, and the Secrets that tenants refer to, again and again. */
function looks({ clock, manager }: ApiParts, undo: Undo): ChangeSource {
  const touched = (): readonly Touched[] => [
    { record: { collection: resourceName(namespaceResource), namespace: '', name: SYSTEM_NAMESPACE } },
    ...manager.cache.list(tenantKind).flatMap(({ metadata, spec }) => {
      const name = spec.config.anthropicKeySecretRef?.name
      const collection = resourceName(secretResource)
      return name === undefined ? [] : [{ record: { collection, namespace: metadata.name, name } }]
    }),
  ]
  const polled = pollChanges({ clock, intervalMs: LOOK_MS, touched })
  undo.add(polled.close)
  return polled
}
