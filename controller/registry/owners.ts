/** Keeps managedFields in step with creates, updates and patches. Pure. */
import { timestamp } from '../../system/timestamp.ts'
import { objectAtom } from '../api/apply/atom.ts'
import { entriesOf, ownersOf, requestedEntries, type Owners } from '../api/apply/managers.ts'
import { ignoredFields, ownersAfterUpdate, type Writer } from '../api/apply/ownership.ts'
import { asJson, type KubeObject, type ManagedFieldsEntry } from '../api/object.ts'
import { isJsonObject, jsonEqual } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { RegistryOptions } from './ports.ts'
import type { Subresource, WriteContext } from './registry.ts'
import { apiVersionOf } from './request.ts'

/** Writes whose caller gave no manager. */
const UNKNOWN = 'unknown'

type Context = Pick<WriteContext, 'fieldManager'> & { readonly subresource?: Subresource }

/** Who writes, as managedFields names it. */
export const writerOf = (
  ports: Pick<RegistryOptions, 'clock'>,
  resource: ResourceDefinition,
  context: Context,
): Writer => ({
  manager: context.fieldManager ?? UNKNOWN,
  apiVersion: apiVersionOf(resource),
  ...(context.subresource === undefined ? {} : { subresource: context.subresource }),
  time: timestamp(ports.clock.now()),
})

/** managedFields as a request body has it, to be read by `ownedObject`. */
export const entriesIn = (body: unknown): unknown => {
  const metadata = isJsonObject(body) ? body['metadata'] : undefined
  return isJsonObject(metadata) ? metadata['managedFields'] : undefined
}

/** A write whose ownership is to be settled. */
export type OwnedWrite = {
  /** Absent: the object is created. */
  readonly live?: KubeObject
  readonly object: KubeObject
  /** managedFields of the request; they count at the main endpoint alone. */
  readonly requested: unknown
  readonly context: Context
}

/**
 * The object with the managedFields that a write which is no apply leaves it with. Ownership that cannot be told stays
 * as it was: it never fails a write. An object that nobody's ownership is known of stays so until its first apply.
 */
export function ownedObject(
  ports: Pick<RegistryOptions, 'clock'>,
  resource: ResourceDefinition,
  write: OwnedWrite,
): KubeObject {
  const { live, object, context } = write
  const owners = ownersBefore(resource, write)
  if (owners.size === 0 && live !== undefined) return withEntries(object, undefined)
  const after = ownersAfterUpdate({
    atom: objectAtom(resource.schema ?? resource.shape),
    ...(live === undefined ? {} : { live: asJson(withoutEntries(live)) }),
    object: asJson(withoutEntries(object)),
    owners,
    writer: writerOf(ports, resource, context),
    ignored: ignoredFields({ hasStatus: resource.hasStatus, ...context }),
  })
  return withEntries(object, after === undefined ? live?.metadata.managedFields : entriesOf(after))
}

function ownersBefore(resource: ResourceDefinition, { live, requested, context }: OwnedWrite): Owners {
  const stored = live?.metadata.managedFields
  if (context.subresource !== undefined || requested === stored) return ownersOf(stored)
  const entries = requestedEntries(requested, { emptyResets: resource.schema === undefined })
  if (entries.says === 'reset') return new Map()
  return entries.says === 'nothing' || entries.owners.size === 0 ? ownersOf(stored) : entries.owners
}

/** The object without managedFields: what ownership is about. */
export function withoutEntries(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object
  const { managedFields: _entries, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** The object with these entries. */
export function withEntries(object: KubeObject, entries: readonly ManagedFieldsEntry[] | undefined): KubeObject {
  const { managedFields: _entries, ...metadata } = object.metadata
  return { ...object, metadata: entries === undefined ? metadata : { ...metadata, managedFields: entries } }
}

/** Whether two lists name the same owners of the same fields, whenever they wrote. */
export const sameOwners = (
  left: readonly ManagedFieldsEntry[] | undefined,
  right: readonly ManagedFieldsEntry[] | undefined,
): boolean => left === right || jsonEqual(timeless(left), timeless(right))

const timeless = (entries: readonly ManagedFieldsEntry[] = []): readonly object[] =>
  entries.map(({ time: _time, ...entry }) => entry).sort((left, right) => (idOf(left) < idOf(right) ? -1 : 1))

const idOf = (entry: ManagedFieldsEntry): string =>
  [entry.operation, entry.manager, entry.apiVersion, entry.subresource].join('\u0000')
