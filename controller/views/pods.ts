/** Shows the machines of sprites as Pods that can be read: a pod for each sprite that has, or had, a machine. */
import { resourceName } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Predicate } from '../api/selectors.ts'
import { spriteKind, type Sprite } from '../kinds/sprite/schema.ts'
import { predicateOf } from '../registry/read.ts'
import { notFound } from '../registry/refusals.ts'
import type {
  Registry,
  RegistryEvent,
  RegistryList,
  RegistryListOptions,
  RegistryWatchOptions,
} from '../registry/registry.ts'
import type { ReadableView } from './fixed-collection.ts'
import { podOf, type Pod } from './pod-of.ts'
import { podResource } from './pod-resource.ts'

/** Pages of sprites that one page of pods reads at most: sprites without a machine fill none of it. */
const ROUNDS_MAX = 8

/** The view of the sprites of this registry; throws when it has none. */
export function podView(registry: Pick<Registry, 'resources' | 'get' | 'list' | 'watch'>): ReadableView {
  const sprites = spritesOf(registry)

  async function get(key: Key): Promise<KubeObject> {
    const pod = projected(await registry.get(sprites, key).catch((error: unknown) => missing(error, key)))
    if (pod === undefined) throw notFound(podResource, key.name)
    return pod
  }

  async function list(options: RegistryListOptions = {}): Promise<RegistryList> {
    const { labelSelector: _labels, fieldSelector: _fields, ...rest } = options
    const isSelected = predicateOf(podResource, options)
    const pods: Pod[] = []
    for (let round = 1, next: object = {}; ; round++) {
      const limit = options.limit === undefined ? {} : { limit: options.limit - pods.length }
      const page = await registry.list(sprites, { ...rest, ...next, ...limit })
      pods.push(...page.items.map(projected).filter((pod): pod is Pod => pod !== undefined && isSelected(pod)))
      const end = { items: pods, resourceVersion: page.resourceVersion }
      // How many follow is not known: not every sprite has a pod.
      if (page.continue === undefined) return end
      if (round >= ROUNDS_MAX || pods.length >= (options.limit ?? 0)) return { ...end, continue: page.continue }
      next = { continue: page.continue, resourceVersion: undefined, resourceVersionMatch: undefined }
    }
  }

  function watch(options: RegistryWatchOptions, signal: AbortSignal): AsyncIterable<RegistryEvent> {
    const { labelSelector: _labels, fieldSelector: _fields, ...rest } = options
    const isSelected = predicateOf(podResource, options)
    return podEvents(registry.watch(sprites, rest, signal), isSelected)
  }

  return { resource: podResource, get, list, watch }
}

function spritesOf({ resources }: Pick<Registry, 'resources'>): ResourceDefinition {
  const sprites = resources.find((each) => resourceName(each) === resourceName(spriteKind))
  if (sprites === undefined) throw new Error('Pods are a view of sprites: the registry has none')
  return sprites
}

function missing(error: unknown, key: Key): never {
  throw hasReason(error, 'NotFound') ? notFound(podResource, key.name) : error
}

/** Pods are made once of each version of a sprite, so that all watches share one. */
const pods = new WeakMap<KubeObject, { readonly pod: Pod | undefined }>()

function projected(sprite: KubeObject): Pod | undefined {
  const known = pods.get(sprite)
  if (known !== undefined) return known.pod
  // What lies in the collection of sprites has passed the schema of Sprite.
  const pod = podOf(sprite as Sprite)
  pods.set(sprite, { pod })
  return pod
}

async function* podEvents(
  events: AsyncIterable<RegistryEvent>,
  isSelected: Predicate,
): AsyncGenerator<RegistryEvent, void, undefined> {
  for await (const event of events) yield* podEventsOf(event, isSelected)
}

/** What a change of a sprite is to those who watch pods: the first machine comes, another one replaces the last. */
export function podEventsOf(event: RegistryEvent, isSelected: Predicate): readonly RegistryEvent[] {
  if (event.type === 'BOOKMARK') return [bookmarkOf(event)]
  const change = changeOf(event)
  const was = change.was !== undefined && isSelected(change.was)
  const is = change.is !== undefined && isSelected(change.is)
  if (was && is) return change.isReplaced ? [change.replaced(), change.added()] : [change.modified()]
  if (is) return [change.added()]
  return was ? [change.deleted()] : []
}

const bookmarkOf = ({ type, object }: RegistryEvent): RegistryEvent => {
  const { version: apiVersion, kind } = podResource
  return { type, object: { ...object, apiVersion, kind } }
}

/** One change of a sprite's pod; its events are made when the first watch asks for them, and are the same for all. */
type PodChange = {
  readonly was: Pod | undefined
  readonly is: Pod | undefined
  readonly isReplaced: boolean
  readonly added: () => RegistryEvent
  readonly modified: () => RegistryEvent
  readonly deleted: () => RegistryEvent
  /** The pod before goes, another one of its name comes next. */
  readonly replaced: () => RegistryEvent
}

const changes = new WeakMap<RegistryEvent, PodChange>()

function changeOf(event: RegistryEvent): PodChange {
  const known = changes.get(event)
  if (known !== undefined) return known
  const { type, object, previous } = event
  const before = type === 'DELETED' ? object : previous
  const was = before === undefined ? undefined : projected(before)
  const is = type === 'DELETED' ? undefined : projected(object)
  const { resourceVersion } = object.metadata
  const made: PodChange = {
    was,
    is,
    isReplaced: was?.metadata.uid !== is?.metadata.uid,
    added: once(() => eventOf('ADDED', is)),
    modified: once(() => eventOf('MODIFIED', is)),
    deleted: once(() => eventOf('DELETED', was, resourceVersion)),
    // The version before the change: who resumes between the two events of a replacement sees the second one again.
    replaced: once(() => eventOf('DELETED', was, String(Number(resourceVersion) - 1))),
  }
  changes.set(event, made)
  return made
}

function eventOf(type: RegistryEvent['type'], pod: Pod | undefined, resourceVersion?: string): RegistryEvent {
  if (pod === undefined) throw new Error('A pod that is not there has no event')
  if (resourceVersion === undefined) return { type, object: pod }
  return { type, object: { ...pod, metadata: { ...pod.metadata, resourceVersion } } }
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
