/** Answers for a collection whose objects never change while the process lives: reads and watches, no writes. */
import type { Clock } from '../../system/clock.ts'
import { fingerprint } from '../api/digest.ts'
import { keyOf, type Key, type KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { decodeContinue, encodeContinue } from '../registry/continue-token.ts'
import { predicateOf, revisionOf } from '../registry/read.ts'
import { badRequest, notFound } from '../registry/refusals.ts'
import type { RegistryEvent, RegistryList, RegistryListOptions, RegistryWatchOptions } from '../registry/registry.ts'
import { expired } from '../registry/store-errors.ts'
import type { View } from '../registry/views.ts'
import { BOOKMARK_INTERVAL_MS, bookmarkOf, INITIAL_EVENTS_END } from '../registry/watch-hub.ts'

/** A view that can be read and watched. */
export type ReadableView = View & Required<Pick<View, 'watch'>>

/** What a fixed collection is made from; resourceVersions are put in here. */
export type FixedCollectionOptions = {
  readonly resource: ResourceDefinition
  readonly objects: readonly KubeObject[]
  readonly clock: Clock
}

/**
 * The view of objects that stay as they are. Their resourceVersion follows from what they are: it is the same after a
 * restart, and another one when a newer control plane has other objects, so that watches of before list again.
 */
export function fixedCollection({ resource, objects, clock }: FixedCollectionOptions): ReadableView {
  const revision = revisionOfContent(objects)
  const items = objects.map((object) => stamped(object, revision)).sort(byKey)
  const byName = new Map(items.map((item) => [keyText(keyOf(item)), item]))

  const selected = (options: RegistryListOptions | RegistryWatchOptions): readonly KubeObject[] => {
    const isSelected = predicateOf(resource, options)
    return items.filter((item) => isWithin(item, options) && isSelected(item))
  }

  async function get(key: Key): Promise<KubeObject> {
    const found = byName.get(keyText(resource.scope === 'Cluster' ? { ...key, namespace: '' } : key))
    if (found === undefined) throw notFound(resource, key.name)
    return found
  }

  async function list(options: RegistryListOptions = {}): Promise<RegistryList> {
    const wanted = revisionOf(options.resourceVersion)
    if (options.resourceVersionMatch === 'Exact' && wanted !== revision) throw expired()
    return pageOf(selected(options), options, revision)
  }

  function watch(options: RegistryWatchOptions, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    const wanted = revisionOf(options.resourceVersion)
    const isFromStart = wanted === undefined || options.sendInitialEvents === true
    const current = selected(options).map((object): RegistryEvent => ({ type: 'ADDED', object }))
    const events = isFromStart ? current : []
    const annotations = { [INITIAL_EVENTS_END]: 'true' }
    if (options.sendInitialEvents === true) events.push(bookmarkOf(resource, { revision, annotations }))
    const isStale = !isFromStart && wanted !== revision
    return eventsOf({ events, isStale, allowBookmarks: options.allowBookmarks ?? false }, signal)
  }

  async function* eventsOf(
    of: { readonly events: readonly RegistryEvent[]; readonly isStale: boolean; readonly allowBookmarks: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<RegistryEvent, void, undefined> {
    if (of.isStale) throw expired()
    for (const event of of.events) {
      if (signal.aborted) return
      yield event
    }
    while (!signal.aborted) {
      await pause(of.allowBookmarks ? BOOKMARK_INTERVAL_MS : undefined, clock, signal)
      if (!signal.aborted) yield bookmarkOf(resource, { revision })
    }
  }

  return { resource, get, list, watch }
}

/** Within what a store may count to; never 0, which means any. */
const revisionOfContent = (objects: readonly KubeObject[]): number =>
  1 + Number.parseInt(fingerprint(objects).slice(0, 8), 16)

const stamped = (object: KubeObject, revision: number): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: String(revision) },
})

const keyText = ({ namespace, name }: Key): string => `${namespace}/${name}`

const byKey = (a: KubeObject, b: KubeObject): number => (keyText(keyOf(a)) < keyText(keyOf(b)) ? -1 : 1)

function isWithin(
  object: KubeObject,
  { namespace = '', within }: Pick<RegistryListOptions, 'namespace' | 'within'>,
): boolean {
  const key = keyOf(object)
  if (namespace !== '' && key.namespace !== namespace) return false
  return within === undefined || within.has(key.namespace === '' ? key.name : key.namespace)
}

function pageOf(selected: readonly KubeObject[], options: RegistryListOptions, revision: number): RegistryList {
  const after = afterOf(options.continue, revision)
  const rest = after === undefined ? selected : selected.filter((item) => keyText(keyOf(item)) > keyText(after))
  const limit = options.limit ?? 0
  const items = limit > 0 ? rest.slice(0, limit) : rest
  const last = items.at(-1)
  const page = { items, resourceVersion: String(revision) }
  if (items.length === rest.length || last === undefined) return page
  const isCounted = (options.labelSelector ?? '') === '' && (options.fieldSelector ?? '') === ''
  return {
    ...page,
    continue: encodeContinue({ revision, after: keyOf(last) }),
    ...(isCounted && options.within === undefined ? { remainingItemCount: rest.length - items.length } : {}),
  }
}

function afterOf(token: string | undefined, revision: number): Key | undefined {
  if (token === undefined || token === '') return undefined
  const read = decodeContinue(token)
  if (!read.ok) throw badRequest(read.error)
  if (read.value.revision !== revision) throw expired()
  return read.value.after
}

/** Resolves after `delayMs` (absent: never) or when the signal aborts; leaves no timer. */
function pause(delayMs: number | undefined, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      cancel?.()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = delayMs === undefined ? undefined : clock.after(delayMs, done, { background: true })
    signal.addEventListener('abort', done, { once: true })
  })
}
