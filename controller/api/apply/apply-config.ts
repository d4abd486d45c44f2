/** Applies a configuration: merges it, takes back what its manager no longer claims, and settles who owns what. Pure. */
import type { JsonObject } from '../object.ts'
import { jsonEqual } from '../patches.ts'
import type { MapAtom } from './atom.ts'
import { compare, without, type Comparison } from './compare.ts'
import type { Conflict } from './conflicts.ts'
import { differenceBelow, hasPath, intersection, pathsOf, union, type FieldSet } from './field-set.ts'
import { KUBECTL, provenFields, withLastApplied } from './last-applied.ts'
import { ownerId, withoutEmpty, type Owner, type Owners } from './managers.ts'
import { merge } from './merge.ts'
import { bare, owned, ownersAfterUpdate, takeFrom, type Ignored, type Writer } from './ownership.ts'
import { prune } from './prune.ts'
import { regrouped } from './regroup.ts'
import { setOf } from './set-of.ts'
import { typeFaults } from './typed.ts'

/** What an apply needs to be decided. */
export type ApplyInput = {
  readonly atom: MapAtom
  /** The object as it is, without managedFields; absent: the configuration creates it. */
  readonly live?: JsonObject
  readonly config: JsonObject
  readonly owners: Owners
  readonly writer: Writer
  readonly ignored: Ignored
  /** Takes what others own instead of answering with conflicts. */
  readonly force: boolean
}

/** How an apply ends. */
export type Applied =
  /** `object`: the live one itself when nothing in it changed; defaults are still to be filled in. */
  | { readonly outcome: 'applied'; readonly object: JsonObject; readonly owners: Owners }
  | { readonly outcome: 'conflicts'; readonly conflicts: readonly Conflict[] }
  /** The configuration does not fit the type; one sentence a fault. */
  | { readonly outcome: 'faults'; readonly faults: readonly string[] }

/** Owns what an object had before its first apply, when no write before it was tracked. */
const BEFORE_FIRST_APPLY = 'before-first-apply'

/** Applies a configuration for the writer. The same configuration applied again changes nothing. */
export function applyConfig(input: ApplyInput): Applied {
  const faults = typeFaults(input.atom, input.config)
  if (faults.length > 0) return { outcome: 'faults', faults }
  const prepared = { ...input, owners: regrouped(input.atom, firstOwners(input)) }
  const applied = applyOnce(prepared)
  const settled = input.writer.manager === KUBECTL ? yielded(prepared, applied) : applied
  if (settled.outcome !== 'applied' || input.writer.manager !== KUBECTL) return settled
  return { ...settled, object: withLastApplied(settled.object, input.config) }
}

function firstOwners(input: ApplyInput): Owners {
  const { live, owners } = input
  if (live === undefined || owners.size > 0) return owners
  const writer = { ...input.writer, manager: BEFORE_FIRST_APPLY }
  const { live: _created, ...rest } = input
  return ownersAfterUpdate({ ...rest, object: live, writer }) ?? owners
}

/** kubectl may overwrite what its own client-side apply has set, as the annotation proves. */
function yielded(input: ApplyInput, applied: Applied): Applied {
  if (applied.outcome !== 'conflicts') return applied
  const proven = provenFields(input.atom, input.live ?? {})
  const conflicts = applied.conflicts.filter(({ path }) => !hasPath(proven, path))
  return conflicts.length > 0 ? { outcome: 'conflicts', conflicts } : applyOnce({ ...input, force: true })
}

function applyOnce(input: ApplyInput): Applied {
  const { atom, config, writer, ignored } = input
  const live = input.live ?? bare(config)
  const { manager, apiVersion, subresource, time } = writer
  const key = {
    manager,
    operation: 'Apply',
    apiVersion,
    ...(subresource === undefined ? {} : { subresource }),
  } as const
  const id = ownerId(key)
  const before = input.owners.get(id)
  const fields = differenceBelow(setOf(atom, config), ignored)
  const claimed = [fields, ...fieldsOfOthers(input.owners, id)]
  const last = differenceBelow(before?.fields ?? {}, ignored)
  const object = prune(atom, merge(atom, live, config), { last, claimed })
  const differs = compare(atom, live, object)
  if (differs === undefined) return { outcome: 'faults', faults: ['an item of a stored list has no key'] }
  const seen = without(differs, ignored)
  const conflicts = input.force ? [] : conflictsWith(input.owners, seen, id)
  if (conflicts.length > 0) return { outcome: 'conflicts', conflicts }
  const isSame = jsonEqual(live, object)
  const moved = isSame ? (before?.time === undefined ? {} : { time: before.time }) : { time }
  const others = new Map(takeFrom(input.owners, seen, id))
  others.set(id, { ...key, ...moved, fields: owned(fields) })
  // An object stays one: apiVersion and kind are claimed by the configuration itself.
  return {
    outcome: 'applied',
    object: isSame ? (live as JsonObject) : (object as JsonObject),
    owners: withoutEmpty(others),
  }
}

const fieldsOfOthers = (owners: Owners, except: string): readonly FieldSet[] =>
  [...owners].flatMap(([id, { fields }]) => (id === except ? [] : [fields]))

function conflictsWith(owners: Owners, { changed, added }: Comparison, except: string): readonly Conflict[] {
  const taken = union(changed, added)
  return [...owners].flatMap(([id, owner]: readonly [string, Owner]) =>
    id === except ? [] : pathsOf(intersection(owner.fields, taken)).map((path) => ({ owner, path })),
  )
}
