/** Tells once when Firestore stops telling of changes, and once when it tells of all again: collections fall silent together. */
import type { Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'

/** Takes that a collection's changes do not arrive, and why; undefined: they arrive again. */
export type NoteListening = (collection: string, why: string | undefined) => void

/** What is known of all collections of a store; in metrics as `firestore_listeners_deaf`. */
export function createDeafness({ log, metrics }: { readonly log: Log; readonly metrics?: Metrics }): NoteListening {
  const deaf = new Set<string>()
  const gauge = metrics?.gauge(
    'firestore_listeners_deaf',
    'Collections whose changes do not arrive; 0 when all is well.',
  )
  gauge?.set(0)
  return (collection, why) => {
    const before = deaf.size
    if (why === undefined) deaf.delete(collection)
    else {
      deaf.add(collection)
      const message = 'Firestore does not tell of changes, listening anew: look at its status and at the network'
      log[before === 0 ? 'warn' : 'debug']({ collection, why }, message)
    }
    gauge?.set(deaf.size)
    if (before > 0 && deaf.size === 0) log.info({}, 'Firestore tells of all changes again')
  }
}
