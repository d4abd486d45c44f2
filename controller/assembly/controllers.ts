/** Assembles every controller over one manager: the list of what reconciles what. */
import type { Presence } from '../bus/presence.ts'
import type { Bus } from '../bus/bus.ts'
import type { Client } from '../client/client.ts'
import { mintToken } from '../coordinator/tokens.ts'
import type { Manager } from '../engine/manager.ts'
import type { Ownership } from '../engine/ownership.ts'
import { accessTokenController } from '../kinds/accesstoken/reconcile.ts'
import { personaKind } from '../kinds/persona/schema.ts'
import { personaController } from '../kinds/persona/reconcile.ts'
import { planController } from '../kinds/plan/reconcile.ts'
import { projectController } from '../kinds/project/reconcile.ts'
import { reviewController } from '../kinds/review/reconcile.ts'
import { slotController } from '../kinds/slotledger/reconcile.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../kinds/slotledger/schema.ts'
import { createDestroyBrake } from '../kinds/sprite/brake.ts'
import { collectorController } from '../kinds/sprite/collect-reconcile.ts'
import type { MachineDefaults } from '../kinds/sprite/machine-spec.ts'
import type { MachineFeed } from '../kinds/sprite/observe.ts'
import { spriteController } from '../kinds/sprite/reconcile.ts'
import { SPRITE_DEADLINES } from '../kinds/sprite/world.ts'
import type { Namespaces } from '../kinds/tenant/observe.ts'
import type { LookForAnthropicKey } from '../kinds/tenant/anthropic-key.ts'
import { tenantController } from '../kinds/tenant/reconcile.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { userController } from '../kinds/user/reconcile.ts'
import { dispatchController } from '../kinds/work/dispatch-reconcile.ts'
import { workExpiryController } from '../kinds/work/expiry-reconcile.ts'
import { workController } from '../kinds/work/reconcile.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { MachineProvider } from '../providers/machines.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'

/** Everything that the controllers need of the process. */
export type ControllerPorts = {
  readonly client: Client
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly bus: Bus
  readonly presence: Presence
  readonly ledger: Ledger
  readonly provider: MachineProvider
  readonly feed: MachineFeed
  readonly namespaces: Namespaces
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly defaults: MachineDefaults
  readonly controlPlaneId: string
  readonly masterKey: Uint8Array
  /** Seconds between SIGTERM and SIGKILL at a stop. */
  readonly stopTimeoutSeconds: number
  /** Where machines reach the Coordinator; known once it listens. */
  readonly coordinatorUrl: () => string
  readonly lookForAnthropicKey: LookForAnthropicKey
  /** Who has frozen a tenant's machines, in words; undefined when nobody has. */
  readonly frozenBy?: (tenant: string) => string | undefined
  /** Which tenants are this process's; absent where it has all. */
  readonly shards?: Ownership
  /** The collector of stray machines only tells what it would destroy. */
  readonly isDryRun?: boolean
}

/** What this control plane has lost sight of for good ends by itself after so long; what it has not is made anew. */
const SPRITE_LIFE_MS = 14 * 86_400_000

/** Adds every controller to the manager. */
export function addControllers(manager: Manager, ports: ControllerPorts): void {
  const { cache, recorder } = manager
  const common = { ...ports, cache, recorder, machines: ports.feed, brake: createDestroyBrake() }
  const personaExists = (tenant: string, agentType: string): boolean =>
    ports.builtinAgentTypes.has(agentType) ||
    (cache.get(personaKind, { namespace: tenant, name: agentType }) !== undefined &&
      cache.get(tenantKind, { namespace: '', name: tenant })?.status?.limits?.customPersonas === true)
  const spawnCount = (tenant: string, month: string): number => {
    const spawned = cache.get(slotLedgerKind, { namespace: tenant, name: SLOT_LEDGER_NAME })?.status?.spawned
    return spawned?.month === month ? spawned.count : 0
  }
  const wakeTenant = (name: string): void => manager.trigger('tenant', { namespace: '', name })
  const bootEnv = (identity: Parameters<typeof mintToken>[1]) => ({
    SPRITE_COORDINATOR_URL: ports.coordinatorUrl(),
    SPRITE_TENANT: identity.tenant,
    SPRITE_NAME: identity.sprite,
    SPRITE_UID: identity.uid,
    SPRITE_INCARNATION: String(identity.incarnation),
    SPRITE_TOKEN: mintToken(ports.masterKey, identity),
    SPRITE_DEADLINE_MS: String(ports.clock.now() + SPRITE_LIFE_MS),
    SPRITE_STOP_TIMEOUT_MS: String(ports.stopTimeoutSeconds * 1_000),
  })
  manager.add(planController(common))
  manager.add(tenantController({ ...common, spawnCount, wakeTenant }))
  manager.add(userController(common))
  manager.add(accessTokenController(common))
  manager.add(personaController(common))
  manager.add(projectController(common))
  manager.add(spriteController({ ...common, personaExists, bootEnv, deadlines: SPRITE_DEADLINES }))
  manager.add(slotController(common))
  manager.add(workController(common))
  manager.add(dispatchController(common))
  manager.add(workExpiryController(common))
  manager.add(reviewController(common))
  manager.add(collectorController(common))
}
