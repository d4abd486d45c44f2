/** Replaces and patches objects: the main endpoint, /status and a namespace's /finalize. */
import type { Key, KubeObject, ManagedFieldsEntry } from '../api/object.ts'
import { isJsonObject, jsonPatch, mergePatch } from '../api/patches.ts'
import { strategicMergePatch } from '../api/strategic.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { ApiError, type Cause } from '../api/errors.ts'
import { admit } from './admit.ts'
import { changeCauses } from './check.ts'
import type { RegistryOptions } from './ports.ts'
import { badRequest, invalid, invalidResource } from './refusals.ts'
import type { PatchType, Subresource, WriteContext } from './registry.ts'
import { checkDepth, checkPath, readRequest, type Request } from './request.ts'
import { isLostRace } from './store-errors.ts'
import { entriesIn, ownedObject, withEntries } from './owners.ts'
import { finalizedObject, isNoOp, seenStatus, statusObject, updatedObject } from './stamp.ts'
import { mayGo } from './strategy.ts'
import { checkSeen, commitStep, countWrite, foretell, noteUnknown, readLive } from './write.ts'

/** Reads of one patch at most when writers of other processes keep coming between. */
const PATCH_TRIES_MAX = 10

/** What goes with a replacement. */
export type UpdateContext = WriteContext & { readonly subresource?: Subresource }

/** Replaces an object; see the Registry port. The caller holds the key's lock. */
export async function update(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  write: { readonly key: Key; readonly body: unknown; readonly context: UpdateContext },
): Promise<KubeObject> {
  const { key, context } = write
  context.signal?.throwIfAborted()
  const request = readRequest(resource, write.body)
  checkPath(resource, key, request.meta)
  noteUnknown(request.unknown, context, { resource, isPatch: false })
  const live = await readLive(ports, resource, key)
  checkSeen(resource, live, request.seen)
  // Built-in kinds may be replaced unconditionally, custom ones may not.
  if (request.seen.resourceVersion === undefined && resource.schema !== undefined) throw versionMissing(resource, key)
  return storeChange(ports, resource, { live, request, context, entries: { requested: entriesIn(write.body) } })
}

/** Patches an object; see the Registry port. The caller holds the key's lock. */
export async function patch(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  write: {
    readonly key: Key
    readonly patch: { readonly type: PatchType; readonly body: unknown }
    readonly context: UpdateContext
  },
): Promise<KubeObject> {
  const { key, context } = write
  checkDepth(write.patch.body)
  for (let tries = 1; ; tries++) {
    context.signal?.throwIfAborted()
    const live = await readLive(ports, resource, key)
    const body = patchedBody(resource, live, write.patch)
    const request = readRequest(resource, body, { isPatch: true })
    checkPath(resource, key, request.meta)
    if (request.meta.name === undefined) throw nameTakenAway(key)
    if (tries === 1) noteUnknown(request.unknown, context, { resource, isPatch: true })
    checkSeen(resource, live, request.seen)
    try {
      return await storeChange(ports, resource, { live, request, context, entries: { requested: entriesIn(body) } })
    } catch (error) {
      const mayRetry = isLostRace(error) && !namesVersion(write.patch) && tries < PATCH_TRIES_MAX
      if (!mayRetry) throw error
    }
  }
}

/** What a patch makes of an object, not yet read; throws BadRequest or Invalid when it does not fit. */
export function patchedBody(
  resource: ResourceDefinition,
  live: KubeObject,
  { type, body }: { readonly type: PatchType; readonly body: unknown },
): unknown {
  // A stored object is JSON, and so is a parsed body.
  if (type === 'merge') return mergePatch(live as never, body as never)
  if (type === 'strategic') return strategicMergePatch(live as never, body as never)
  const result = jsonPatch(live as never, body)
  if (result.ok) return result.value
  const { name } = live.metadata
  throw new ApiError(result.error.reason, result.error.message, { name, group: resource.group, kind: resource.plural })
}

