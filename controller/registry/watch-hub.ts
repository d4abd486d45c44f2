/** Fans the store's changes out to watches: each change is parsed once, and only watches of its namespace see it. */
import type { CancelTimer } from '../../system/clock.ts'
import { resourceName } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Change } from '../store/store.ts'
import type { RegistryOptions } from './ports.ts'
import { deepFreeze, objectOf } from './records.ts'
import { list, revisionOf, selectedWithin } from './read.ts'
import type { RegistryEvent, RegistryWatchOptions } from './registry.ts'
import { apiVersionOf } from './request.ts'
import { expired, fromStore } from './store-errors.ts'
import { Watcher, type Delivery } from './watcher.ts'
import { EVERYWHERE, isIn, placesOf } from './within.ts'

/** How often a watch that allows bookmarks gets one, in ms: its silence then tells a reader that it is dead. */
export const BOOKMARK_INTERVAL_MS = 5_000
const BUFFER_EVENTS_MAX = 10_000
const BUFFER_BYTES_MAX = 16 * 1024 * 1024
/** Annotation of the bookmark that ends the initial events. */
export const INITIAL_EVENTS_END = 'k8s.io/initial-events-end'

/** `places` are the namespaces that it sees; EVERYWHERE is all. */
type Subscription = {
  readonly resource: ResourceDefinition
  readonly places: readonly string[]
  readonly watcher: Watcher
}

/** The watches of one registry; listens to the store only while there are some. */
export class WatchHub {
  readonly #ports: RegistryOptions
  /** Watchers by collection, then by namespace. */
  readonly #watchers = new Map<string, Map<string, Set<Subscription>>>()
  readonly #subscriptions = new Set<Subscription>()
  #unsubscribe: (() => void) | undefined
  #cancelBookmarks: CancelTimer | undefined
  /** Up to which revision every change of a collection has been fanned out; '' is for all of them. Empty at first. */
  readonly #seen = new Map<string, number>()

  constructor(ports: RegistryOptions) {
    this.#ports = ports
  }

  /** Events in order until the signal aborts or the reader stops. Throws BadRequest at once, the rest when read. */
  watch(
    resource: ResourceDefinition,
    options: RegistryWatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<RegistryEvent> {
    revisionOf(options.resourceVersion)
    const watcher = new Watcher({
      isSelected: selectedWithin(resource, options),
      allowBookmarks: options.allowBookmarks ?? false,
      bufferMax: this.#ports.watchBufferMax ?? BUFFER_EVENTS_MAX,
      bufferBytesMax: this.#ports.watchBufferBytesMax ?? BUFFER_BYTES_MAX,
      onSlow: () => this.#noteSlow(resource),
    })
    return this.#events({ resource, places: placesOf(resource, options), watcher }, options, signal)
  }

  async *#events(
    subscription: Subscription,
    options: RegistryWatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<RegistryEvent, void, undefined> {
    const { watcher } = subscription
    if (signal.aborted) return
    const onAbort = (): void => watcher.end()
    signal.addEventListener('abort', onAbort, { once: true })
    // Listening begins before the past is read: what comes twice is told apart by its revision.
    this.#add(subscription)
    try {
      const start = await this.#startOf(subscription, options)
      watcher.start(start.events, start.revision)
      for (let events = await watcher.read(); events !== undefined; events = await watcher.read())
        for (const event of events) {
          if (signal.aborted) return
          yield event
        }
    } finally {
      signal.removeEventListener('abort', onAbort)
      watcher.end()
      this.#remove(subscription)
    }
  }

  /** The events that a watch begins with, and the revision that they speak for. */
  async #startOf(
    subscription: Subscription,
    options: RegistryWatchOptions,
  ): Promise<{ readonly events: readonly RegistryEvent[]; readonly revision: number }> {
    const { resource, watcher } = subscription
    const revision = revisionOf(options.resourceVersion)
    if (revision === undefined || options.sendInitialEvents === true)
      return this.#initialEvents(subscription, { ...options, atLeast: revision ?? 0 })
    const past = await fromStore(resource, '', () =>
      this.#ports.store.changesSince(revision, { collection: resourceName(resource) }),
    )
    // A revision that was never reached here belongs to another store: only a new list helps.
    if (revision > past.revision) throw expired()
    const events = past.changes
      .filter(({ record }) => subscription.places.some((place) => isIn(place, record.namespace)))
      .map((change) => watcher.eventOf(deliveryOf(change, past.revision)))
    return { events: events.filter((event) => event !== undefined), revision: past.revision }
  }

