/** Tells which objects outside the caches may have changed: as the store tells it, or by looking again and again. */
import type { Clock } from '../../system/clock.ts'

/** An object that may have changed; `collection` is the name of its resource. */
export type Touched = {
  readonly record: { readonly collection: string; readonly namespace: string; readonly name: string }
}

/** Calls back with what may have changed; a Store is one. The returned function ends it. */
export type ChangeSource = {
  subscribe(listener: (changes: readonly Touched[]) => void): () => void
}

/** A source of its own timer. */
export type PolledChanges = ChangeSource & { readonly close: () => void }

/**
 * Names the same objects every `intervalMs`: for what is too confidential to be watched in a cluster, where a right to
 * watch one Secret is a right to list all of them.
 */
export function pollChanges(ports: {
  readonly clock: Clock
  readonly intervalMs: number
  readonly touched: () => readonly Touched[]
}): PolledChanges {
  const listeners = new Set<(changes: readonly Touched[]) => void>()
  const closing = new AbortController()
  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await ports.clock.sleep(ports.intervalMs, closing.signal).catch(() => {})
      if (closing.signal.aborted || listeners.size === 0) continue
      const changes = ports.touched()
      if (changes.length > 0) for (const listener of listeners) listener(changes)
    }
  }
  void run()
  return {
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => closing.abort(),
  }
}
