/** What the fake client keeps: objects by kind, the changes since the start, and who watches them. */
import { ApiError } from '../api/errors.ts'
import { formatKey, isDeleting, keyOf, type Key, type KubeObject, type ObjectMeta } from '../api/object.ts'
import { jsonEqual } from '../api/patches.ts'

/** One change of one object, at the revision in its metadata; `previous` is the object before it. */
export type FakeChange = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
}

/** How many changes are kept for watches; what is older is gone, as with a real server. */
const CHANGES_MAX = 100_000

/** The objects of all kinds under one counter of revisions. */
export class FakeObjects {
  readonly #byKind = new Map<string, Map<string, KubeObject>>()
  readonly #changes: FakeChange[] = []
  readonly #listeners = new Set<() => void>()
  /** Changes that were dropped from the front. */
  #dropped = 0
  #droppedRevision = 0
  #revision = 1

  get revision(): number {
    return this.#revision
  }

  get(kind: string, key: Key): KubeObject | undefined {
    return this.#byKind.get(kind)?.get(formatKey(key))
  }

  /** All objects of a kind, by namespace and name. */
  all(kind: string): KubeObject[] {
    const entries = [...(this.#byKind.get(kind) ?? new Map<string, KubeObject>())]
    return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object)
  }

  /** Stores an object with the next revision and its next generation, unless nothing would change; frozen. */
  put(kind: string, next: KubeObject): KubeObject {
    const old = this.get(kind, keyOf(next))
    const metadata = { ...withoutEmpty(next.metadata), generation: nextGeneration(old, next) }
    if (old !== undefined && jsonEqual({ ...next, metadata }, old)) return old
    if (old !== undefined && isDeleting(next) && (next.metadata.finalizers ?? []).length === 0) {
      return this.remove(kind, { ...next, metadata })
    }
    return this.#commit(kind, old === undefined ? 'ADDED' : 'MODIFIED', { ...next, metadata })
  }

  /** Takes an object out; its last form carries the revision of its end. */
  remove(kind: string, object: KubeObject): KubeObject {
    return this.#commit(kind, 'DELETED', object)
  }

  /** The position of the first change after a revision; Expired when changes after it are gone. */
  positionAfter(revision: number): number {
    if (revision < this.#droppedRevision)
      throw new ApiError('Expired', `Cannot watch from version "${revision}": it is too old`)
    const at = this.#changes.findIndex((change) => Number(change.object.metadata.resourceVersion) > revision)
    return this.#dropped + (at < 0 ? this.#changes.length : at)
  }

  /** The change at a position; undefined when there is none yet; Expired when it is gone. */
  changeAt(position: number): FakeChange | undefined {
    if (position < this.#dropped) throw new ApiError('Expired', 'The watch was too slow: list anew')
    return this.#changes[position - this.#dropped]
  }

  /** Forgets all changes so far: a watch from before gets Expired. */
  compact(): void {
    this.#drop(this.#changes.length)
  }

  /** Calls back after each change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #drop(count: number): void {
    const last = this.#changes.splice(0, count).at(-1)
    if (last === undefined) return
    this.#dropped += count
    this.#droppedRevision = Number(last.object.metadata.resourceVersion)
  }

  #commit(kind: string, type: FakeChange['type'], object: KubeObject): KubeObject {
    const metadata: ObjectMeta = { ...object.metadata, resourceVersion: String(++this.#revision) }
    const stored = deepFreeze({ ...object, metadata })
    const objects = this.#byKind.get(kind) ?? new Map<string, KubeObject>()
    this.#byKind.set(kind, objects)
    const previous = objects.get(formatKey(keyOf(stored)))
    if (type === 'DELETED') objects.delete(formatKey(keyOf(stored)))
    else objects.set(formatKey(keyOf(stored)), stored)
    this.#changes.push({ type, object: stored, previous })
    if (this.#changes.length > CHANGES_MAX) this.#drop(CHANGES_MAX / 2)
    for (const listener of this.#listeners) listener()
    return stored
  }
}

/** Moves on changes outside metadata and status, and when deletion begins. */
function nextGeneration(old: KubeObject | undefined, next: KubeObject): number {
  if (old === undefined) return 1
  const rest = ({ metadata: _metadata, status: _status, ...others }: KubeObject): object => others
  const beginsToGo = isDeleting(next) && !isDeleting(old)
  return old.metadata.generation + (beginsToGo || !jsonEqual(rest(next), rest(old)) ? 1 : 0)
}

/** Empty maps and lists of metadata are not kept, as in Kubernetes. */
function withoutEmpty(metadata: ObjectMeta): ObjectMeta {
  const { labels, annotations, finalizers, ownerReferences, ...rest } = metadata
  const kept = Object.entries({ labels, annotations, finalizers, ownerReferences })
  return { ...rest, ...Object.fromEntries(kept.filter(([, value]) => Object.keys(value ?? {}).length > 0)) }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) deepFreeze(part)
  return value
}
