/** The real Sprite, Work, slot, dispatch and collector controllers over one manager, as every simulation runs them. */
import type { PresenceRecord } from '../../controller/bus/presence.ts'
import type { FakeClient } from '../../controller/engine/fake-client.ts'
import type { Client } from '../../controller/client/client.ts'
import { createManager, type Manager } from '../../controller/engine/manager.ts'
import { isFrozen, TENANT_FINALIZER } from '../../controller/kinds/marks.ts'
import { planKind } from '../../controller/kinds/plan/schema.ts'
import { projectKind } from '../../controller/kinds/project/schema.ts'
import { reviewKind } from '../../controller/kinds/review/schema.ts'
import { slotController } from '../../controller/kinds/slotledger/reconcile.ts'
import { slotLedgerKind } from '../../controller/kinds/slotledger/schema.ts'
import { createDestroyBrake } from '../../controller/kinds/sprite/brake.ts'
import { collectorController } from '../../controller/kinds/sprite/collect-reconcile.ts'
import type { MachineDefaults } from '../../controller/kinds/sprite/machine-spec.ts'
import type { MachineFeed } from '../../controller/kinds/sprite/observe.ts'
import { spriteController } from '../../controller/kinds/sprite/reconcile.ts'
import { spriteKind } from '../../controller/kinds/sprite/schema.ts'
import { SPRITE_DEADLINES } from '../../controller/kinds/sprite/world.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import { dispatchController } from '../../controller/kinds/work/dispatch-reconcile.ts'
import { workController } from '../../controller/kinds/work/reconcile.ts'
import { workKind } from '../../controller/kinds/work/schema.ts'
import type { MachineProvider } from '../../controller/providers/machines.ts'
import type { Entropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { momentOf, wallTimeOf } from '../../system/moment.ts'
import type { TestClock } from '../../system/test-clock.ts'

/** Id of the control plane of every fleet here. */
export const CONTROL_PLANE = 'cp-test'

/** What the controllers of a simulation stand on. */
export type ControllersOptions = {
  readonly client: Client
  readonly clock: TestClock
  readonly entropy: Entropy
  readonly provider: MachineProvider
  readonly feed: MachineFeed
  readonly presence: ReadonlyMap<string, PresenceRecord>
  readonly defaults: MachineDefaults
  readonly isDryRun: boolean
  readonly personaExists: (tenant: string, agentType: string) => boolean
}

/** A manager with all of them, not started. */
export function simulatedManager(options: ControllersOptions): Manager {
  const { client, clock, entropy, feed, presence } = options
  const started = momentOf(clock)
  const manager = createManager({
    client,
    clock,
    entropy,
    log: silentLog,
    metrics: createMetrics(),
    relistMs: 0,
    kinds: [spriteKind, workKind, tenantKind, planKind, slotLedgerKind, projectKind, reviewKind],
    stopGraceMs: 0,
  })
  const bus = {
    publish: async () => {},
    subscribe: async () => async () => {},
    deafUntilMs: () => 0,
    close: async () => {},
  }
  const common = {
    ...options,
    cache: manager.cache,
    bus,
    recorder: manager.recorder,
    machines: feed,
    frozenBy: (name: string) => {
      const tenant = manager.cache.get(tenantKind, { namespace: '', name })
      return tenant !== undefined && isFrozen(tenant) ? 'the test' : undefined
    },
    controlPlaneId: CONTROL_PLANE,
    brake: createDestroyBrake(),
  }
  manager.add(
    spriteController({
      ...common,
      presence: {
        read: (tenant, sprite) => presence.get(`${tenant}/${sprite}`),
        get listeningSinceMs() {
          return wallTimeOf(started, clock)
        },
        onChange: () => () => {},
      },
      deadlines: SPRITE_DEADLINES,
      bootEnv: () => ({}),
      stopTimeoutSeconds: 5,
    }),
  )
  manager.add(slotController(common))
  manager.add(workController(common))
  manager.add(dispatchController(common))
  manager.add(collectorController({ ...common, log: silentLog }))
  return manager
}

/** A tenant as its own controller would have left it, with these limits. */
export function seedTenant(
  client: FakeClient,
  name: string,
  limits: { readonly concurrentSprites: number; readonly retentionSeconds: number },
): void {
  client.seed({
    apiVersion: tenantKind.apiVersion,
    kind: 'Tenant',
    metadata: { name, finalizers: [TENANT_FINALIZER] },
    spec: { displayName: name, plan: 'starter', config: {}, brand: {}, suspend: false },
    status: {
      namespace: name,
      limits: {
        concurrentSprites: limits.concurrentSprites,
        spriteIdleTimeoutSeconds: 30,
        priority: 1,
        priorityRouting: true,
        customPersonas: false,
        stoppedMachineRetentionSeconds: limits.retentionSeconds,
        guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
      },
    },
  })
}
