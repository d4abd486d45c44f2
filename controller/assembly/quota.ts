/** The quota of a control plane, by its settings; and the client of the product API, whose callers it binds. */
import type { Client } from '../client/client.ts'
import { createLocalClient } from '../client/local.ts'
import { ConfigError, type Environment } from '../config.ts'
import { objectLimits } from '../kinds/object-limits.ts'
import { createQuota, type Quota } from '../registry/quota.ts'
import type { Registry } from '../registry/registry.ts'
import type { Store } from '../store/store.ts'

/** The limits on the objects of tenants. Throws ConfigError when the setting cannot be read. */
export function tenantQuota(environment: Pick<Environment, 'TENANT_OBJECT_LIMITS'>, store: Pick<Store, 'list'>): Quota {
  const limits = objectLimits(environment.TENANT_OBJECT_LIMITS)
  if (!limits.ok) throw new ConfigError(`Check the environment variable TENANT_OBJECT_LIMITS: ${limits.error}`)
  return createQuota({ store, limits: limits.value.counts, bytesMax: limits.value.bytesMax })
}

/** For whom the product API writes: apps, which are no part of the control plane. */
const PRODUCT_ACTOR = { name: 'system:product-api', groups: [] } as const

/** The client of the product API: what apps submit counts against the quota. */
export const productClient = (registry: Registry): Client =>
  createLocalClient(registry, { actor: PRODUCT_ACTOR, fieldManager: 'product-api' })
