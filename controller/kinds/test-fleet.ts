/** A fleet for tests: the seven small controllers on a running engine with a fake client and a clock that stands still. */
import type { KubeObject } from '../api/object.ts'
import { createFakeClient } from '../engine/fake-client.ts'
import { createManager } from '../engine/manager.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import { TEST_AGENT_TYPES } from './object-builders.ts'
import { accessTokenController } from './accesstoken/reconcile.ts'
import { personaController } from './persona/reconcile.ts'
import { planController } from './plan/reconcile.ts'
import { projectController } from './project/reconcile.ts'
import { reviewController } from './review/reconcile.ts'
import type { MachinePicture } from '../providers/machine-pictures.ts'
import type { MachineProvider } from '../providers/machines.ts'
import type { AnthropicKeyFault } from './tenant/anthropic-key.ts'
import { tenantController } from './tenant/reconcile.ts'
import { userController } from './user/reconcile.ts'

/** What a provider with apps is, to a tenant. */
export type Place = Partial<Pick<MachineProvider, 'ensureTenant' | 'standing' | 'removeTenant'>>

/** Builds it, not started; namespaces, tokens and provider are the plain values in `outside`. */
export function createFleet(startMs?: number, place: (clock: TestClock) => Place = () => ({})) {
  const clock = new TestClock(startMs)
  const client = createFakeClient({ clock })
  const metrics = createMetrics()
  const manager = createManager({ client, clock, entropy: seededEntropy(1), log: silentLog, metrics })
  const outside = {
    namespaces: new Set<string>(),
    takenNamespaces: new Set<string>(),
    balance: { spent: 0, reserved: 0 },
    spawned: 0,
    frozenBy: undefined as string | undefined,
    anthropicKeyFault: undefined as AnthropicKeyFault | undefined,
    removedAtProvider: [] as string[],
    providerError: undefined as Error | undefined,
    events: [] as string[],
    /** Messages of the events that warn. */
    warnings: [] as string[],
    picture: undefined as MachinePicture | undefined,
  }
  const ports = {
    client,
    clock,
    cache: manager.cache,
    recorder: {
      event: (object: KubeObject, type: string, reason: string, message: string) => {
        outside.events.push(`${type} ${object.kind} ${reason}`)
        if (type === 'Warning') outside.warnings.push(message)
      },
    },
    builtinAgentTypes: TEST_AGENT_TYPES,
    ledger: { read: () => Promise.resolve(outside.balance) },
    spawnCount: () => outside.spawned,
    lookForAnthropicKey: () => Promise.resolve(outside.anthropicKeyFault),
    wakeTenant: (name: string) => manager.trigger('tenant', { namespace: '', name }),
    namespaces: {
      ensure: async (name: string) => void outside.namespaces.add(name),
      remove: async (name: string) => void outside.namespaces.delete(name),
      standing: async (name: string) =>
        outside.takenNamespaces.has(name) ? 'Taken' : outside.namespaces.has(name) ? 'Own' : 'Absent',
    },
    frozenBy: () => outside.frozenBy,
    feed: { read: () => outside.picture },
    provider: {
      removeTenant: async (tenant: string) => {
        if (outside.providerError !== undefined) throw outside.providerError
        outside.removedAtProvider.push(tenant)
        return undefined
      },
      ...place(clock),
    },
  }
  const controllers = [
    planController(ports),
    tenantController(ports),
    userController(ports),
    accessTokenController(ports),
    personaController(ports),
    projectController(ports),
    reviewController(ports),
  ]
  for (const controller of controllers) manager.add(controller)
  const settle = async (): Promise<void> => {
    await manager.whenIdle()
    await clock.advance(100)
    await manager.whenIdle()
  }
  return { clock, client, manager, outside, settle }
}
