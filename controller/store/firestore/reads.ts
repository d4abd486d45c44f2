/** Reads single documents from Firestore itself, again and again for a while when it does not answer. */
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import { StoreError, type StoreKey, type StoreRecord } from '../store.ts'
import { CallFailure, CODE, type Found } from './calls.ts'
import type { Connections } from './connections.ts'
import { entryOf } from './document.ts'
import { isOutcomeUnknown, storeErrorOf } from './failures.ts'
import type { CollectionMirror } from './mirror.ts'
import { documentPath } from './paths.ts'
import { say } from './plan.ts'
import { isSameTime, revisionOf } from './time.ts'

/** What reads need of their store. */
export type ReadPorts = {
  readonly connections: Connections
  readonly clock: Clock
  readonly entropy: Entropy
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onRead: (documents: number) => void
}

const TRIES_MAX = 4
const RETRY: BackoffPolicy = { baseMs: 50, maxMs: 2000, jitter: 0.5 }

/** The record as it lies in Firestore; undefined when there is none. Throws StoreError, Unreadable for what is malformed. */
export async function readRecord(
  ports: ReadPorts,
  key: StoreKey,
  mirror: CollectionMirror,
): Promise<StoreRecord | undefined> {
  const found = documentPath(key)
  if (!found.ok) return undefined
  const { documents } = await getAgain(ports, found.path, `read ${say(key)}`)
  const document = documents.get(found.path)
  if (document === undefined) return undefined
  const known = mirror.documents.get(found.path)
  // The very record that the mirror has: whoever parsed it need not do so again.
  if (known?.type === 'Live' && isSameTime(known.updateTime, document.updateTime)) return known.record
  const entry = entryOf(document, mirror)
  if (entry.type === 'Live') return entry.record
  if (entry.type === 'Malformed')
    throw new StoreError('Unreadable', `Cannot read ${say(key)}: ${entry.fault}`, key, {
      revision: revisionOf(entry.updateTime),
    })
  return undefined
}

/** The revision of now, by Firestore's clock: every commit that has resolved is at or before it. */
export async function serverRevision(ports: ReadPorts, path: string): Promise<number> {
  return revisionOf((await getAgain(ports, path, 'ask Firestore for its time')).readTime)
}

async function getAgain(ports: ReadPorts, path: string, doing: string): Promise<Found> {
  const { connections, clock, entropy, signal } = ports
  for (let tries = 1; ; tries++) {
    const calls = connections.current
    try {
      const found = await calls.get([path], ports.timeoutMs)
      ports.onRead(1)
      return found
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error
      if (error.code === CODE.DeadlineExceeded) void connections.replace(calls)
      if (signal.aborted) throw new StoreError('Closed', 'Cannot use the store: it is closed')
      const isPassing = isOutcomeUnknown(error.code) || error.code === CODE.Aborted
      if (!isPassing || tries >= TRIES_MAX) throw storeErrorOf(error, doing)
    }
    await clock.sleep(backoffMs(RETRY, tries, entropy.random()), signal).catch(() => {
      throw new StoreError('Closed', 'Cannot use the store: it is closed')
    })
  }
}
