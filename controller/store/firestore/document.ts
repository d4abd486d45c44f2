/** What a document of a collection is: an object, the tombstone of one, a canary, or malformed; and the reverse. Pure. */
import type { StoreKey, StoreRecord } from '../store.ts'
import type { RawDocument } from './calls.ts'
import { decodeDocument, encodeDocument, EXPIRE_FIELD } from './codec.ts'
import { keyOfPath } from './paths.ts'
import type { Judge } from './shape.ts'
import { revisionOf, timeOf, type RawTime } from './time.ts'

/** The field in which the adapter keeps what it must know of a write. */
const WRITE_FIELD = '_write'
/** No object can have this name, so nothing lies where a collection's canary does. */
const CANARY_NAME = '_canary'

/** What the adapter keeps of a write. */
export type WriteMark = {
  /** Of this one write: a writer who never got an answer finds out by it. */
  readonly id: string
  /** What `value` was called with (ST11). */
  readonly draft: number
  /** The revision of the tombstone that it was written over. */
  readonly replaced?: number
}

/** What lies at a path. */
export type Entry = { readonly path: string; readonly updateTime: RawTime; readonly writeId: string } & (
  | {
      readonly type: 'Live'
      readonly record: StoreRecord
      readonly uid: string | undefined
      readonly replaced: number | undefined
    }
  /** `record` has the last value, and is missing where that cannot be read. */
  | { readonly type: 'Tombstone'; readonly record: StoreRecord | undefined }
  /** `last` is what it was while it was right, as far as this process knows. */
  | { readonly type: 'Malformed'; readonly fault: string; readonly last?: LiveEntry }
  | { readonly type: 'Canary' }
)

/** An object. */
export type LiveEntry = Entry & { readonly type: 'Live' }

/** A collection: which documents are its own, and of what kind they are. */
export type Place = {
  readonly collection: string
  readonly group: string
  readonly judge?: Judge | undefined
}

/** Where a collection group's canary lies. */
export const canaryPath = (group: string): string => `${group}/${CANARY_NAME}`

/** The fields of a canary; they differ each time, since Firestore does not count a write that changes nothing. */
export const canaryFields = (id: string): Readonly<Record<string, unknown>> => ({ [WRITE_FIELD]: { id, draft: 0 } })

/** The fields of a document that holds the text. */
export const liveFields = (text: string, mark: WriteMark): Readonly<Record<string, unknown>> => ({
  ...encodeDocument(text),
  [WRITE_FIELD]: { ...mark },
})

/** The fields of a tombstone: the last value, and when Firestore may remove it by itself. */
export const tombstoneFields = (
  text: string,
  mark: WriteMark,
  expiresAtMs: number,
): Readonly<Record<string, unknown>> => ({
  ...encodeDocument(text),
  [WRITE_FIELD]: { ...mark, deleted: true },
  [EXPIRE_FIELD]: new Date(expiresAtMs),
})

/** What the document is to a collection. */
export function entryOf(document: RawDocument, { collection, group, judge }: Place): Entry {
  const { path, fields, updateTime } = document
  const mark = markOf(fields)
  const at = { path, updateTime, writeId: mark.id }
  if (path === canaryPath(group)) return { ...at, type: 'Canary' }
  const key = keyOfPath(path)
  if (key === undefined || key.collection !== collection)
    return { ...at, type: 'Malformed', fault: 'no object lies at this path; delete the document or move it' }
  const decoded = decodeDocument(fields, revisionOf(updateTime), judge === undefined ? key : { ...key, judge })
  const record = decoded.ok ? recordOf(key, document, { value: decoded.value, draft: mark.draft }) : undefined
  if (mark.isDeleted) return { ...at, type: 'Tombstone', record }
  if (record === undefined) return { ...at, type: 'Malformed', fault: decoded.ok ? '' : decoded.fault }
  return { ...at, type: 'Live', record, uid: uidOf(fields), replaced: mark.replaced }
}

function recordOf(
  { collection, namespace, name }: StoreKey,
  { fields, updateTime }: RawDocument,
  { value, draft }: { readonly value: string; readonly draft: number | undefined },
): StoreRecord {
  const record = { collection, namespace, name, revision: revisionOf(updateTime), value }
  // A text that came back as it was written does not know its revision.
  return fields['_text'] === value && draft !== undefined ? { ...record, writtenAs: draft } : record
}

type Mark = {
  readonly id: string
  readonly draft: number | undefined
  readonly isDeleted: boolean
  readonly replaced: number | undefined
}

function markOf(fields: Readonly<Record<string, unknown>>): Mark {
  const mark = memberOf(fields, WRITE_FIELD)
  const id = memberOf(mark, 'id')
  return {
    id: typeof id === 'string' ? id : '',
    draft: numberOf(memberOf(mark, 'draft')),
    isDeleted: memberOf(mark, 'deleted') === true,
    replaced: numberOf(memberOf(mark, 'replaced')),
  }
}

const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined

function uidOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  const uid = memberOf(memberOf(fields, 'metadata'), 'uid')
  return typeof uid === 'string' ? uid : undefined
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? // It has the member.
      (value as Readonly<Record<string, unknown>>)[name]
    : undefined

/** What must have been the last change of a document that is at a revision; exact, where the document is known. */
export const timeAt = (revision: number, known: Entry | undefined): RawTime =>
  known !== undefined && revisionOf(known.updateTime) === revision ? known.updateTime : timeOf(revision)
