/** Carries out what was asked of an object: read, judge, declare, and all of it again when another write came between. */
import type { Clock } from '../../../system/clock.ts'
import type { Actor } from '../../api/admission.ts'
import type { KindDefinition, ObjectOf } from '../../api/define-kind.ts'
import { ApiError, hasReason } from '../../api/errors.ts'
import { isJsonObject } from '../../api/patches.ts'
import type { JsonObject, Key, KubeObject } from '../../api/object.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import type { ActionVerdict } from '../../kinds/action.ts'
import { conflict, forbidden } from '../../registry/refusals.ts'
import type { Registry, WriteContext } from '../../registry/registry.ts'
import { representationOf } from '../accept.ts'
import { jsonResponse } from '../exchange.ts'
import { writeParams } from '../params.ts'
import type { ServedSubresource } from '../subresources.ts'
import type { Call } from '../verbs.ts'
import { readAction } from './body.ts'

/** What actions need of the server. */
export type ActionPorts = {
  readonly registry: Registry
  readonly clock: Clock
  /** Who has frozen a tenant's machines now, in words; absent where nobody can. */
  readonly frozenBy?: (tenant: string) => Promise<string | undefined>
}

/** What one judgement looks at. */
export type Asked = {
  readonly object: KubeObject
  readonly key: Key
  readonly actor: Actor
  readonly nowMs: number
  /** What the body's spec says, valid by its schema. */
  readonly fields: JsonObject
}

/** Judges an action by the object as it is now. */
export type Judge = (asked: Asked) => Promise<ActionVerdict> | ActionVerdict

/** Reads of one action at most, when others keep writing. */
const TRIES_MAX = 10

/** The served resource of a kind; a registry that serves an action serves its kind. */
export function resourceFor(registry: Registry, kind: Pick<KindDefinition, 'group' | 'plural'>): ResourceDefinition {
  const found = registry.resources.find(({ group, plural }) => group === kind.group && plural === kind.plural)
  if (found === undefined) throw new Error(`No resource "${kind.plural}" is served: an action on it cannot be`)
  return found
}

/** The object of a key; undefined when there is none. */
export async function findObject<K extends KindDefinition>(
  registry: Registry,
  kind: K,
  key: Key,
): Promise<ObjectOf<K> | undefined> {
  try {
    // The registry keeps nothing that does not fit the kind's schema.
    return (await registry.get(resourceFor(registry, kind), key)) as ObjectOf<K>
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  }
}

/** An action of a kind as the server serves it. */
export function servedAction(ports: ActionPorts, kind: KindDefinition, name: string, judge: Judge): ServedSubresource {
  const resource = resourceFor(ports.registry, kind)
  const definition = resource.subresources?.find((each) => each.name === name)
  if (definition === undefined) throw new Error(`${kind.kind} declares no action "${name}"`)
  return {
    resource,
    definition,
    serve: async (_verb, call) => {
      // An answer that cannot be given is refused before anything is written.
      representationOf(call.request.headers.get('accept'))
      const context = writeContextOf(call)
      const fields = await readAction(call, definition, context)
      return jsonResponse(201, await act(ports, call, { context, fields, judge }))
    },
  }
}

/** What goes with a write by a call. */
export const writeContextOf = (call: Call): WriteContext => ({
  actor: call.actor,
  ...writeParams(call.request.url.searchParams, call.request.headers.get('user-agent')),
  warn: call.warn,
  signal: call.request.signal,
})

type Acting = { readonly context: WriteContext; readonly fields: JsonObject; readonly judge: Judge }

function act(ports: ActionPorts, call: Call, { context, fields, judge }: Acting): Promise<KubeObject> {
  const key = { namespace: call.path.namespace ?? '', name: call.path.name ?? '' }
  return changeAsSeen(ports.registry, { resource: call.resource, key, context }, async (object) => {
    const verdict = await judge({ object, key, actor: call.actor, nowMs: ports.clock.now(), fields })
    if (verdict.do === 'nothing') return undefined
    if (verdict.do === 'change') {
      // The same text twice, after another write came between, is sent once.
      if (verdict.warning !== undefined) call.warn(verdict.warning)
      return verdict.patch
    }
    const why = `Cannot ${call.path.subresource ?? ''} it: ${verdict.why}`
    throw verdict.reason === 'Conflict'
      ? conflict(call.resource, key.name, { why })
      : forbidden(call.resource, key.name, [{ reason: 'FieldValueForbidden', message: why }])
  })
}

/** The target of a change that is decided by looking at it. */
export type Target = { readonly resource: ResourceDefinition; readonly key: Key; readonly context: WriteContext }

/**
 * Patches an object with what `decide` makes of it (undefined: nothing), only if it is still the one that was seen;
 * looks again when it is not. Gives the object as it is then.
 */
export async function changeAsSeen(
  registry: Registry,
  { resource, key, context }: Target,
  decide: (object: KubeObject) => Promise<JsonObject | undefined> | JsonObject | undefined,
): Promise<KubeObject> {
  for (let tries = 1; ; tries++) {
    const object = await registry.get(resource, key)
    const change = await decide(object)
    if (change === undefined) return object
    const { uid, resourceVersion } = object.metadata
    const metadata = isJsonObject(change['metadata']) ? change['metadata'] : {}
    const body = { ...change, metadata: { ...metadata, uid, resourceVersion } }
    try {
      return await registry.patch(resource, key, { type: 'merge', body }, context)
    } catch (error) {
      if (!hasReason(error, 'Conflict') || tries >= TRIES_MAX) throw error
    }
  }
}

/** A text of the body's spec; absent where it has none. */
export function textField(fields: JsonObject, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || typeof value === 'string') return value
  throw new ApiError('InternalError', `The schema let "${name}" through, which is no text`)
}