  async #initialEvents(
    { resource }: Subscription,
    options: RegistryWatchOptions & { readonly atLeast: number },
  ): Promise<{ readonly events: readonly RegistryEvent[]; readonly revision: number }> {
    const { atLeast, sendInitialEvents, allowBookmarks: _bookmarks, resourceVersion: _since, ...asked } = options
    const current = await list(this.#ports, resource, asked)
    const revision = Number(current.resourceVersion)
    if (atLeast > revision) throw expired()
    const events: RegistryEvent[] = current.items.map((object) => ({ type: 'ADDED', object }))
    if (sendInitialEvents === true)
      events.push(bookmarkOf(resource, { revision, annotations: { [INITIAL_EVENTS_END]: 'true' } }))
    return { events, revision }
  }

  #noteSlow(resource: ResourceDefinition): void {
    this.#ports.log?.warn({ resource: resource.plural }, 'watch ended: its reader is too slow')
    this.#ports.metrics
      ?.counter('registry_slow_watches_total', 'Watches ended because their reader was too slow', ['resource'])
      .add({ resource: resource.plural })
  }

  #add(subscription: Subscription): void {
    const byNamespace = getOrMake(this.#watchers, resourceName(subscription.resource), () => new Map())
    for (const place of subscription.places) getOrMake(byNamespace, place, () => new Set()).add(subscription)
    this.#subscriptions.add(subscription)
    this.#unsubscribe ??= this.#ports.store.subscribe((changes, revision, collection) =>
      this.#fanOut(changes, revision, collection),
    )
    if (subscription.watcher.allowBookmarks) this.#scheduleBookmarks()
  }

  #remove(subscription: Subscription): void {
    const collection = resourceName(subscription.resource)
    if (!this.#subscriptions.delete(subscription)) return
    const byNamespace = this.#watchers.get(collection)
    for (const place of subscription.places) {
      const watchers = byNamespace?.get(place)
      watchers?.delete(subscription)
      if (watchers?.size === 0) byNamespace?.delete(place)
    }
    if (byNamespace?.size === 0) this.#watchers.delete(collection)
    if (this.#subscriptions.size > 0) return
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#seen.clear()
    this.#cancelBookmarks?.()
    this.#cancelBookmarks = undefined
  }

  #fanOut(changes: readonly Change[], revision: number, collection = ''): void {
    for (const change of changes) {
      const byNamespace = this.#watchers.get(change.record.collection)
      if (byNamespace === undefined) continue
      const delivery = deliveryOf(change, revision)
      const places = change.record.namespace === EVERYWHERE ? [EVERYWHERE] : [EVERYWHERE, change.record.namespace]
      for (const place of places) for (const { watcher } of byNamespace.get(place) ?? []) watcher.deliver(delivery)
    }
    this.#seen.set(collection, revision)
  }

  #seenOf(resource: ResourceDefinition): number {
    return Math.max(this.#seen.get(resourceName(resource)) ?? 0, this.#seen.get('') ?? 0)
  }

  #scheduleBookmarks(): void {
    this.#cancelBookmarks ??= this.#ports.clock.after(BOOKMARK_INTERVAL_MS, () => this.#sendBookmarks(), {
      background: true,
    })
  }

  #sendBookmarks(): void {
    this.#cancelBookmarks = undefined
    let isAnyAllowed = false
    for (const { resource, watcher } of this.#subscriptions) {
      if (!watcher.allowBookmarks) continue
      isAnyAllowed = true
      watcher.bookmark(this.#seenOf(resource), (revision) => bookmarkOf(resource, { revision }))
    }
    if (isAnyAllowed) this.#scheduleBookmarks()
  }
}

/** A change as watches see it, told with `toldUntil`; the events are made when the first watch asks for them. */
function deliveryOf({ type, record, previous }: Change, toldUntil: number): Delivery {
  const object = objectOf(record)
  const before = previous === undefined ? undefined : objectOf(previous)
  const once = (make: () => RegistryEvent): (() => RegistryEvent) => {
    let made: RegistryEvent | undefined
    return () => (made ??= make())
  }
  return {
    toldUntil,
    type,
    sizeBytes: record.value.length,
    object,
    previous: before,
    added: once(() => ({ type: 'ADDED', object })),
    modified: once(() => ({ type: 'MODIFIED', object, ...(before === undefined ? {} : { previous: before }) })),
    deleted: once(() => ({
      type: 'DELETED',
      object: type === 'Deleted' ? object : lastSeen(before ?? object, object),
    })),
  }
}

/** What left a selector: the object as it was selected, with the revision of the change. */
const lastSeen = (previous: KubeObject, object: KubeObject): KubeObject =>
  deepFreeze({
    ...previous,
    metadata: { ...previous.metadata, resourceVersion: object.metadata.resourceVersion },
  }) as KubeObject

/** A bookmark of a watch on the resource. */
export function bookmarkOf(
  resource: ResourceDefinition,
  at: { readonly revision: number; readonly annotations?: Readonly<Record<string, string>> },
): RegistryEvent {
  const metadata = {
    resourceVersion: String(at.revision),
    ...(at.annotations === undefined ? {} : { annotations: at.annotations }),
  }
  // A bookmark carries no object: these fields are all that the protocol knows of it.
  const object = { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata } as KubeObject
  return { type: 'BOOKMARK', object }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
