/**
 * What moves from one place to another, and what a place must be able to do. Pure.
 *
 *  TF1 Everything moves but Leases, which say who leads where they are: all kinds, events too, spec, status, uid,
 *      managedFields and finalizers as they are, and what tenants have spent this month and last.
 *  TF2 What is there already in the same form is left alone, so that a move that broke off is simply started again.
 *  TF3 What is there in another form, or there and nowhere else, stops the move before the first write, unless it is to be
 *      replaced: then the target is made the same as the source. From a cluster, which others use too, nothing is removed.
 *      Events stop nothing: they come and go by themselves.
 *  TF4 Afterwards both places are read again in full and compared; what differs is named, and the exit code says so.
 *  TF5 Secrets are encrypted anew for the place that they come to; one that cannot be read stops the move at its start.
 *  TF6 A backup is one file, whole or not there: its last line says how many lines it has and their digest, and a file
 *      without it is refused before anything is written.
 *  TF7 A cluster gives objects new uids: owner references follow them; what has a machine that runs, which bears the uid,
 *      or is being deleted stops the move before the first write; a stopped machine is left behind and destroyed as a
 *      stray. Events and slots stay behind: the controllers make them anew. Out of a cluster come our kinds, the namespaces
 *      of tenants, what people put into them, and what the control plane keeps for itself.
 *  TF8 A place is named embedded:FOLDER, firestore, cluster or file:PATH; settings say which of their sort.
 *  TF9 Both ends belong to one control plane, by its id and master key; a new folder takes them over.
 *  TF10 A backup of Firestore is of one instant, though processes are at work; so is one that a running control plane
 *      makes of itself, whatever its store.
 *  TF11 Nothing moves to or from a Firestore that processes with the role controller work on, but into a backup.
 */
import type { JsonObject } from '../../api/object.ts'
import { canonicalJson } from '../../api/digest.ts'
import type { StoreKey } from '../../store/store.ts'

/** An object under way; it keeps its resourceVersion only as a memory of where it was. */
export type Carried = StoreKey & { readonly object: JsonObject }

/** What a tenant has spent in a month. */
export type Spent = { readonly tenant: string; readonly period: string; readonly spent: number }

/** What became of an object at the place that it was put to. */
export type PutOutcome = 'Written' | 'Same' | 'Differs'

/** A place that can be read in full. */
export interface Source {
  /** In words, for a person. */
  readonly name: string
  /** Owners before what they own, and the same order each time. Rejects with TransferError. */
  objects(): AsyncIterable<Carried>
  spent(): AsyncIterable<Spent>
  close(): Promise<void>
}

/** A place that objects can be put to. */
export interface Target extends Source {
  /** Throws TransferError for what may not come here; asked before the first write, too. */
  refuse?(carried: Carried): void
  /** `mayReplace`: what differs is overwritten. Rejects with TransferError. */
  put(carried: Carried, options: { readonly mayReplace: boolean }): Promise<PutOutcome>
  setSpent(spent: Spent): Promise<void>
  /** All was put: makes it last. */
  seal(): Promise<void>
  /** Nothing is there before, whatever can be read: what is put replaces all of it. */
  readonly isNew?: boolean
  /** Takes away what the source has not; absent where others' objects may lie. Rejects with TransferError. */
  remove?(key: StoreKey): Promise<void>
  /** Collections of the target that others use, too: what is in it alone is in nobody's way. */
  readonly shared?: ReadonlySet<string>
  /** Collections that stay behind: what is in them is made anew there. */
  readonly skipped?: ReadonlySet<string>
  /** What of an object is compared; absent: all but its resourceVersion. */
  readonly comparable?: (object: JsonObject) => JsonObject
}

/** A move cannot begin or go on; the message says where and what would do. */
export class TransferError extends Error {
  override readonly name = 'TransferError'
}

/** The object without what its place gave it: what must be the same in both. */
export function withoutPlace(object: JsonObject): JsonObject {
  const { resourceVersion: _place, ...metadata } = metadataOf(object)
  return { ...object, metadata }
}

/** The metadata of an object; empty when it has none. */
export function metadataOf(object: JsonObject): JsonObject {
  const { metadata } = object
  // A map is neither an array nor null.
  return typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) ? (metadata as JsonObject) : {}
}

/** Text that is equal for objects that are the same in both places. */
export const formOf = (object: JsonObject, comparable: Target['comparable'] = withoutPlace): string =>
  canonicalJson(comparable(object))

/** How an object is called in messages, as `sprites acme/writer`. */
export const titleOf = ({ collection, namespace, name }: StoreKey): string =>
  `${collection.split('.')[0] ?? collection} ${namespace === '' ? '' : `${namespace}/`}${name}`

/** The target has another form of the object, and may keep it. */
export const differs = (key: StoreKey, target: string): TransferError =>
  new TransferError(
    `Cannot put ${titleOf(key)}: ${target} has it in another form; choose an empty target, or overwrite it with --replace`,
  )

/** The target has an object that the source has not, and may keep it. */
export const onlyThere = (key: StoreKey, target: string): TransferError =>
  new TransferError(
    `Cannot begin: ${titleOf(key)} is in ${target} alone; choose an empty target, or remove it with --replace`,
  )
