/** A stateful in-memory Client for tests: no schemas, one-shot faults, recorded calls (docs/spec/engine.md, EF). */
import { ApiError } from '../api/errors.ts'
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import { formatKey, keyOf, type Key, type KubeObject, type NewObject } from '../api/object.ts'
import { selectorPredicate } from '../api/selectors.ts'
import type { Client, DeleteOptions, ListQuery, WatchEvent } from '../client/client.ts'
import type { Clock } from '../../system/clock.ts'
import { FakeCalls, type FaultOptions, type RecordedCall, type Verb } from './fake-calls.ts'
import { FakeObjects } from './fake-objects.ts'
import { FakeWatches } from './fake-watches.ts'
import { createFakeWrites, type AtRevision, type FakeWrites, type SeedObject } from './fake-writes.ts'

/** What a test does to the fake, and reads from it; none of it counts as a call. */
export type FakeControls = {
  /** Every call since the start or the last `resetCalls`. */
  readonly calls: readonly RecordedCall[]
  /** How many calls of these verbs there were. */
  count(...verbs: readonly Verb[]): number
  /** Forgets the calls and commits so far. */
  resetCalls(): void
  /** How often an object changed by a call or vanished: writes that changed nothing are not among them. */
  readonly commits: number
  /** Lets the next call of a verb fail; several are used in order. */
  failNext(verb: Verb, error: Error, options?: FaultOptions): void
  /** Runs once before the next call of a verb, to let another writer come between. */
  beforeNext(verb: Verb, run: () => void | Promise<void>): void
  /** Stores objects as they are: what a server sets is filled where missing, status is kept. */
  seed(...objects: readonly SeedObject[]): readonly KubeObject[]
  /** Takes an object out at once, finalizers or not. */
  vanish(kind: KindDefinition, key: Key): void
  /** The object as it is now. */
  peek<K extends KindDefinition>(kind: K, key: Key): ObjectOf<K> | undefined
  /** All objects of a kind as they are now, by namespace and name. */
  peekAll<K extends KindDefinition>(kind: K): readonly ObjectOf<K>[]
  /** Ends every watch: without an error, or with this one, such as ApiError Expired. */
  endWatches(error?: Error): void
  /** Forgets the changes so far, so that a watch from before them gets Expired. */
  compact(): void
  /** Sends every watch a bookmark. */
  bookmark(): void
  /** Changes reach no watch until called with false: a listener that has fallen silent. */
  muteWatches(isMuted: boolean): void
  /** How many watches are open. */
  readonly openWatches: number
}

export type { FaultOptions, RecordedCall, Verb } from './fake-calls.ts'
export type { SeedObject } from './fake-writes.ts'

export type FakeClient = Client & FakeControls

/** Builds a fake client. Names from generateName and uids count up, so that a run can be repeated. */
export function createFakeClient(options: { readonly clock: Clock }): FakeClient {
  const objects = new FakeObjects()
  const calls = new FakeCalls()
  const watches = new FakeWatches(objects)
  const writes = createFakeWrites(objects, options.clock)
  const parts: Parts = { objects, calls, watches, writes }
  const controls = controlsOver(parts)
  // Objects of a kind have that kind's type because only that kind's callers write them: the fake checks no schema.
  return Object.defineProperties(clientOver(parts), Object.getOwnPropertyDescriptors(controls)) as unknown as FakeClient
}

type Parts = {
  readonly objects: FakeObjects
  readonly calls: FakeCalls
  readonly watches: FakeWatches
  readonly writes: FakeWrites
}

