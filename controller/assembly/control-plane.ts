/** Assembles one whole control plane in this process, starts it in order and stops it in order. */
import type { Client } from '../client/client.ts'
import type { Manager } from '../engine/manager.ts'
import { DEFAULT_NAMESPACE, SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { ensureBuiltinPlans } from '../kinds/plan/builtin.ts'
import type { MachineFeed } from '../providers/machine-feed.ts'
import { createGarbageCollector } from '../registry/collector.ts'
import { createEventExpiry } from '../registry/expiry.ts'
import { createTokenSet } from '../server/tokens.ts'
import { watchAnthropicKeys } from './anthropic-keys.ts'
import { openAccess } from './access.ts'
import { appTokenSecrets } from './app-token-secrets.ts'
import { openCoordinator, openServer, type ApiParts } from './apis.ts'
import { isShared, rolesOf } from '../config.ts'
import { writeIdentity, type Identity } from './data-folder.ts'
import { openSpriteUsers } from './sprite-users.ts'
import { openDoor, type DoorOptions } from './door.ts'
import { openFreeze, type Freeze } from './freeze.ts'
import { openFrontProxy } from './front-proxy.ts'
import { openFoundations, openObjects, type FoundationOptions } from './foundations.ts'
import { openMachines } from './machines.ts'
import { logPreflight } from './preflight.ts'
import { runControllers } from './run-controllers.ts'
import { startResealing } from './secrets-at-rest.ts'
import { whileOurs, type Ending } from './shards.ts'
import { holdStoreIdentity } from './store-identity.ts'
import { createUndo, type Undo } from './undo.ts'
import { wireControllers } from './wire-controllers.ts'

/** What a control plane is started with. */
export type ControlPlaneOptions = DoorOptions & FoundationOptions

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

async function start(options: ControlPlaneOptions, undo: Undo): Promise<ControlPlane> {
  const { environment } = options
  const base = await openFoundations(options, undo)
  const objects = openObjects(base)
  const { clock, entropy, log, paths, identity } = base
  if (isShared(environment)) await holdStore(objects, identity)
  const appTokens = appTokenSecrets(objects.registry)
  const machines = await openMachines({
    ...base,
    controlPlaneId: identity.controlPlaneId,
    appTokens,
    ...(isShared(environment) ? { lease: objects.share } : {}),
  })
  undo.add(() => machines.close())
  const roles = rolesOf(environment)
  const spriteUsers = roles.has('coordinator') ? await openSpriteUsers({ ...base, ...objects }, undo) : undefined
  const coordinator = roles.has('coordinator')
    ? openCoordinator({ ...base, ...objects, machines, spriteUsers })
    : undefined
  undo.add(async () => coordinator?.close())
  const tokens = createTokenSet()
  const access = await openAccess({ ...base, ...objects }, undo)
  const server = openServer({ ...base, ...objects, machines, coordinator, tokens, access })
  undo.add(() => server.close())
  const lastHttpPort = identity.httpPort
  const sharedKey = isShared(environment) ? base.masterKey : undefined
  const frontProxy = await openFrontProxy(base, undo)
  const at = { options, environment, lastHttpPort, sharedKey, frontProxy }
  const door = await openDoor({ server, tokens, paths, clock, entropy, ...at })
  if (sharedKey === undefined && door.httpPort !== identity.httpPort)
    await writeIdentity(paths, { ...identity, httpPort: door.httpPort })
  const { cache } = objects.manager
  // Without controllers there is nobody to wake.
  const trigger: Manager['trigger'] = (...key) => {
    if (roles.has('controller')) objects.manager.trigger(...key)
  }
  const freeze = openFreeze({ ...base, ...objects, manager: { cache, trigger } })
  undo.add(freeze.close)
  const thawing = { ...base, ...objects, machines, freeze }
  const coordinatorUrl = (): string => environment.COORDINATOR_URL ?? door.httpUrl
  const feed = roles.has('controller') ? wireControllers(thawing, coordinatorUrl) : undefined
  await begin({ ...thawing, feed }, undo)
  void logPreflight(environment, base)
  log.info({ httpsUrl: door.httpsUrl, httpUrl: door.httpUrl }, 'control plane is up')
  const isRehearsal = environment.ANTHROPIC_API_KEY === undefined
  return { client: objects.client, manager: objects.manager, ...door, isRehearsal, stop: undo.run }
}

/** Before anything is begun: what a stranger does with another's objects cannot be taken back. Throws ConfigError. */
async function holdStore({ namespaces, registry }: ReturnType<typeof openObjects>, identity: Identity): Promise<void> {
  await namespaces.ensure(SYSTEM_NAMESPACE)
  await holdStoreIdentity(registry, identity)
}

/** Starts what runs by itself, in the order in which each needs the others. */
async function begin(
  parts: ApiParts & { readonly feed: MachineFeed | undefined; readonly freeze: Freeze },
  undo: Undo,
): Promise<void> {
  const { client, namespaces, manager, feed, share } = parts
  // Events of cluster-scoped objects lie there, as in every cluster.
  await namespaces.ensure(DEFAULT_NAMESPACE)
  // Tokens of platform admins lie there.
  await namespaces.ensure(SYSTEM_NAMESPACE)
  await parts.freeze.load()
  await ensureBuiltinPlans(client)
  if (feed !== undefined) {
    undo.add(watchAnthropicKeys(parts.store, manager))
    whileOurs(share, () => beginUpkeep(parts), parts, undo)
  }
  await runControllers({ ...parts, feed }, undo)
}

/** Starts what keeps the store in order, besides the controllers; gives what ends it. */
async function beginUpkeep({ registry, store, clock, log }: ApiParts): Promise<Ending> {
  const undo = createUndo()
  undo.add(startResealing(store, log))
  const collector = createGarbageCollector({ registry, store, clock, log })
  await collector.start()
  undo.add(() => collector.stop())
  const expiry = createEventExpiry({ registry, clock, log })
  expiry.start()
  undo.add(() => expiry.stop())
  return undo.run
}
