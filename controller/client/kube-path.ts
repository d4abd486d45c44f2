/** Where a kind's collection, object or subresource lies under a Kubernetes API server. Pure. */
import type { ResourceIdentity } from '../api/define-kind.ts'
import { resourceName } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import type { Key } from '../api/object.ts'

type Served = Pick<ResourceIdentity, 'group' | 'version' | 'plural' | 'scope'>

/** The path of a collection; '' is every namespace, and cluster-scoped kinds have none. */
export function collectionPath(kind: Served, namespace: string): string {
  const root =
    kind.group === '' ? `/api/${segment(kind.version)}` : `/apis/${segment(kind.group)}/${segment(kind.version)}`
  const within = kind.scope === 'Cluster' || namespace === '' ? '' : `/namespaces/${nameSegment(kind, namespace)}`
  return `${root}${within}/${segment(kind.plural)}`
}

/**
 * The path of an object. Throws NotFound for a name that names nothing: an empty one would be the whole collection,
 * one of dots or with a slash another path.
 */
export function objectPath(kind: Served, key: Key, subresource?: 'status'): string {
  if (kind.scope === 'Namespaced' && key.namespace === '') throw notFound(kind, key.name)
  const path = `${collectionPath(kind, key.namespace)}/${nameSegment(kind, key.name)}`
  return subresource === undefined ? path : `${path}/${subresource}`
}

const segment = (text: string): string => encodeURIComponent(text)

function nameSegment(kind: Served, name: string): string {
  // Go servers look for slashes after decoding: an escaped one would still be a border.
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name)) throw notFound(kind, name)
  return segment(name)
}

const notFound = (kind: Served, name: string): ApiError =>
  new ApiError('NotFound', `${resourceName(kind)} "${name}" not found`, {
    name,
    kind: kind.plural,
    ...(kind.group === '' ? {} : { group: kind.group }),
  })
