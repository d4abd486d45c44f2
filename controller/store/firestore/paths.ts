/**
 * Where objects lie in Firestore, and which object lies at a path. Pure.
 *
 *  FDP1 Objects of cluster-scoped kinds lie at `KIND/NAME`, those of a namespace at `tenants/NAMESPACE/KIND/NAME`, leases
 *      of the control plane at `leases/NAME`; KIND is the plural.
 *  FDP2 No two keys share a path, and no two collections a collection group: a plural that a built-in kind has too is
 *      spelled out with its group.
 *  FDP3 Names are checked before a path is built: none can lead into another collection.
 *  FDP4 `keyOfPath` gives the key of a path that `documentPath` would build, and nothing for any other.
 */
import { GROUP } from '../../api/define-kind.ts'
import { isDnsLabel } from '../../api/names.ts'
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import type { StoreKey } from '../store.ts'
import { isFieldName } from './limits.ts'

/** The path of a document, or why there is none. */
export type PathResult = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly fault: string }

const TENANTS = 'tenants'
const LEASES = 'leases.coordination.k8s.io'
const OWN_SUFFIX = `.${GROUP}`
/** Built-in kinds whose collections have their bare plural, as `resourceName` names them. */
const BUILT_IN: ReadonlyMap<string, string> = new Map([
  ['namespaces', 'namespaces'],
  ['events', 'events'],
  ['secrets', 'secrets'],
  ['configmaps', 'configmaps'],
  [LEASES, 'leases'],
])
const BUILT_IN_GROUPS: ReadonlyMap<string, string> = new Map([...BUILT_IN].map(([name, group]) => [group, name]))
/** After the plural of a core kind that we do not serve; no group has it. */
const CORE_MARK = '@core'

const COLLECTION = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const COLLECTION_CHARS_MAX = 253
/** Wider than the API's own rule for names, but without anything that a path could take for its own. */
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$/
const SHOWN_CHARS_MAX = 80

const isPart = (text: string): boolean => isFieldName(text) && NAME.test(text)
const isCollection = (text: string): boolean => text.length <= COLLECTION_CHARS_MAX && COLLECTION.test(text)

/** The collection id (and collection group) of a collection of the store; undefined when it has no right name. */
export function collectionGroupOf(collection: string): string | undefined {
  if (!isCollection(collection)) return undefined
  const builtIn = BUILT_IN.get(collection)
  if (builtIn !== undefined) return builtIn
  if (!collection.includes('.')) return `${collection}${CORE_MARK}`
  const plural = collection.endsWith(OWN_SUFFIX) ? collection.slice(0, -OWN_SUFFIX.length) : ''
  const isShort = plural !== '' && !plural.includes('.') && !BUILT_IN_GROUPS.has(plural)
  return isShort ? plural : collection
}

/** The collection of the store that a collection id stands for; undefined when it is none of ours. */
function collectionOf(group: string): string | undefined {
  const core = group.endsWith(CORE_MARK) ? group.slice(0, -CORE_MARK.length) : undefined
  const collection = BUILT_IN_GROUPS.get(group) ?? core ?? (group.includes('.') ? group : `${group}${OWN_SUFFIX}`)
  return collectionGroupOf(collection) === group ? collection : undefined
}

/** The path of a key's document. */
export function documentPath({ collection, namespace, name }: StoreKey): PathResult {
  const group = collectionGroupOf(collection)
  if (group === undefined) return refused('a collection', collection)
  if (!isPart(name)) return refused('a name', name)
  if (namespace === '' ? collection === LEASES : !isDnsLabel(namespace)) return refused('a namespace', namespace)
  const isAtRoot = namespace === '' || (collection === LEASES && namespace === SYSTEM_NAMESPACE)
  return { ok: true, path: isAtRoot ? `${group}/${name}` : `${TENANTS}/${namespace}/${group}/${name}` }
}

const refused = (what: string, text: string): PathResult => ({
  ok: false,
  fault: `${JSON.stringify(text.slice(0, SHOWN_CHARS_MAX))} cannot be ${what} in Firestore`,
})

/** The key of the object at a path, relative to the database's root; undefined when no object of ours lies there. */
export function keyOfPath(path: string): StoreKey | undefined {
  const parts = path.split('/')
  const [name = '', group = '', namespace = '', root = ''] = parts.toReversed()
  const collection = collectionOf(group)
  if (collection === undefined || ![2, 4].includes(parts.length)) return undefined
  if (parts.length === 4 && root !== TENANTS) return undefined
  const rootNamespace = collection === LEASES ? SYSTEM_NAMESPACE : ''
  const key: StoreKey = { collection, namespace: parts.length === 2 ? rootNamespace : namespace, name }
  const built = documentPath(key)
  return built.ok && built.path === path ? key : undefined
}
