/** The real Tenant controller, for tenants that are being deleted alone: standing ones have the limits that a story gives them. */
import { isDeleting } from '../../controller/api/object.ts'
import type { Client } from '../../controller/client/client.ts'
import type { Manager } from '../../controller/engine/manager.ts'
import { DONE, type ControllerOptions } from '../../controller/engine/types.ts'
import { tenantController } from '../../controller/kinds/tenant/reconcile.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import type { MachineProvider } from '../../controller/providers/machines.ts'
import type { TestClock } from '../../system/test-clock.ts'

/** What it stands on; `namespaces` outlives a crash. */
export type RemovalOptions = {
  readonly client: Client
  readonly clock: TestClock
  readonly manager: Manager
  readonly provider: MachineProvider
  readonly namespaces: Set<string>
}

/** To be added to the manager before its start. */
export function removalController(options: RemovalOptions): ControllerOptions {
  const { client, clock, manager, provider, namespaces } = options
  const whole = tenantController({
    client,
    clock,
    cache: manager.cache,
    recorder: manager.recorder,
    // Apps are made at the first create here.
    provider: { removeTenant: (...ask) => provider.removeTenant(...ask) },
    ledger: { read: () => Promise.resolve({ spent: 0, reserved: 0 }) },
    spawnCount: () => 0,
    lookForAnthropicKey: () => Promise.resolve(undefined),
    wakeTenant: (name) => manager.trigger('tenant', { namespace: '', name }),
    namespaces: {
      ensure: async (name) => void namespaces.add(name),
      remove: async (name) => void namespaces.delete(name),
      standing: async (name) => (namespaces.has(name) ? 'Own' : 'Absent'),
    },
  })
  return {
    ...whole,
    reconcile: async (key, signal) => {
      const tenant = manager.cache.get(tenantKind, { namespace: '', name: key.name })
      return tenant !== undefined && isDeleting(tenant) ? await whole.reconcile(key, signal) : DONE
    },
  }
}