/** Whether a patch itself names a resourceVersion: then another write in between is the caller's to see. */
function namesVersion({ type, body }: { readonly type: PatchType; readonly body: unknown }): boolean {
  if (type !== 'json') {
    const metadata = isJsonObject(body) ? body['metadata'] : undefined
    return isJsonObject(metadata) && typeof metadata['resourceVersion'] === 'string'
  }
  return (
    Array.isArray(body) &&
    body.some((operation) => isJsonObject(operation) && operation['path'] === '/metadata/resourceVersion')
  )
}

const withVersion = (object: KubeObject, resourceVersion: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
})

type Change = {
  readonly live: KubeObject
  readonly request: Request
  readonly context: UpdateContext
  /** managedFields: what the request says of them, or, after an apply, what they are. */
  readonly entries:
    | { readonly requested: unknown }
    | { readonly managedFields: readonly ManagedFieldsEntry[] | undefined }
  /** What is wrong with the request already. */
  readonly flaws?: readonly Cause[]
}

/** Stores a change of a live object unless nothing differs: ownership, checks, admission, commit. */
export async function storeChange(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  change: Change,
): Promise<KubeObject> {
  const { live, context, flaws = [] } = change
  const object = ownedChange(ports, resource, change)
  if (flaws.length === 0 && isNoOp(live, object)) {
    countWrite(ports, resource, 'Unchanged')
    return live
  }
  const { name, resourceVersion } = live.metadata
  const causes = [...flaws, ...changeCauses(resource, object, live)]
  if (causes.length > 0) throw invalid(resource, name, causes)
  if (context.subresource === undefined || (context.subresource === 'status' && resource.admission?.judgesStatus))
    await admit(ports, resource, { operation: 'UPDATE', object, old: live, actor: context.actor })
  if (context.subresource === undefined) foretell(ports, context, { resource, operation: 'UPDATE', object, old: live })
  if (context.dryRun) return object
  const isGoing = object.metadata.deletionTimestamp !== undefined && mayGo(resource, object)
  const held = { actor: context.actor, live }
  if (!isGoing) return commitStep(ports, { type: 'Put', resource, object, read: resourceVersion, held })
  // As kube-apiserver: watches are told of the object as it was stored last, its writer of what it would have been.
  await commitStep(ports, { type: 'Delete', resource, object: live, read: resourceVersion })
  return withVersion(object, resourceVersion)
}

function ownedChange(ports: RegistryOptions, resource: ResourceDefinition, change: Change): KubeObject {
  const { live, request, context, entries } = change
  const object = changedObject(ports, resource, { live, request, subresource: context.subresource })
  if ('managedFields' in entries) return withEntries(object, entries.managedFields)
  const { requested } = entries
  const asksNothing = requested === undefined || requested === live.metadata.managedFields
  // Most writes of reconcilers change nothing: they cost no look at who owns what.
  if ((asksNothing || context.subresource !== undefined) && isNoOp(live, object)) return object
  return ownedObject(ports, resource, { live, object, requested, context })
}

function changedObject(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  change: { readonly live: KubeObject; readonly request: Request; readonly subresource: Subresource | undefined },
): KubeObject {
  switch (change.subresource) {
    case undefined:
      return updatedObject(resource, change.live, change.request)
    case 'status':
      if (!resource.hasStatus) throw badRequest(`Cannot write the status of ${resource.plural}: they have none`)
      return takenStatus(ports, change.live, statusObject(resource, change.live, change.request))
    case 'finalize':
      if (resource.kind !== 'Namespace') throw badRequest(`Cannot finalize ${resource.plural}: only namespaces can be`)
      return finalizedObject(change.live, change.request)
  }
}

const takenStatus = (ports: RegistryOptions, live: KubeObject, object: KubeObject): KubeObject =>
  ports.keepsUnseenStatus === true ? object : seenStatus(live, object)

const nameTakenAway = (key: Key): ApiError =>
  badRequest(`the name of the object (${key.name} based on URL) was undeterminable: name must be provided`)

const versionMissing = (resource: ResourceDefinition, key: Key): ApiError =>
  invalidResource(resource, key.name, {
    reason: 'FieldValueInvalid',
    message: 'Invalid value: 0: must be specified for an update',
    field: 'metadata.resourceVersion',
  })
