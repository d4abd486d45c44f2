/** Shows core Events as events.k8s.io/v1 Events, to be read, watched and written: one stored object in two shapes. */
import { resourceName } from '../api/define-kind.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import type { JsonObject, Key, KubeObject } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { parseFieldSelector } from '../api/selectors.ts'
import { eventResource } from '../registry/core.ts'
import { alreadyExists, badRequest, invalid, notFound } from '../registry/refusals.ts'
import type { Registry, RegistryEvent, WriteContext } from '../registry/registry.ts'
import { readRequest } from '../registry/request.ts'
import { patchedBody } from '../registry/update.ts'
import type { View } from '../registry/views.ts'
import { noteUnknown } from '../registry/write.ts'
import { coreBodyOf, corePath, newStyleCauses, newStyleEventResource, newStyleOf } from './event-shapes.ts'

/** Reads of one patch at most when other writers keep coming between. */
const PATCH_TRIES_MAX = 10

const resource = newStyleEventResource

/** The view of the core Events of this registry; throws when it has none. */
export function eventView(registry: Registry): View & Required<Omit<View, 'apply'>> {
  const core = coreEventsOf(registry)
  const read = (key: Key): Promise<KubeObject> => told(key.name, registry.get(core, key))

  async function replace(key: Key, body: unknown, context: WriteContext): Promise<KubeObject> {
    const { coreBody } = readBody(body, context, { isPatch: false })
    return newStyle(await told(key.name, registry.update(core, key, coreBody, context)))
  }

  async function patch(...[key, asked, context]: Parameters<Required<View>['patch']>): Promise<KubeObject> {
    for (let tries = 1; ; tries++) {
      const live = await read(key)
      const body = patchedBody(resource, newStyle(live), asked)
      const { coreBody, resourceVersion } = readBody(body, context, { isPatch: true })
      try {
        return newStyle(await told(key.name, registry.update(core, key, coreBody, context)))
      } catch (error) {
        const namesAnother = resourceVersion !== live.metadata.resourceVersion
        if (!hasReason(error, 'Conflict') || namesAnother || tries >= PATCH_TRIES_MAX) throw error
      }
    }
  }

  return {
    resource,
    get: async (key) => newStyle(await read(key)),
    list: async (options = {}) => {
      const page = await registry.list(core, translated(options))
      return { ...page, items: page.items.map(newStyle) }
    },
    watch: (options, signal) => newStyleEvents(registry.watch(core, translated(options), signal)),
    create: async (namespace, body, context) => {
      const { coreBody, content, name } = readBody(body, context, { isPatch: false })
      const causes = newStyleCauses(content)
      if (causes.length > 0) throw invalid(resource, name, causes)
      return newStyle(await told(name, registry.create(core, namespace, coreBody, context)))
    },
    update: replace,
    patch,
    delete: async (key, options, context) => {
      const gone = await told(key.name, registry.delete(core, key, options, context))
      return { ...gone, object: newStyle(gone.object) }
    },
  }
}

function coreEventsOf({ resources }: Pick<Registry, 'resources'>): ResourceDefinition {
  const core = resources.find((each) => resourceName(each) === resourceName(eventResource))
  if (core === undefined) throw new Error('These events are a view of core events: the registry has none')
  return core
}

/** Each version of an event is turned once, so that all watches share one. */
const turned = new WeakMap<KubeObject, KubeObject>()

function newStyle(core: KubeObject): KubeObject {
  const known = turned.get(core)
  if (known !== undefined) return known
  const made = newStyleOf(core)
  turned.set(core, made)
  return made
}

async function* newStyleEvents(events: AsyncIterable<RegistryEvent>): AsyncGenerator<RegistryEvent, void, undefined> {
  for await (const event of events) yield newStyleEvent(event)
}

function newStyleEvent(event: RegistryEvent): RegistryEvent {
  if (event.type === 'BOOKMARK') return { ...event, object: { ...event.object, apiVersion: 'events.k8s.io/v1' } }
  const { previous } = event
  const object = newStyle(event.object)
  return previous === undefined ? { ...event, object } : { ...event, object, previous: newStyle(previous) }
}

/** The options with the field selector as core Events have it; throws BadRequest. */
function translated<T extends { readonly fieldSelector?: string }>(options: T): T {
  const { fieldSelector = '' } = options
  if (fieldSelector === '') return options
  const parsed = parseFieldSelector(fieldSelector, resource.selectableFields)
  if (!parsed.ok) throw badRequest(parsed.error.message)
  const terms = parsed.value.map(({ path, isNegated, value }) => {
    const escaped = value.replaceAll(/[\\,=]/g, String.raw`\$&`)
    return `${corePath(path)}${isNegated ? '!=' : '='}${escaped}`
  })
  return { ...options, fieldSelector: terms.join(',') }
}

type ReadBody = {
  readonly coreBody: object
  readonly content: JsonObject
  readonly name: string
  readonly resourceVersion: string | undefined
}

function readBody(body: unknown, context: WriteContext, { isPatch }: { readonly isPatch: boolean }): ReadBody {
  const { content, meta, seen, unknown } = readRequest(resource, body, { isPatch })
  // Those of metadata are the registry's to tell, which reads it once more.
  const ownUnknown = unknown.filter((path) => !path.startsWith('metadata.'))
  noteUnknown(ownUnknown, context, { resource, isPatch })
  const metadata = isJsonObject(body) ? body['metadata'] : undefined
  return {
    coreBody: coreBodyOf(content, metadata),
    content,
    name: meta.name ?? meta.generateName ?? '',
    resourceVersion: seen.resourceVersion,
  }
}

/** A refusal about a core Event, told of the resource that was asked for. */
async function told<T>(name: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (!(error instanceof ApiError) || error.details.kind !== eventResource.plural) throw error
    if (error.reason === 'NotFound') throw notFound(resource, name)
    throw error.reason === 'AlreadyExists' ? alreadyExists(resource, name) : error
  }
}
