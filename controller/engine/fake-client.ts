/** A stateful in-memory Client for tests: no schemas, one-shot faults, recorded calls (docs/spec/engine.md, F). */
import { ApiError } from '../api/errors.ts'
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import { formatKey, isDeleting, keyOf, type Key, type KubeObject, type NewObject } from '../api/object.ts'
import type { Client, ListQuery, WatchEvent } from '../client/client.ts'
import type { Clock } from '../../system/clock.ts'
import { timestamp } from '../../system/timestamp.ts'
import { FakeObjects } from './fake-objects.ts'
import { matchesQuery } from './fake-selector.ts'

/** One verb of the Client port. */
export type Verb = keyof Client

/** A call that was made, in order; `key` is absent on lists and watches. */
export type RecordedCall = {
  readonly verb: Verb
  readonly kind: string
  readonly key?: string
  readonly body?: unknown
}

export type FaultOptions = {
  /** Only calls on this kind. */
  readonly kind?: string
  /** How many calls fail; default 1. */
  readonly times?: number
  /** The write is applied all the same and only its answer is lost; default false. */
  readonly isApplied?: boolean
}

/** The Client port, and what a test does to it. */
export type FakeClient = Client & {
  /** Every call so far. */
  readonly calls: readonly RecordedCall[]
  /** Counts of calls by verb since the start or the last `resetCalls`. */
  count(...verbs: readonly Verb[]): number
  resetCalls(): void
  /** How often an object changed: writes that changed nothing are not among them. */
  readonly commits: number
  /** Lets the next call of a verb fail; several are used in order. */
  failNext(verb: Verb, error: Error, options?: FaultOptions): void
  /** Runs once before the next call of a verb, to let another writer come between. */
  beforeNext(verb: Verb, run: () => void | Promise<void>): void
  /** Stores objects as they are: fields that a server sets are filled where missing, status is kept. Not a call. */
  seed(...objects: readonly SeedObject[]): readonly KubeObject[]
  /** Takes an object out at once, finalizers or not. Not a call. */
  vanish(kind: KindDefinition, key: Key): void
  /** The object as it is now, without a call. */
  peek<K extends KindDefinition>(kind: K, key: Key): ObjectOf<K> | undefined
  /** All objects of a kind as they are now, without a call. */
  peekAll<K extends KindDefinition>(kind: K): readonly ObjectOf<K>[]
  /** Ends every watch: without an error, or with this one, such as ApiError Expired. */
  endWatches(error?: Error): void
  /** Forgets the changes so far, so that a watch from before them gets Expired. */
  compact(): void
  /** Sends every watch a bookmark. */
  bookmark(): void
  /** Changes do not reach the watches until called with false: a listener that has fallen silent. */
  muteWatches(isMuted: boolean): void
  /** How many watches are open. */
  readonly openWatches: number
}

export type SeedObject = {
  readonly apiVersion?: string
  readonly kind: string
  readonly metadata: Partial<KubeObject['metadata']> & { readonly name: string }
  readonly spec: unknown
  readonly status?: unknown
}

type Fault = FaultOptions & { readonly verb: Verb; readonly error: Error; left: number }
type OpenWatch = { wake: () => void; ending: { readonly error?: Error } | undefined; bookmarks: number }

