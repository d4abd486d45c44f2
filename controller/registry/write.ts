/** The steps that all writes share: warn of unknown fields, look at preconditions, commit and read back. */
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { SeenMeta } from '../api/meta.ts'
import { isPlainFinalizer, plainFinalizerWarning } from '../api/names.ts'
import type { Change } from '../store/store.ts'
import { ApiError } from '../api/errors.ts'
import { storeKeyOf, type RegistryOptions } from './ports.ts'
import { conflict, invalidPatch, notFound, stale, tooLarge, unreadable } from './refusals.ts'
import { objectOf, storedTextOf, textOf } from './records.ts'
import type { ForecastChange } from './forecast.ts'
import type { WriteContext } from './registry.ts'
import { fromStore } from './store-errors.ts'
import { strategyOf } from './strategy.ts'

/** Faults of a body that are told at most. */
const FAULTS_MAX = 20

/** Tells of duplicate and unknown fields as `fieldValidation` says; `isPatch` decides the reason of a refusal, as kube does. */
export function noteUnknown(
  unknown: readonly string[],
  context: WriteContext,
  options: { readonly resource: ResourceDefinition; readonly isPatch: boolean },
): void {
  if (context.fieldValidation === 'Ignore') return
  const fields = unknown.toSorted().map((path) => `unknown field "${path}"`)
  const texts = [...(context.duplicates ?? []), ...fields].slice(0, FAULTS_MAX)
  if (texts.length === 0) return
  if (context.fieldValidation !== 'Strict') {
    for (const text of texts) context.warn?.(text)
    return
  }
  const message = `strict decoding error: ${texts.join(', ')}`
  throw options.isPatch ? invalidPatch(message) : unreadable(options.resource, message)
}

/** Warns of new finalizers without a domain, as Kubernetes does of custom kinds; built-in ones refuse them. */
function notePlainFinalizers(context: WriteContext, object: KubeObject, old?: KubeObject): void {
  const held = new Set(old?.metadata.finalizers)
  for (const finalizer of object.metadata.finalizers ?? [])
    if (!held.has(finalizer) && isPlainFinalizer(finalizer)) context.warn?.(plainFinalizerWarning(finalizer))
}

/** Warns the writer of what the write will set off. What cannot be foretold holds no write up. */
export function foretell(ports: RegistryOptions, context: WriteContext, change: ForecastChange): void {
  if (change.operation !== 'DELETE') notePlainFinalizers(context, change.object, change.old)
  if (ports.forecast === undefined || context.warn === undefined) return
  try {
    for (const text of ports.forecast(change)) context.warn(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    ports.log?.error({ resource: change.resource.plural, name: change.object.metadata.name, why }, 'Forecast failed')
  }
}

/** The live object of a key; throws NotFound. */
export async function readLive(ports: RegistryOptions, resource: ResourceDefinition, key: Key): Promise<KubeObject> {
  const live = await readIfAny(ports, resource, key)
  if (live === undefined) throw notFound(resource, key.name)
  return live
}

/** The live object of a key; undefined when there is none. */
export async function readIfAny(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  key: Key,
): Promise<KubeObject | undefined> {
  const record = await fromStore(resource, key.name, () => ports.store.read(storeKeyOf(resource, key)))
  return record === undefined ? undefined : objectOf(record)
}

/** Throws Conflict when a uid or resourceVersion that the caller has seen is not the live one's. */
export function checkSeen(resource: ResourceDefinition, live: KubeObject, seen: SeenMeta): void {
  const { name, uid, resourceVersion } = live.metadata
  if (seen.uid !== undefined && seen.uid !== uid)
    throw conflict(resource, name, {
      why: `Precondition failed: UID in precondition: ${seen.uid}, UID in object meta: ${uid}`,
    })
  if (seen.resourceVersion !== undefined && seen.resourceVersion !== resourceVersion) throw stale(resource, name)
}

/** One step of a write that commits as a whole. */
export type Step = {
  readonly type: 'Put' | 'Delete'
  readonly resource: ResourceDefinition
  readonly object: KubeObject
  /** resourceVersion that was read; '' when the key must not exist. */
  readonly read: string
  /** Whose quota it is held to, and what is there; absent: nobody's. */
  readonly held?: { readonly actor: WriteContext['actor']; readonly live?: KubeObject }
}

/** Commits one write; gives the object as it is stored, with its new resourceVersion. */
export async function commitStep(ports: RegistryOptions, step: Step): Promise<KubeObject> {
  const { type, resource, object, read } = step
  const { name, namespace = '' } = object.metadata
  const text = textOf(object)
  const { sizeBytesMax } = strategyOf(resource)
  if (text.sizeBytes > sizeBytesMax && type === 'Put') throw tooLarge(resource, name, text.sizeBytes, sizeBytesMax)
  if (step.held !== undefined) {
    const { actor, live } = step.held
    const bytes = text.sizeBytes - (live === undefined ? 0 : (storedTextOf(live)?.length ?? 0))
    await ports.quota?.grow(resource, { namespace, name }, { bytes, actor })
  }
  const changes = await fromStore(resource, name, () =>
    ports.store.commit([
      { type, key: storeKeyOf(resource, { namespace, name }), expectedRevision: Number(read), value: text.at },
    ]),
  )
  const [change] = changes
  if (change === undefined) throw new ApiError('InternalError', `Cannot store "${name}": the store made no change`)
  countWrite(ports, resource, change.type)
  return objectOf(change.record)
}

/** Counts the outcome of a write: a change of the store, or none because nothing differed. */
export function countWrite(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  outcome: Change['type'] | 'Unchanged',
): void {
  ports.metrics
    ?.counter('registry_writes_total', 'Writes of objects by what they did to the store', ['resource', 'outcome'])
    .add({ resource: resource.plural, outcome })
}

/** The object as a dry run answers it: a new one has no resourceVersion, so that clients can tell it is none yet. */
export function dryRunResult(object: KubeObject): KubeObject {
  if (object.metadata.resourceVersion !== '') return object
  const { resourceVersion: _none, ...metadata } = object.metadata
  // The type promises a resourceVersion; of a dry-run create the wire contract forbids one.
  return { ...object, metadata: metadata as KubeObject['metadata'] }
}
