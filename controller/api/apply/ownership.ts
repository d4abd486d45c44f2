/** Keeps ownership in step with a write that is no apply: whoever changes a field owns it, alone. Pure. */
import type { Json } from '../object.ts'
import type { MapAtom } from './atom.ts'
import { isObject } from '../schema/json.ts'
import { compare, type Comparison } from './compare.ts'
import { memberElement } from './element.ts'
import { below, difference, isEmptySet, union, type FieldSet } from './field-set.ts'
import { capped, ownerId, withoutEmpty, type Owners } from './managers.ts'

/** Who writes, when, and to which part of the object. */
export type Writer = {
  readonly manager: string
  readonly apiVersion: string
  readonly subresource?: string
  /** RFC 3339, in whole seconds. */
  readonly time: string
}

/** What a write does not own and takes from nobody, since the server keeps or drops it: see `ignoredFields`. */
export type Ignored = FieldSet

/** Metadata that nobody owns, and what every object has. */
const UNOWNED: FieldSet = {
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    '.': {},
    'f:name': {},
    'f:namespace': {},
    'f:creationTimestamp': {},
    'f:selfLink': {},
    'f:uid': {},
    'f:generation': {},
    'f:managedFields': {},
    'f:resourceVersion': {},
  },
}

/** A set without what nobody owns. */
export const owned = (fields: FieldSet): FieldSet => difference(fields, UNOWNED)

const STATUS: Ignored = { 'f:status': {} }
const ALL_BUT_STATUS: Ignored = { 'f:metadata': {}, 'f:spec': {} }
const NOTHING: Ignored = {}

/** What a write to an endpoint leaves alone: the main one the status, the status one metadata and spec. */
export function ignoredFields(options: { readonly hasStatus: boolean; readonly subresource?: string }): Ignored {
  if (options.subresource === 'status') return ALL_BUT_STATUS
  return options.hasStatus && options.subresource === undefined ? STATUS : NOTHING
}

/** What a write that is no apply needs to be accounted for. */
export type UpdateInput = {
  readonly atom: MapAtom
  /** The object before, without managedFields; absent: it is created, or had no owner before its first apply. */
  readonly live?: Json
  /** The object after, without managedFields. */
  readonly object: Json
  readonly owners: Owners
  readonly writer: Writer
  readonly ignored: Ignored
}

/**
 * The owners after a write: the writer owns what it added and changed, everybody else loses that, and nobody owns what
 * is gone. At most ten owners by such writes. Undefined when it cannot be told: the owners stay as they are then.
 */
export function ownersAfterUpdate(input: UpdateInput): Owners | undefined {
  const { writer, owners, ignored } = input
  const object = seenPart(input.object, ignored)
  const differs = compare(input.atom, input.live === undefined ? bare(object) : seenPart(input.live, ignored), object)
  if (differs === undefined) return undefined
  const { manager, apiVersion, subresource, time } = writer
  const key = {
    manager,
    operation: 'Update',
    apiVersion,
    ...(subresource === undefined ? {} : { subresource }),
  } as const
  const id = ownerId(key)
  const after = new Map(takeFrom(owners, differs, id))
  const before = after.get(id)
  const kept = difference(before?.fields ?? {}, differs.removed)
  const fields = owned(union(differs.changed, differs.added))
  // A write that only removes gives the writer nothing: it loses what is gone, as everybody does, and its time stays.
  if (!isEmptySet(fields)) after.set(id, { ...key, time, fields: union(kept, fields) })
  else if (before !== undefined && kept !== before.fields) after.set(id, { ...before, fields: kept })
  return capped(withoutEmpty(after))
}

/** The object without the parts that the write leaves alone, which all stand at the top. */
function seenPart(object: Json, ignored: Ignored): Json {
  if (!isObject(object)) return object
  return Object.fromEntries(
    Object.entries(object).filter(([name]) => below(ignored, memberElement(name)) === undefined),
  )
}

/** Owners without the fields that a write took or removed; `except` keeps its own. */
export function takeFrom(owners: Owners, { added, changed, removed }: Comparison, except?: string): Owners {
  const taken = union(changed, added)
  return withoutEmpty(
    [...owners].map(([id, owner]) => {
      if (id === except) return [id, owner] as const
      const fields = difference(difference(owner.fields, taken), removed)
      return [id, fields === owner.fields ? owner : { ...owner, fields }] as const
    }),
  )
}

/** What an object is before it exists. */
export function bare(object: Json): Json {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return {}
  const { apiVersion, kind } = object as { readonly apiVersion: Json; readonly kind: Json } // every object has them
  return { apiVersion, kind }
}
