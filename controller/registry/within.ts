/** Decides where a list or watch may look, from what is asked for and what the caller may see. Pure. */
import { GROUP, resourceName } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** All namespaces, and that of cluster-scoped objects; no namespace has the empty name. */
export const EVERYWHERE = ''

/** What narrows a collection. */
export type Bounds = { readonly namespace?: string; readonly within?: ReadonlySet<string> }

/** Where events about cluster-scoped objects lie, as in every cluster. */
const CLUSTER_EVENTS_NAMESPACE = 'default'

type Narrowed = Pick<ResourceDefinition, 'scope' | 'group' | 'plural'>

const isEvents = (resource: Narrowed): boolean => resourceName(resource) === 'events'

/**
 * The namespaces to look into, in the store's order; EVERYWHERE is one look at all. A namespace that is not among them
 * is never read, whatever a continue token says. Events about what stands for a namespace lie in another one.
 */
export function placesOf(resource: Narrowed, { namespace, within }: Bounds): string[] {
  if (within === undefined || resource.scope === 'Cluster') return [namespace ?? EVERYWHERE]
  if (namespace === undefined || namespace === EVERYWHERE)
    return [...new Set([...within, ...(isEvents(resource) ? [CLUSTER_EVENTS_NAMESPACE] : [])])].sort()
  return within.has(namespace) ? [namespace] : []
}

/** Whether an object of the places may be seen; undefined where all of them may. */
export function visibilityOf(resource: Narrowed, { within }: Bounds): ((object: KubeObject) => boolean) | undefined {
  if (within === undefined) return undefined
  if (resource.scope === 'Cluster') return (object) => within.has(object.metadata.name)
  if (!isEvents(resource) || within.has(CLUSTER_EVENTS_NAMESPACE)) return undefined
  return (object) => object.metadata.namespace !== CLUSTER_EVENTS_NAMESPACE || isAboutOne(object, within)
}

/** Whether an event is about a Tenant or Namespace of one of the names. */
function isAboutOne(event: object, within: ReadonlySet<string>): boolean {
  const about = 'involvedObject' in event && isJsonObject(event.involvedObject) ? event.involvedObject : {}
  const { apiVersion, kind, name, namespace } = about
  const standsForOne =
    (kind === 'Namespace' && apiVersion === 'v1') ||
    (kind === 'Tenant' && typeof apiVersion === 'string' && apiVersion.startsWith(`${GROUP}/`))
  return standsForOne && (namespace ?? '') === '' && typeof name === 'string' && within.has(name)
}

/** Whether a place is, or takes in, a namespace. */
export const isIn = (place: string, namespace: string): boolean => place === EVERYWHERE || place === namespace
