/** Builds the object that a write would store: what is the server's comes from here, what is the user's from the request. Pure. */
import { timestamp } from '../../system/timestamp.ts'
import type { KubeObject, ObjectMeta } from '../api/object.ts'
import type { RequestedMeta } from '../api/meta.ts'
import { jsonEqual } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { applyDefaults } from '../api/schema/defaults.ts'
import type { PropagationPolicy } from '../client/client.ts'
import { sameOwners } from './owners.ts'
import { apiVersionOf, type Request } from './request.ts'
import { strategyOf } from './strategy.ts'

/** What the server decides of a new object. */
export type Birth = { readonly name: string; readonly namespace: string; readonly uid: string; readonly nowMs: number }

/** The object that a create would store; its status is the schema's default, whatever was sent. */
export function bornObject(resource: ResourceDefinition, request: Request, birth: Birth): KubeObject {
  const { name: _name, namespace: _namespace, generateName, ...requested } = request.meta
  const metadata: ObjectMeta = {
    name: birth.name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(birth.namespace === '' ? {} : { namespace: birth.namespace }),
    uid: birth.uid,
    resourceVersion: '',
    ...firstGeneration(resource),
    creationTimestamp: timestamp(birth.nowMs),
    ...requested,
  }
  const content = resource.hasStatus ? without(request.content, 'status') : request.content
  return strategyOf(resource).prepareCreate(assemble(resource, metadata, { ...request, content }))
}

/** Built-in kinds count no generation, as in Kubernetes. The type promises one: only code that knows its kinds reads it. */
const firstGeneration = (resource: ResourceDefinition): Pick<ObjectMeta, 'generation'> =>
  (resource.schema === undefined ? {} : { generation: 1 }) as Pick<ObjectMeta, 'generation'>

/** The object that a write to the main endpoint would store; status stays as it is. */
export function updatedObject(resource: ResourceDefinition, live: KubeObject, request: Request): KubeObject {
  const content = resource.hasStatus ? withStatusOf(live, request.content) : request.content
  const metadata = updatedMeta(live.metadata, request.meta)
  const object = strategyOf(resource).prepareUpdate(assemble(resource, metadata, { ...request, content }), live)
  return withGeneration(object, live)
}

/** The object that a write to /status would store; everything else stays as it is. */
export function statusObject(resource: ResourceDefinition, live: KubeObject, request: Request): KubeObject {
  const { apiVersion: _apiVersion, kind: _kind, metadata, status: _status, ...content } = live
  const { status } = request.content
  const whole = { ...content, ...(status === undefined ? {} : { status }) }
  return assemble(resource, metadata, { ...request, content: whole })
}

type Status = { readonly observedGeneration?: unknown; readonly conditions?: unknown }

/** What the schema defaults observedGeneration to: nobody has looked at the object yet. */
const UNSEEN = -1

/**
 * The same object, whose status says that its writer has seen it: conditions were written, and whoever wrote them has
 * looked at the generation that there is. Else no client would believe them: `kubectl wait` heeds no condition of a
 * status that speaks for an older generation.
 */
export function seenStatus(live: KubeObject, object: KubeObject): KubeObject {
  // A stored status is a JSON object.
  const [was, is] = [(live.status ?? {}) as Status, (object.status ?? {}) as Status]
  if (is.observedGeneration !== UNSEEN || is.conditions === undefined) return object
  if (jsonEqual(was.conditions, is.conditions)) return object
  return { ...object, status: { ...is, observedGeneration: live.metadata.generation } }
}

/** The namespace that a write to /finalize would store: only spec.finalizers is taken. */
export function finalizedObject(live: KubeObject, request: Request): KubeObject {
  const { spec } = request.content
  const finalizers =
    typeof spec === 'object' && spec !== null && 'finalizers' in spec && Array.isArray(spec.finalizers)
      ? spec.finalizers
      : []
  const { finalizers: _held, ...rest } = (live.spec ?? {}) as Readonly<Record<string, unknown>>
  return { ...live, spec: { ...rest, ...(finalizers.length === 0 ? {} : { finalizers }) } }
}

const FOREGROUND = 'foregroundDeletion'
const ORPHAN = 'orphan'

/** The object as a delete leaves it: marked once, and with the finalizer of the propagation policy. */
export function deletingObject(
  resource: ResourceDefinition,
  live: KubeObject,
  options: { readonly policy: PropagationPolicy | undefined; readonly nowMs: number },
): KubeObject {
  const { finalizers: held = [], ...rest } = live.metadata
  const finalizers = finalizersFor(options.policy, held)
  const metadata: ObjectMeta = { ...rest, ...(finalizers.length === 0 ? {} : { finalizers }) }
  if (metadata.deletionTimestamp !== undefined) return { ...live, metadata }
  const marked: KubeObject = {
    ...live,
    metadata: {
      ...metadata,
      ...nextGeneration(metadata),
      deletionTimestamp: timestamp(options.nowMs),
      deletionGracePeriodSeconds: 0,
    },
  }
  return strategyOf(resource).prepareDelete(marked)
}

/** Without a policy, what the object already holds goes on governing; Background holds neither. */
function finalizersFor(policy: PropagationPolicy | undefined, held: readonly string[]): readonly string[] {
  if (policy === undefined) return held
  const own = held.filter((finalizer) => finalizer !== FOREGROUND && finalizer !== ORPHAN)
  if (policy === 'Background') return own
  return [...own, policy === 'Foreground' ? FOREGROUND : ORPHAN]
}

/** Whether a write would change nothing: resourceVersion and the times in managedFields do not count. */
export const isNoOp = (live: KubeObject, object: KubeObject): boolean =>
  jsonEqual(comparable(live), comparable(object)) &&
  sameOwners(live.metadata.managedFields, object.metadata.managedFields)

function comparable(object: KubeObject): object {
  const { managedFields: _fields, resourceVersion: _version, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** Whether anything outside metadata and status differs: what generation counts. */
export const contentDiffers = (live: KubeObject, object: KubeObject): boolean =>
  !jsonEqual({ ...live, metadata: 0, status: 0 }, { ...object, metadata: 0, status: 0 })

function withGeneration(object: KubeObject, live: KubeObject): KubeObject {
  if (!contentDiffers(live, object)) return object
  return { ...object, metadata: { ...object.metadata, ...nextGeneration(live.metadata) } }
}

/** One more, of an object that counts. */
const nextGeneration = ({
  generation,
}: {
  readonly generation?: number
}): { readonly generation?: never } | Pick<ObjectMeta, 'generation'> =>
  generation === undefined ? {} : { generation: generation + 1 }

function updatedMeta(live: ObjectMeta, requested: RequestedMeta): ObjectMeta {
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, ...kept } = live
  const { name: _name, namespace: _namespace, generateName: _generateName, ...taken } = requested
  return { ...kept, ...taken }
}

function withStatusOf(live: KubeObject, content: Request['content']): object {
  const rest = without(content, 'status')
  return live.status === undefined ? rest : { ...rest, status: live.status }
}

const without = (content: object, key: string): object =>
  Object.fromEntries(Object.entries(content).filter(([name]) => name !== key))

function assemble(
  resource: ResourceDefinition,
  metadata: ObjectMeta,
  { content, keepsNulls = false }: { readonly content: object; readonly keepsNulls?: boolean },
): KubeObject {
  const filled = resource.schema === undefined ? content : applyDefaults(resource.schema, content, { keepsNulls })
  // Whether spec is there and right is for validation to say.
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata, ...(filled as { spec: unknown }) }
}