/** Builds a fake client. Names from generateName and uids count up, so that a run can be repeated. */
export function createFakeClient(options: { readonly clock: Clock }): FakeClient {
  const { clock } = options
  const objects = new FakeObjects()
  const watches = new Set<OpenWatch>()
  const faults: Fault[] = []
  const hooks: { readonly verb: Verb; readonly run: () => void | Promise<void> }[] = []
  let calls: RecordedCall[] = []
  let commits = 0
  let made = 0
  let isMuted = false
  objects.onChange(() => commits++)

  /** Records a call, lets hooks run and faults strike, then does it. */
  const call = async <T>(
    made: RecordedCall & { readonly signal?: AbortSignal | undefined },
    run: () => T,
  ): Promise<T> => {
    const { signal, ...recorded } = made
    signal?.throwIfAborted()
    calls.push(recorded)
    const hookAt = hooks.findIndex((hook) => hook.verb === made.verb)
    if (hookAt >= 0) await hooks.splice(hookAt, 1)[0]?.run()
    const fault = strike(faults, made)
    if (fault?.isApplied) run()
    if (fault !== undefined) throw fault.error
    return run()
  }

  const current = (kind: KindDefinition, key: Key): KubeObject => {
    const object = objects.get(kind.kind, key)
    if (object === undefined)
      throw new ApiError('NotFound', `${kind.plural} "${formatKey(key)}" not found`, {
        kind: kind.kind,
        name: key.name,
      })
    return object
  }

  const create = (kind: KindDefinition, object: NewObject<unknown>): KubeObject => {
    const { metadata } = object
    const serial = ++made
    const name = metadata.name ?? `${metadata.generateName ?? ''}${serial.toString(36).padStart(5, '0')}`
    if (objects.get(kind.kind, keyOf({ metadata: { ...metadata, name } })) !== undefined)
      throw new ApiError('AlreadyExists', `${kind.plural} "${name}" already exists`, { kind: kind.kind, name })
    // A status that is sent along is dropped, as the status subresource demands.
    const { spec } = structuredClone(object)
    return objects.put(
      kind.kind,
      filled({ ...object, spec, apiVersion: kind.apiVersion, kind: kind.kind }, name, serial),
    )
  }

  const filled = (
    object: SeedObject | (NewObject<unknown> & { kind: string; apiVersion: string }),
    name: string,
    serial: number,
  ): KubeObject => ({
    apiVersion: '',
    ...object,
    metadata: {
      uid: `00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`,
      generation: 1,
      creationTimestamp: timestamp(clock.now()),
      ...structuredClone(object.metadata),
      name,
      resourceVersion: '0',
    },
  })

  const update = (kind: KindDefinition, next: KubeObject): KubeObject => {
    const old = current(kind, keyOf(next))
    expectRevision(old, next.metadata.resourceVersion)
    expectUid(old, next.metadata.uid)
    const { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp } = old.metadata
    const fixed = { uid, resourceVersion, creationTimestamp, generation }
    const { deletionTimestamp: _sent, ...sent } = structuredClone(next.metadata)
    const metadata = { ...sent, ...fixed, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) }
    const { status: _status, ...rest } = structuredClone(next)
    return objects.put(kind.kind, { ...rest, metadata, ...(old.status === undefined ? {} : { status: old.status }) })
  }

  const remove = (kind: KindDefinition, key: Key, preconditions: { uid?: string; resourceVersion?: string }): void => {
    const old = current(kind, key)
    if (preconditions.uid !== undefined) expectUid(old, preconditions.uid)
    expectRevision(old, preconditions.resourceVersion)
    if ((old.metadata.finalizers ?? []).length === 0) {
      objects.remove(kind.kind, old)
    } else if (!isDeleting(old)) {
      objects.put(kind.kind, { ...old, metadata: { ...old.metadata, deletionTimestamp: timestamp(clock.now()) } })
    }
  }

  async function* watch(
    kind: KindDefinition,
    query: ListQuery & { readonly resourceVersion: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<KubeObject>> {
    await call({ verb: 'watch', kind: kind.kind, signal }, () => {})
    let position = objects.positionAfter(Number(query.resourceVersion))
    const open: OpenWatch = { wake: () => {}, ending: undefined, bookmarks: 0 }
    const wake = (): void => open.wake()
    const stopListening = objects.onChange(wake)
    signal.addEventListener('abort', wake, { once: true })
    watches.add(open)
    try {
      for (;;) {
        if (signal.aborted) return
        if (open.ending?.error !== undefined) throw open.ending.error
        if (open.ending !== undefined) return
        const change = isMuted ? undefined : objects.changeAt(position)
        if (change !== undefined) {
          position++
          if (change.object.kind === kind.kind && matchesQuery(change.object, query)) yield change
        } else if (open.bookmarks > 0) {
          open.bookmarks--
          yield { type: 'BOOKMARK', resourceVersion: String(objects.revision) }
        } else {
          await new Promise<void>((resolve) => (open.wake = resolve))
        }
      }
    } finally {
      stopListening()
      signal.removeEventListener('abort', wake)
      watches.delete(open)
    }
  }

  const client = {
    get: (kind: KindDefinition, key: Key, signal?: AbortSignal) =>
      call({ verb: 'get', kind: kind.kind, key: formatKey(key), signal }, () => current(kind, key)),
    list: (kind: KindDefinition, query: ListQuery = {}, signal?: AbortSignal) =>
      call({ verb: 'list', kind: kind.kind, signal }, () => ({
        items: objects.all(kind.kind).filter((object) => matchesQuery(object, query)),
        resourceVersion: String(objects.revision),
      })),
    watch,
    create: (kind: KindDefinition, object: NewObject<unknown>, signal?: AbortSignal) =>
      call({ verb: 'create', kind: kind.kind, ...named(object.metadata), body: object, signal }, () =>
        create(kind, object),
      ),
    update: (kind: KindDefinition, object: KubeObject, signal?: AbortSignal) =>
      call({ verb: 'update', kind: kind.kind, key: formatKey(keyOf(object)), body: object, signal }, () =>
        update(kind, object),
      ),
    patchMetadata: (kind: KindDefinition, key: Key, patch: object, ...rest: PatchRest) =>
      call({ verb: 'patchMetadata', kind: kind.kind, key: formatKey(key), body: patch, signal: rest[1] }, () => {
        const old = current(kind, key)
        expectRevision(old, rest[0]?.resourceVersion)
        // Merged as JSON; the result has the shape that the patch's type demands.
        const metadata = mergePatch(old.metadata, structuredClone(patch)) as KubeObject['metadata']
        return objects.put(kind.kind, { ...old, metadata })
      }),
    patchStatus: (kind: KindDefinition, key: Key, status: object, ...rest: PatchRest) =>
      call({ verb: 'patchStatus', kind: kind.kind, key: formatKey(key), body: status, signal: rest[1] }, () => {
        const old = current(kind, key)
        expectRevision(old, rest[0]?.resourceVersion)
        return objects.put(kind.kind, { ...old, status: mergePatch(old.status ?? {}, structuredClone(status)) })
      }),
    delete: (kind: KindDefinition, key: Key, options: DeleteRest = {}, signal?: AbortSignal) =>
      call({ verb: 'delete', kind: kind.kind, key: formatKey(key), signal }, () =>
        remove(kind, key, options.preconditions ?? {}),
      ),
  }

  const controls = {
    count: (...verbs: readonly Verb[]) => calls.filter((made) => verbs.includes(made.verb)).length,
    resetCalls: () => {
      calls = []
      commits = 0
    },
    failNext: (verb: Verb, error: Error, options: FaultOptions = {}) => {
      faults.push({ ...options, verb, error, left: options.times ?? 1 })
    },
    beforeNext: (verb: Verb, run: () => void | Promise<void>) => {
      hooks.push({ verb, run })
    },
    seed: (...seeds: readonly SeedObject[]) => {
      const before = commits
      const stored = seeds.map((seed) =>
        objects.put(seed.kind, filled(structuredClone(seed), seed.metadata.name, ++made)),
      )
      commits = before
      return stored
    },
    vanish: (kind: KindDefinition, key: Key) => {
      objects.remove(kind.kind, current(kind, key))
    },
    peek: (kind: KindDefinition, key: Key) => objects.get(kind.kind, key),
    peekAll: (kind: KindDefinition) => objects.all(kind.kind),
    endWatches: (error?: Error) => {
      for (const open of watches) {
        open.ending = error === undefined ? {} : { error }
        open.wake()
      }
    },
    compact: () => objects.compact(),
    bookmark: () => {
      for (const open of watches) {
        open.bookmarks++
        open.wake()
      }
    },
    muteWatches: (muted: boolean) => {
      isMuted = muted
      for (const open of watches) open.wake()
    },
  }

  const counters = {
    get calls(): readonly RecordedCall[] {
      return calls
    },
    get commits(): number {
      return commits
    },
    get openWatches(): number {
      return watches.size
    },
  }
  // Objects of a kind have that kind's type because only that kind's callers write them: the fake checks no schema.
  return Object.defineProperties(
    { ...client, ...controls },
    Object.getOwnPropertyDescriptors(counters),
  ) as unknown as FakeClient
}

type PatchRest = readonly [{ readonly resourceVersion?: string }?, AbortSignal?]
type DeleteRest = { readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } }

