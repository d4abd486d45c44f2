/** The objects of one kind as they were last seen, indexed by namespace; never goes back to an older version. Pure. */
import { formatKey, keyOf, type Key, type KubeObject } from '../api/object.ts'
import { compareRevisions } from './wakes.ts'

/** What happened to an object. */
export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** What a change did to the cache; for DELETED `object` is the last form and `previous` the one before. */
export type CacheChange = {
  readonly type: ChangeType
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

const NONE: readonly KubeObject[] = []

/** Objects by key. Lists are made once and kept until something in them changes. */
export class ObjectCache {
  readonly #objects = new Map<string, KubeObject>()
  readonly #byNamespace = new Map<string, Map<string, KubeObject>>()
  readonly #lists = new Map<string, readonly KubeObject[]>()
  #all: readonly KubeObject[] | undefined = NONE
  #resourceVersion = '0'

  get size(): number {
    return this.#objects.size
  }

  /** Everything up to this version has been taken in. */
  get resourceVersion(): string {
    return this.#resourceVersion
  }

  get(key: Key): KubeObject | undefined {
    return this.#objects.get(formatKey(key))
  }

  /** All objects, or those of a namespace; the array is shared and must not be changed. */
  list(namespace?: string): readonly KubeObject[] {
    if (namespace === undefined) return (this.#all ??= [...this.#objects.values()])
    const known = this.#lists.get(namespace)
    if (known !== undefined) return known
    const objects = this.#byNamespace.get(namespace)
    if (objects === undefined) return NONE
    const list = [...objects.values()]
    this.#lists.set(namespace, list)
    return list
  }

  /** Moves on to a version that has been taken in; never back. */
  advance(resourceVersion: string): void {
    if (compareRevisions(resourceVersion, this.#resourceVersion) > 0) this.#resourceVersion = resourceVersion
  }

  /**
   * Takes a version of an object in; undefined when it says nothing new: it is not newer than what is here, or it is
   * not here although everything up to its version was taken in, which means that it was deleted since.
   */
  put(object: KubeObject): CacheChange | undefined {
    const previous = this.get(keyOf(object))
    return this.#putNewerThan(previous?.metadata.resourceVersion ?? this.#resourceVersion, object, previous)
  }

  /** Takes a deletion in; undefined when the object is not here or is another one of the same name. */
  remove(object: KubeObject): CacheChange | undefined {
    const previous = this.get(keyOf(object))
    if (previous === undefined || previous.metadata.uid !== object.metadata.uid) return undefined
    this.#delete(previous)
    return { type: 'DELETED', object, previous }
  }

  /**
   * Takes a list in, as it stood at a version: what is newer here than the list stays, what is missing there goes.
   * A list from before what was taken in already brings nothing back that was deleted since.
   */
  replace(items: readonly KubeObject[], resourceVersion: string): CacheChange[] {
    const changes: CacheChange[] = []
    const listed = new Set<string>()
    const isStale = compareRevisions(resourceVersion, this.#resourceVersion) < 0
    for (const item of items) {
      listed.add(formatKey(keyOf(item)))
      const previous = this.get(keyOf(item))
      // A list that is up to date also brings what a watch has failed to tell.
      const known = previous?.metadata.resourceVersion ?? (isStale ? this.#resourceVersion : '0')
      const change = this.#putNewerThan(known, item, previous)
      if (change !== undefined) changes.push(change)
    }
    for (const [id, object] of this.#objects) {
      if (listed.has(id) || compareRevisions(object.metadata.resourceVersion, resourceVersion) > 0) continue
      this.#delete(object)
      changes.push({ type: 'DELETED', object, previous: object })
    }
    this.advance(resourceVersion)
    return changes
  }

  #putNewerThan(known: string, object: KubeObject, previous: KubeObject | undefined): CacheChange | undefined {
    if (compareRevisions(object.metadata.resourceVersion, known) <= 0) return undefined
    this.#set(object)
    return { type: previous === undefined ? 'ADDED' : 'MODIFIED', object, previous }
  }

  #set(object: KubeObject): void {
    const { namespace, name } = keyOf(object)
    const inNamespace = this.#byNamespace.get(namespace) ?? new Map<string, KubeObject>()
    this.#byNamespace.set(namespace, inNamespace)
    inNamespace.set(name, object)
    this.#objects.set(formatKey(keyOf(object)), object)
    this.#forgetLists(namespace)
  }

  #delete(object: KubeObject): void {
    const { namespace, name } = keyOf(object)
    const inNamespace = this.#byNamespace.get(namespace)
    inNamespace?.delete(name)
    if (inNamespace?.size === 0) this.#byNamespace.delete(namespace)
    this.#objects.delete(formatKey(keyOf(object)))
    this.#forgetLists(namespace)
  }

  #forgetLists(namespace: string): void {
    this.#all = undefined
    this.#lists.delete(namespace)
  }
}
