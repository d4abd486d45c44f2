/** Reads managedFields into owners with their sets, and writes them back as Kubernetes sorts them. Pure. */
import type { ManagedFieldsEntry } from '../object.ts'
import { isJsonObject } from '../patches.ts'
import { DEPTH_MAX } from '../schema/json.ts'
import { canonicalElement } from './element.ts'
import { isEmptySet, nodeOf, sortedSet, union, type FieldSet } from './field-set.ts'

/** How fields came to be owned. */
export type Operation = 'Apply' | 'Update'

/** Who owns fields: a manager, by applying or by other writes, at the object itself or at a subresource. */
export type Owner = {
  readonly manager: string
  readonly operation: Operation
  readonly apiVersion: string
  readonly subresource?: string
  /** When it last changed something; absent while it has only claimed what was there. */
  readonly time?: string
  readonly fields: FieldSet
}

/** Owners by `ownerId`. */
export type Owners = ReadonlyMap<string, Owner>

/** Update owners at most; older ones become one. */
export const UPDATE_OWNERS_MAX = 10
const ANCIENT = 'ancient-changes'
/** The longest manager, in characters, as Kubernetes takes it. */
const MANAGER_CHARS_MAX = 128
/** Entries that a request may set at most. */
const ENTRIES_MAX = 100

/** What tells owners apart: an applier is one across versions, others are one a version. */
export const ownerId = ({ manager, operation, apiVersion, subresource }: Omit<Owner, 'fields' | 'time'>): string =>
  [manager, operation, operation === 'Apply' ? '' : apiVersion, subresource ?? ''].join('\u0000')

/** Owners of stored entries, which have been read once before. */
export function ownersOf(entries: readonly ManagedFieldsEntry[] = []): Owners {
  const owners = new Map<string, Owner>()
  for (const entry of entries) {
    const { manager = '', operation, apiVersion = '', subresource, time, fieldsV1 } = entry
    if (operation === undefined) continue
    const owner: Owner = {
      manager,
      operation,
      apiVersion,
      ...(subresource === undefined || subresource === '' ? {} : { subresource }),
      ...(time === undefined ? {} : { time }),
      // Only sets are stored here.
      fields: (fieldsV1 ?? {}) as FieldSet,
    }
    owners.set(ownerId(owner), owner)
    written.set(owner, entry)
  }
  return owners
}

/** The entries that owners were read from: an owner never changes, so its entry need not be made anew. */
const written = new WeakMap<Owner, ManagedFieldsEntry>()

/** What a request says of managedFields. */
export type RequestedEntries =
  | { readonly says: 'nothing' }
  /** `[{}]`, and `[]` where that counts: forget every owner. */
  | { readonly says: 'reset' }
  | { readonly says: 'owners'; readonly owners: Owners }

/**
 * Reads managedFields of a request; what is no list of entries says nothing, as in Kubernetes. `emptyResets`: `[]` is
 * a reset for built-in kinds; of custom ones empty metadata vanishes before anything looks at it.
 */
export function requestedEntries(raw: unknown, options: { readonly emptyResets: boolean }): RequestedEntries {
  if (!Array.isArray(raw) || raw.length > ENTRIES_MAX) return { says: 'nothing' }
  const entries: readonly unknown[] = raw
  if (entries.length === 0) return { says: options.emptyResets ? 'reset' : 'nothing' }
  if (entries.length === 1 && isBlank(entries[0])) return { says: 'reset' }
  const owners = new Map<string, Owner>()
  for (const entry of entries) {
    const owner = readEntry(entry)
    if (owner === undefined) return { says: 'nothing' }
    owners.set(ownerId(owner), owner)
  }
  return { says: 'owners', owners }
}

const isBlank = (entry: unknown): boolean =>
  isJsonObject(entry) && Object.values(entry).every((value) => value === null || value === '')

