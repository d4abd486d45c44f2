/** Lets an object go whose stored value cannot be read any more: the only thing that can be done with it. */
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { hasReason } from '../api/errors.ts'
import { StoreError } from '../store/store.ts'
import type { RegistryOptions } from './ports.ts'
import type { RegistryDeleteOptions, WriteContext } from './registry.ts'
import { apiVersionOf } from './request.ts'
import { commitStep } from './write.ts'

/** The revision of a record that a read refused as unreadable; undefined for any other failure. */
function unreadableRevision(error: unknown): number | undefined {
  if (!hasReason(error, 'InternalError') || !(error.cause instanceof StoreError)) return undefined
  return error.cause.reason === 'Unreadable' ? error.cause.revision : undefined
}

/**
 * Deletes the object that a read has refused as unreadable and gives what is left of it: its name. Throws the refusal
 * when it is another one, or when the caller wants to be sure of an object that nobody can look at.
 */
export async function removeUnreadable(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  write: { readonly key: Key; readonly options: RegistryDeleteOptions; readonly context: WriteContext },
  refusal: unknown,
): Promise<{ readonly object: KubeObject; readonly deleted: boolean }> {
  const { key, options, context } = write
  const revision = unreadableRevision(refusal)
  if (revision === undefined || options.preconditions !== undefined) throw refusal
  const object = nameOnly(resource, key, revision)
  if (!context.dryRun) await commitStep(ports, { type: 'Delete', resource, object, read: String(revision) })
  return { object, deleted: true }
}

const nameOnly = (resource: ResourceDefinition, { namespace, name }: Key, revision: number): KubeObject => {
  const metadata = { name, ...(namespace === '' ? {} : { namespace }), uid: '', resourceVersion: String(revision) }
  // What is promised beyond the name is what could not be read.
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata } as unknown as KubeObject
}
