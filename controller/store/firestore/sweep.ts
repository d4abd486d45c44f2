/** Removes tombstones that every process has long heard of; TTL would too, but only within a day. */
import { CallFailure } from './calls.ts'
import type { ListenedCollection } from './collection.ts'
import type { Connections } from './connections.ts'
import type { Entry } from './document.ts'
import { TOMBSTONE_MS } from './plan.ts'
import { revisionOf } from './time.ts'

/** Between two sweeps, in ms. */
export const SWEEP_MS = 60_000
/** Tombstones removed in one sweep of a collection at most. */
const REMOVED_MAX = 200

/** Removes what is old by Firestore's own time; gives how many this process removed. Somebody else may be faster. */
export async function sweepTombstones(
  { mirror }: ListenedCollection,
  ports: { readonly connections: Connections; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const oldest = mirror.revision - TOMBSTONE_MS * 1000
  const due: Entry[] = []
  for (const entry of mirror.tombstones.values()) {
    if (revisionOf(entry.updateTime) < oldest) due.push(entry)
    if (due.length === REMOVED_MAX) break
  }
  let removed = 0
  for (const { path, updateTime } of due) {
    if (ports.signal.aborted) break
    try {
      await ports.connections.current.commit([{ type: 'Remove', path, condition: updateTime }], ports.timeoutMs)
      removed += 1
    } catch (error) {
      // Another process was faster, or the name is in use again; what failed otherwise comes again.
      if (!(error instanceof CallFailure)) throw error
    }
  }
  return removed
}
