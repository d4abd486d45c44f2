/** Deletes objects: at once when nothing holds them, else by marking them for their finalizers' owners. */
import type { ApiError } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { admit } from './admit.ts'
import type { RegistryOptions } from './ports.ts'
import { preconditionFailed } from './refusals.ts'
import type { RegistryDeleteOptions, WriteContext } from './registry.ts'
import { isLostRace } from './store-errors.ts'
import { deletingObject, isNoOp } from './stamp.ts'
import { mayGo } from './strategy.ts'
import { removeUnreadable } from './unreadable.ts'
import { commitStep, foretell, readLive } from './write.ts'

/** Reads of one delete at most when writers of other processes keep coming between. */
const DELETE_TRIES_MAX = 10

/** What a deletion left: the object, and whether it is gone. */
export type Deleted = { readonly object: KubeObject; readonly deleted: boolean }

/** Deletes an object; see the Registry port. The caller holds the key's lock. */
export async function remove(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  write: { readonly key: Key; readonly options: RegistryDeleteOptions; readonly context: WriteContext },
): Promise<Deleted> {
  for (let tries = 1; ; tries++) {
    write.context.signal?.throwIfAborted()
    try {
      return await removeOnce(ports, resource, write)
    } catch (error) {
      const namesVersion = write.options.preconditions?.resourceVersion !== undefined
      if (!isLostRace(error) || namesVersion || tries >= DELETE_TRIES_MAX) throw error
    }
  }
}

function checkPreconditions(
  resource: ResourceDefinition,
  { metadata: { name, uid, resourceVersion } }: KubeObject,
  asked: NonNullable<RegistryDeleteOptions['preconditions']>,
): void {
  const refuse = (why: string): ApiError => preconditionFailed(resource, name, why)
  const { uid: askedUid = uid, resourceVersion: askedVersion = resourceVersion } = asked
  if (askedUid !== uid)
    throw refuse(
      `the UID in the precondition (${askedUid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    )
  if (askedVersion !== resourceVersion)
    throw refuse(
      `the ResourceVersion in the precondition (${askedVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    )
}

async function removeOnce(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  write: { readonly key: Key; readonly options: RegistryDeleteOptions; readonly context: WriteContext },
): Promise<Deleted> {
  let live: KubeObject
  try {
    live = await readLive(ports, resource, write.key)
  } catch (error) {
    return removeUnreadable(ports, resource, write, error)
  }
  checkPreconditions(resource, live, write.options.preconditions ?? {})
  const { actor, dryRun } = write.context
  if (live.metadata.deletionTimestamp === undefined) {
    await admit(ports, resource, { operation: 'DELETE', object: live, old: live, actor })
    const isOrphaning = write.options.propagationPolicy === 'Orphan'
    foretell(ports, write.context, { resource, operation: 'DELETE', object: live, old: live, isOrphaning })
  }
  const options = { policy: write.options.propagationPolicy, nowMs: ports.clock.now() }
  const marked = deletingObject(resource, live, options)
  const read = live.metadata.resourceVersion
  if (mayGo(resource, marked)) {
    const isMarked = live.metadata.deletionTimestamp !== undefined
    const object = isMarked ? marked : live
    if (dryRun) return { object, deleted: true }
    return { object: await commitStep(ports, { type: 'Delete', resource, object, read }), deleted: true }
  }
  if (dryRun || isNoOp(live, marked)) return { object: dryRun ? marked : live, deleted: false }
  return { object: await commitStep(ports, { type: 'Put', resource, object: marked, read }), deleted: false }
}
