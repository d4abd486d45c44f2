/** Reads for the Coordinator: from the cache where a late answer does no harm, from the client where it would. */
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import type { Key } from '../api/object.ts'
import type { Reader } from '../client/client.ts'
import { tenantKind, type Tenant } from '../kinds/tenant/schema.ts'
import { workKind, type Work } from '../kinds/work/schema.ts'
import { CoordinatorError } from './fault.ts'
import type { CoordinatorPorts } from './ports.ts'

type Lookup<K extends KindDefinition> = { readonly kind: K; readonly key: Key; readonly signal: AbortSignal }

/** The object as it is now; undefined when there is none. Other errors are thrown on. */
export async function getOrNothing<K extends KindDefinition>(
  client: Reader,
  lookup: Lookup<K>,
): Promise<ObjectOf<K> | undefined> {
  try {
    return await client.get(lookup.kind, lookup.key, lookup.signal)
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  }
}

/** The object as the cache has it, else as it is now. */
export async function getCached<K extends KindDefinition>(
  ports: Pick<CoordinatorPorts, 'client' | 'cache'>,
  lookup: Lookup<K>,
): Promise<ObjectOf<K> | undefined> {
  return ports.cache?.get(lookup.kind, lookup.key) ?? (await getOrNothing(ports.client, lookup))
}

/** The tenant; throws Unavailable when it cannot be found, which passes while it is being made. */
export async function readTenant(ports: CoordinatorPorts, name: string, signal: AbortSignal): Promise<Tenant> {
  const tenant = await getCached(ports, { kind: tenantKind, key: { namespace: '', name }, signal })
  if (tenant === undefined) throw new CoordinatorError('Unavailable', `Try again later, there is no tenant "${name}"`)
  return tenant
}

/** A work of the tenant as it is now; undefined when there is none. */
export const readWork = (
  ports: CoordinatorPorts,
  key: { readonly tenant: string; readonly work: string },
  signal: AbortSignal,
): Promise<Work | undefined> =>
  getOrNothing(ports.client, { kind: workKind, key: { namespace: key.tenant, name: key.work }, signal })
