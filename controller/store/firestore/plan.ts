/** Plans the writes of a commit, and judges from what lies there now whether one may be tried again. Pure. */
import { StoreError, type Change, type Mutation, type StoreKey, type StoreRecord } from '../store.ts'
import type { RawWrite } from './calls.ts'
import { entryOf, liveFields, timeAt, tombstoneFields, type Entry } from './document.ts'
import { isTooLarge } from './limits.ts'
import type { CollectionMirror } from './mirror.ts'
import { documentPath } from './paths.ts'
import { revisionOf, type RawTime } from './time.ts'

/** How long a tombstone tells other processes of a deletion before it is removed, in ms. */
export const TOMBSTONE_MS = 600_000

/** One mutation with all that its write needs; `current` is what is believed to lie there. */
export type PlannedWrite = {
  readonly mutation: Mutation
  readonly mirror: CollectionMirror
  readonly path: string
  readonly text: string
  readonly draft: number
  readonly writeId: string
  readonly current: Entry | undefined
  readonly write: RawWrite
}

/** What all writes of a commit share. */
export type PlanContext = { readonly writeId: string; readonly draft: number; readonly nowMs: number }

/** A key in words, for messages. */
export const say = ({ collection, namespace, name }: StoreKey): string =>
  `${collection} ${namespace === '' ? '' : `${namespace}/`}${name}`

/** Plans one write. Throws Denied for a key that can have no document, TooLarge, NotFound for what is known to be gone. */
export function planWrite(mutation: Mutation, mirror: CollectionMirror, context: PlanContext): PlannedWrite {
  const { key } = mutation
  const found = documentPath(key)
  if (!found.ok) throw new StoreError('Denied', `Cannot write ${say(key)}: ${found.fault}`, key)
  const { path } = found
  const text = mutation.value(context.draft)
  const current = mirror.documents.get(path)
  return withWrite(
    { mutation, mirror, path, text, draft: context.draft, writeId: context.writeId, current },
    context.nowMs,
  )
}

/** The write once more, over what lies there now. Throws StoreError when that is not what the mutation expects. */
export function replan(planned: PlannedWrite, now: Entry | undefined, nowMs: number): PlannedWrite {
  checkExpected(planned.mutation, now)
  return withWrite({ ...planned, current: now }, nowMs)
}

function withWrite(planned: Omit<PlannedWrite, 'write'>, nowMs: number): PlannedWrite {
  const { mutation, path, text, draft, writeId, current } = planned
  const { key, expectedRevision } = mutation
  const tombstone = current?.type === 'Tombstone' ? current : undefined
  if (expectedRevision > 0 && tombstone !== undefined && revisionOf(tombstone.updateTime) === expectedRevision)
    throw notFound(key)
  const replaced = expectedRevision === 0 ? tombstone : undefined
  const mark = {
    id: writeId,
    draft,
    ...(replaced === undefined ? {} : { replaced: revisionOf(replaced.updateTime) }),
  }
  const fields = mutation.type === 'Delete' ? tombstoneFields(text, mark, nowMs + TOMBSTONE_MS) : liveFields(text, mark)
  if (isTooLarge(fields, path))
    throw new StoreError('TooLarge', `Cannot write ${say(key)}: it is larger than 1 MiB; make it smaller`, key)
  const condition = replaced?.updateTime ?? (expectedRevision === 0 ? 'Absent' : timeAt(expectedRevision, current))
  return { ...planned, write: { type: 'Set', path, fields, condition } }
}

function checkExpected({ key, expectedRevision }: Mutation, now: Entry | undefined): void {
  const isAbsent = now === undefined || now.type === 'Tombstone'
  if (expectedRevision === 0) {
    if (isAbsent) return
    throw new StoreError('AlreadyExists', `Cannot create ${say(key)}: it exists`, key)
  }
  if (isAbsent) throw notFound(key)
  const revision = revisionOf(now.updateTime)
  if (revision === expectedRevision) return
  const text = `Cannot change ${say(key)}: revision "${expectedRevision}" was expected, ${revision} is current`
  throw new StoreError('Conflict', text, key)
}

const notFound = (key: StoreKey): StoreError =>
  new StoreError('NotFound', `Cannot change ${say(key)}: it does not exist`, key)

/** The change that a write made: as the listener told it, or, when that told of a later one at once, as it must have been. */
export function changeOf(planned: PlannedWrite, updateTime: RawTime): Change {
  const { mutation, mirror, path, write, current } = planned
  const told = mirror.changeOf(mutation.key, revisionOf(updateTime))
  if (told !== undefined) return told
  const fields = write.type === 'Set' ? write.fields : {}
  const entry = entryOf({ path, fields, updateTime }, mirror)
  const record = 'record' in entry && entry.record !== undefined ? entry.record : bare(planned, updateTime)
  const isKnown = current?.type === 'Live' && current.record.revision === mutation.expectedRevision
  const type = mutation.type === 'Delete' ? 'Deleted' : mutation.expectedRevision === 0 ? 'Added' : 'Modified'
  return { type, record, ...(isKnown ? { previous: current.record } : {}) }
}

const bare = ({ mutation, text, draft }: PlannedWrite, updateTime: RawTime): StoreRecord => ({
  ...mutation.key,
  revision: revisionOf(updateTime),
  value: text,
  writtenAs: draft,
})
