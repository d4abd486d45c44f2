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
  const { type, object, previous } = event
  if (type === 'BOOKMARK') {
    const { version: apiVersion, kind } = podResource
    return [{ type, object: { ...object, apiVersion, kind } }]
  }
  const selected = (sprite: KubeObject | undefined): Pod | undefined => {
    const pod = sprite === undefined ? undefined : projected(sprite)
    return pod !== undefined && isSelected(pod) ? pod : undefined
  }
  const was = selected(type === 'DELETED' ? object : previous)
  const is = type === 'DELETED' ? undefined : selected(object)
  if (was === undefined || is === undefined || was.metadata.uid === is.metadata.uid)
    return transition(was, is, object.metadata.resourceVersion)
  return [...transition(was, undefined, before(object)), ...transition(undefined, is, '')]
}

function transition(was: Pod | undefined, is: Pod | undefined, goneVersion: string): readonly RegistryEvent[] {
  if (is !== undefined)
    return [was === undefined ? { type: 'ADDED', object: is } : { type: 'MODIFIED', object: is, previous: was }]
  if (was === undefined) return []
  return [{ type: 'DELETED', object: { ...was, metadata: { ...was.metadata, resourceVersion: goneVersion } } }]
}

/** The version before a change: who resumes between the two events of a replacement sees the second one again. */
const before = ({ metadata }: KubeObject): string => String(Number(metadata.resourceVersion) - 1)
