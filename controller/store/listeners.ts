/** Tells the subscribers of a store about commits: in order, never inside the committer's call, each shielded from the others. */
import type { Log } from '../../system/log.ts'
import type { Change } from './store.ts'

type Listener = {
  readonly call: (changes: readonly Change[], revision: number) => void
  /** Commits up to this revision were made before it listened. */
  readonly since: number
}

/** Subscribers and the commits that they are still to be told of. */
export class Listeners {
  readonly #log: Log
  readonly #listeners = new Set<Listener>()
  #pending: (readonly Change[])[] = []

  constructor(log: Log) {
    this.#log = log
  }

  /** Listens to every commit after `since`. */
  add(since: number, call: Listener['call']): () => void {
    const listener: Listener = { call, since }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells of one commit in the next microtask. */
  tell(changes: readonly Change[]): void {
    if (changes.length === 0) return
    this.#pending.push(changes)
    if (this.#pending.length === 1) queueMicrotask(() => this.#drain())
  }

  clear(): void {
    this.#listeners.clear()
  }

  #drain(): void {
    const pending = this.#pending
    this.#pending = []
    for (const changes of pending) {
      const revision = changes.at(-1)?.record.revision ?? 0
      for (const listener of this.#listeners) if (revision > listener.since) this.#call(listener, changes, revision)
    }
  }

  #call(listener: Listener, changes: readonly Change[], revision: number): void {
    try {
      listener.call(changes, revision)
    } catch (error) {
      this.#log.error({ err: error, revision }, 'store listener threw')
    }
  }
}
