/** Decides where a list or watch may look, from what is asked for and what the caller may see. Pure. */
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** All namespaces, and that of cluster-scoped objects; no namespace has the empty name. */
export const EVERYWHERE = ''

/** What narrows a collection. */
export type Bounds = { readonly namespace?: string; readonly within?: ReadonlySet<string> }

/**
 * The namespaces to look into, in the store's order; EVERYWHERE is one look at all. A namespace that is not among them
 * is never read, whatever a continue token says.
 */
export function placesOf(resource: Pick<ResourceDefinition, 'scope'>, { namespace, within }: Bounds): string[] {
  if (within === undefined || resource.scope === 'Cluster') return [namespace ?? EVERYWHERE]
  if (namespace === undefined || namespace === EVERYWHERE) return [...within].sort()
  return within.has(namespace) ? [namespace] : []
}

/** Whether a cluster-scoped object may be seen; a namespaced one may, where its place is looked into. */
export function isWithin(
  resource: Pick<ResourceDefinition, 'scope'>,
  { within }: Bounds,
): (object: KubeObject) => boolean {
  if (within === undefined || resource.scope !== 'Cluster') return () => true
  return (object) => within.has(object.metadata.name)
}

/** Whether a place is, or takes in, a namespace. */
export const isIn = (place: string, namespace: string): boolean => place === EVERYWHERE || place === namespace
