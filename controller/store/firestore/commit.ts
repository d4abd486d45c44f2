/** Carries a commit out: each write under its precondition, repeated only where that cannot apply it twice. */
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import { StoreError, type Change, type Mutation } from '../store.ts'
import { CallFailure, CODE } from './calls.ts'
import type { ListenedCollection, Timings } from './collection.ts'
import type { Connections } from './connections.ts'
import { entryOf, type Entry } from './document.ts'
import { isOutcomeUnknown, isRefusedPrecondition, storeErrorOf } from './failures.ts'
import { changeOf, planWrite, replan, say, type PlannedWrite } from './plan.ts'
import { revisionOf, type RawTime } from './time.ts'

/** What commits need of their store. */
export type CommitPorts = {
  readonly connections: Connections
  readonly clock: Clock
  readonly entropy: Entropy
  readonly timings: Timings
  readonly collectionOf: (collection: string) => Promise<ListenedCollection>
  readonly onCall: (kind: 'read' | 'written', documents: number) => void
  readonly signal: AbortSignal
}

/** Tries of one commit. */
const TRIES_MAX = 8
/** No try begins later: a caller that waits for minutes has long gone, and passes are to end. In ms. */
const TRY_WITHIN_MS = 20_000
const RETRY: BackoffPolicy = { baseMs: 20, maxMs: 2000, jitter: 0.5 }

/** Commits the mutations and waits until this process has heard of them; see the rules of the store. Throws StoreError. */
export async function commit(ports: CommitPorts, mutations: readonly Mutation[]): Promise<readonly Change[]> {
  if (mutations.length === 0) return []
  const collections = new Map<string, ListenedCollection>()
  for (const { key } of mutations) collections.set(key.collection, await ports.collectionOf(key.collection))
  const plan = planAll(ports, mutations, collections)
  const { planned, times } = await carryOut(ports, plan)
  await hearOf(ports, collections, times)
  return planned.map((write, index) => changeOf(write, times[index] ?? EPOCH))
}

const EPOCH: RawTime = { seconds: 0, nanos: 0 }

function planAll(
  { clock, entropy }: CommitPorts,
  mutations: readonly Mutation[],
  collections: ReadonlyMap<string, ListenedCollection>,
): readonly PlannedWrite[] {
  const nowMs = clock.now()
  const context = { writeId: entropy.uuid(), draft: Math.max(1, Math.floor(nowMs)) * 1000, nowMs }
  const paths = new Set<string>()
  return mutations.flatMap((mutation) => {
    const mirror = collections.get(mutation.key.collection)?.mirror
    if (mirror === undefined) return []
    const planned = planWrite(mutation, mirror, context)
    if (paths.has(planned.path))
      throw new StoreError('Conflict', `Cannot change ${say(mutation.key)} twice in one commit`, mutation.key)
    paths.add(planned.path)
    return [planned]
  })
}

type Done = { readonly planned: readonly PlannedWrite[]; readonly times: readonly RawTime[] }

async function carryOut(ports: CommitPorts, plan: readonly PlannedWrite[]): Promise<Done> {
  const { connections, timings, clock, entropy } = ports
  let planned = plan
  let last: CallFailure | undefined
  const untilMs = clock.monotonic() + TRY_WITHIN_MS
  for (let tries = 1; tries <= TRIES_MAX && clock.monotonic() <= untilMs; tries++) {
    const calls = connections.current
    try {
      const writes = planned.map(({ write }) => write)
      const times = await calls.commit(writes, timings.callMs)
      ports.onCall('written', writes.length)
      return { planned, times }
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      last = error
      if (error.code === CODE.DeadlineExceeded) void connections.replace(calls)
    }
    const next = await afterFailure(ports, planned, last)
    if ('times' in next) return next
    planned = next.planned
    if (!isRefusedPrecondition(last.code))
      await clock.sleep(backoffMs(RETRY, tries, entropy.random()), ports.signal).catch(closed)
  }
  throw storeErrorOf(last ?? new CallFailure(CODE.Unknown, 'no answer'), `write ${sayAll(planned)}`, keyOf(planned))
}

const closed = (): never => {
  throw new StoreError('Closed', 'Cannot use the store: it is closed')
}

const sayAll = (planned: readonly PlannedWrite[]): string => planned.map(({ mutation }) => say(mutation.key)).join(', ')
const keyOf = (planned: readonly PlannedWrite[]) => (planned.length === 1 ? planned[0]?.mutation.key : undefined)

/** That the commit was applied after all, or what to try next. Throws what is final. */
async function afterFailure(
  ports: CommitPorts,
  planned: readonly PlannedWrite[],
  failure: CallFailure,
): Promise<Done | { readonly planned: readonly PlannedWrite[] }> {
  const { code } = failure
  if (code === CODE.Aborted) return { planned }
  // A condition on a time that was no document's may be called an invalid argument.
  const isInvalid = code === CODE.InvalidArgument
  if (!isRefusedPrecondition(code) && !isOutcomeUnknown(code) && !isInvalid)
    throw storeErrorOf(failure, `write ${sayAll(planned)}`, keyOf(planned))
  const now = await entriesNow(ports, planned)
  if (now === undefined) return { planned }
  const times = appliedTimes(planned, now)
  if (times !== undefined) return { planned, times }
  const nowMs = ports.clock.now()
  const next = planned.map((write) => replan(write, now.get(write.path), nowMs))
  if (isInvalid) throw storeErrorOf(failure, `write ${sayAll(planned)}`, keyOf(planned))
  return { planned: next }
}

/** What lies at the paths; undefined when that cannot be read now either. */
async function entriesNow(
  ports: CommitPorts,
  planned: readonly PlannedWrite[],
): Promise<ReadonlyMap<string, Entry> | undefined> {
  const calls = ports.connections.current
  try {
    const { documents } = await calls.get(
      planned.map(({ path }) => path),
      ports.timings.callMs,
    )
    ports.onCall('read', planned.length)
    return new Map(
      planned.flatMap(({ path, mirror }) => {
        const document = documents.get(path)
        return document === undefined ? [] : [[path, entryOf(document, mirror)] as const]
      }),
    )
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error
    if (error.code === CODE.DeadlineExceeded) void ports.connections.replace(calls)
    return undefined
  }
}

/** The commit's times, if any document, now or as the listener told it, bears its write id: then all were written. */
function appliedTimes(
  planned: readonly PlannedWrite[],
  now: ReadonlyMap<string, Entry>,
): readonly RawTime[] | undefined {
  const own = planned.flatMap(({ path, writeId, mirror }) =>
    [now.get(path), mirror.documents.get(path)].filter((entry) => entry?.writeId === writeId),
  )[0]
  // Documents that one commit writes have one update time.
  return own === undefined ? undefined : planned.map(() => own.updateTime)
}

/** Waits until the process's own listeners have told of the commit; a silent one is made anew, and not waited for. */
async function hearOf(
  ports: CommitPorts,
  collections: ReadonlyMap<string, ListenedCollection>,
  times: readonly RawTime[],
): Promise<void> {
  const revision = Math.max(...times.map(revisionOf))
  await Promise.all(
    [...collections.values()].map(async (collection) => {
      if (await collection.reach(revision, ports.timings.commitWaitMs)) return
      if (!ports.signal.aborted) collection.rebuild('it did not tell of a commit')
    }),
  )
}