const named = (metadata: NewObject['metadata']): { key?: string } =>
  metadata.name === undefined ? {} : { key: formatKey(keyOf({ metadata: { ...metadata, name: metadata.name } })) }

function strike(faults: Fault[], made: RecordedCall): Fault | undefined {
  const at = faults.findIndex((fault) => fault.verb === made.verb && (fault.kind ?? made.kind) === made.kind)
  const fault = faults[at]
  if (fault !== undefined && --fault.left <= 0) faults.splice(at, 1)
  return fault
}

function expectRevision(old: KubeObject, resourceVersion: string | undefined): void {
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === old.metadata.resourceVersion)
    return
  throw new ApiError(
    'Conflict',
    `Cannot write "${old.metadata.name}" at version "${resourceVersion}": it is at "${old.metadata.resourceVersion}" now`,
  )
}

function expectUid(old: KubeObject, uid: string): void {
  if (uid !== '' && uid !== old.metadata.uid)
    throw new ApiError(
      'Conflict',
      `Cannot write "${old.metadata.name}" of uid "${uid}": its uid is "${old.metadata.uid}"`,
    )
}

/** RFC 7396: objects merge, null removes, anything else replaces. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const merged = new Map(isRecord(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue
    if (value === null) merged.delete(name)
    else merged.set(name, mergePatch(merged.get(name), value))
  }
  return Object.fromEntries(merged)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