function readEntry(entry: unknown): Owner | undefined {
  if (!isJsonObject(entry)) return undefined
  const { manager = '', operation, apiVersion, subresource = '', time, fieldsType, fieldsV1 = {} } = entry
  if (operation !== 'Apply' && operation !== 'Update') return undefined
  if (typeof apiVersion !== 'string' || apiVersion === '' || fieldsType !== 'FieldsV1') return undefined
  if (typeof manager !== 'string' || manager.length > MANAGER_CHARS_MAX) return undefined
  if (typeof subresource !== 'string' || subresource.length > MANAGER_CHARS_MAX) return undefined
  const fields = readFields(fieldsV1 ?? {}, DEPTH_MAX)
  if (fields === undefined) return undefined
  return {
    manager,
    operation,
    apiVersion,
    ...(subresource === '' ? {} : { subresource }),
    ...(typeof time === 'string' ? { time } : {}),
    fields,
  }
}

/** A set in its canonical form; undefined when it is none. */
function readFields(raw: unknown, levels: number): FieldSet | undefined {
  if (!isJsonObject(raw) || levels === 0) return undefined
  let members: FieldSet = {}
  for (const [element, child] of Object.entries(raw)) {
    if (element === '.') continue
    const canonical = canonicalElement(element)
    const inner = readFields(child, levels - 1)
    if (canonical === undefined || inner === undefined) return undefined
    const isOwn = isJsonObject(child) && (Object.hasOwn(child, '.') || Object.keys(child).length === 0)
    const node = nodeOf(isOwn, inner)
    if (node !== undefined) members = union(members, { [canonical]: node })
  }
  return members
}

/** The entries of owners; undefined when there is none, as nothing is stored then. */
export function entriesOf(owners: Owners): readonly ManagedFieldsEntry[] | undefined {
  if (owners.size === 0) return undefined
  return [...owners.values()].sort(byAge).map((owner) => written.get(owner) ?? entryOf(owner))
}

const entryOf = (owner: Owner): ManagedFieldsEntry => ({
  ...(owner.manager === '' ? {} : { manager: owner.manager }),
  operation: owner.operation,
  apiVersion: owner.apiVersion,
  ...(owner.time === undefined ? {} : { time: owner.time }),
  fieldsType: 'FieldsV1',
  fieldsV1: sortedSet(owner.fields),
  ...(owner.subresource === undefined ? {} : { subresource: owner.subresource }),
})

function byAge(left: Owner, right: Owner): number {
  if (left.operation !== right.operation) return left.operation < right.operation ? -1 : 1
  const [one, other] = [sortText(left), sortText(right)]
  return one === other ? 0 : one < other ? -1 : 1
}

/** RFC 3339 in UTC sorts as text; an absent time is the oldest. */
const sortText = (owner: Owner): string =>
  [owner.time ?? '', owner.manager, owner.apiVersion, owner.subresource ?? ''].join('\u0000')

/** At most UPDATE_OWNERS_MAX owners by other writes than apply: the oldest are taken together, version by version. */
export function capped(owners: Owners): Owners {
  const updaters = [...owners].filter(([, owner]) => owner.operation === 'Update')
  if (updaters.length <= UPDATE_OWNERS_MAX) return owners
  const oldest = updaters.sort(([leftId, left], [rightId, right]) => {
    const [one, other] = [`${left.time ?? ''}\u0000${leftId}`, `${right.time ?? ''}\u0000${rightId}`]
    return one < other ? -1 : 1
  })
  const kept = new Map(owners)
  const firsts = new Map<string, string>()
  let count = updaters.length
  for (const [id, owner] of oldest) {
    if (count <= UPDATE_OWNERS_MAX) break
    const { apiVersion, time } = owner
    const first = firsts.get(apiVersion)
    if (first === undefined) {
      firsts.set(apiVersion, id)
      continue
    }
    const bucketKey = { manager: ANCIENT, operation: 'Update', apiVersion } as const
    const bucketId = ownerId(bucketKey)
    const bucket = kept.get(bucketId) ?? kept.get(first)
    if (!kept.has(bucketId)) kept.delete(first)
    kept.delete(id)
    const fields = union(owner.fields, bucket?.fields ?? {})
    kept.set(bucketId, { ...bucketKey, ...(time === undefined ? {} : { time }), fields })
    count -= 1
  }
  return kept
}

/** Owners without those that own nothing any more. */
export const withoutEmpty = (owners: Iterable<readonly [string, Owner]>): Owners =>
  new Map([...owners].filter(([, owner]) => !isEmptySet(owner.fields)))