function clientOver({ objects, calls, watches, writes }: Parts): Record<Verb, unknown> {
  return {
    get: (kind: KindDefinition, key: Key, signal?: AbortSignal) =>
      calls.make(callOf('get', kind, key), signal, () => writes.current(kind, key)),
    list: (kind: KindDefinition, query: ListQuery = {}, signal?: AbortSignal) =>
      calls.make({ verb: 'list', kind: kind.kind }, signal, () => ({
        items: objects.all(kind.kind).filter(selectionOf(kind, query)),
        resourceVersion: String(objects.revision),
      })),
    async *watch(
      kind: KindDefinition,
      query: ListQuery & { readonly resourceVersion: string },
      signal: AbortSignal,
    ): AsyncIterable<WatchEvent<KubeObject>> {
      const isSelected = await calls.make({ verb: 'watch', kind: kind.kind }, signal, () => selectionOf(kind, query))
      yield* watches.from(query.resourceVersion, isSelected, signal)
    },
    create: (kind: KindDefinition, object: NewObject, signal?: AbortSignal) =>
      calls.make(callOf('create', kind, keyOfNew(object), object), signal, () => writes.create(kind, object)),
    update: (kind: KindDefinition, object: KubeObject, signal?: AbortSignal) =>
      calls.make(callOf('update', kind, keyOf(object), object), signal, () => writes.update(kind, object)),
    patchMetadata: (kind: KindDefinition, key: Key, patch: object, at?: AtRevision, signal?: AbortSignal) =>
      calls.make(callOf('patchMetadata', kind, key, patch), signal, () =>
        writes.patchMetadata(kind, key, { ...at, patch }),
      ),
    patchStatus: (kind: KindDefinition, key: Key, status: object, at?: AtRevision, signal?: AbortSignal) =>
      calls.make(callOf('patchStatus', kind, key, status), signal, () =>
        writes.patchStatus(kind, key, { ...at, status }),
      ),
    delete: (kind: KindDefinition, key: Key, how: DeleteOptions = {}, signal?: AbortSignal) =>
      calls.make(callOf('delete', kind, key), signal, () => writes.remove(kind, key, how)),
  }
}

function controlsOver({ objects, calls, watches, writes }: Parts): object {
  let commits = 0
  objects.onChange(() => commits++)
  return {
    get calls() {
      return calls.made
    },
    get commits() {
      return commits
    },
    get openWatches() {
      return watches.size
    },
    count: (...verbs: readonly Verb[]) => calls.made.filter((call) => verbs.includes(call.verb)).length,
    resetCalls: () => {
      calls.reset()
      commits = 0
    },
    failNext: (...fault: Parameters<FakeCalls['failNext']>) => calls.failNext(...fault),
    beforeNext: (...hook: Parameters<FakeCalls['beforeNext']>) => calls.beforeNext(...hook),
    seed: (...seeds: readonly SeedObject[]) => {
      const before = commits
      const stored = seeds.map((seed) => writes.seed(seed))
      commits = before
      return stored
    },
    vanish: (kind: KindDefinition, key: Key) => {
      objects.remove(kind.kind, writes.current(kind, key))
    },
    peek: (kind: KindDefinition, key: Key) => objects.get(kind.kind, key),
    peekAll: (kind: KindDefinition) => objects.all(kind.kind),
    endWatches: (error?: Error) => watches.end(error),
    compact: () => objects.compact(),
    bookmark: () => watches.bookmark(),
    muteWatches: (isMuted: boolean) => watches.mute(isMuted),
  }
}

function selectionOf(kind: KindDefinition, query: ListQuery): (object: KubeObject) => boolean {
  const selected = selectorPredicate(query, kind.selectableFields ?? [])
  if (!selected.ok) throw new ApiError('BadRequest', selected.error.message)
  const { namespace = '' } = query
  return (object) =>
    object.kind === kind.kind && (namespace === '' || object.metadata.namespace === namespace) && selected.value(object)
}

const callOf = (verb: Verb, kind: KindDefinition, key?: Key, body?: unknown): RecordedCall => ({
  verb,
  kind: kind.kind,
  ...(key === undefined ? {} : { key: formatKey(key) }),
  ...(body === undefined ? {} : { body }),
})

const keyOfNew = ({ metadata }: NewObject): Key | undefined =>
  metadata.name === undefined ? undefined : keyOf({ metadata: { ...metadata, name: metadata.name } })
