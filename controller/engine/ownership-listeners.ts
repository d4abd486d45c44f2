/** Tells those who listen of changes of a process's share; their failures are theirs. */
import type { Log } from '../../system/log.ts'
import type { OwnershipChange, OwnershipListener } from './ownership.ts'

/** Who listens. */
export class OwnershipListeners {
  readonly #listeners = new Set<OwnershipListener>()
  readonly #shardOf: (tenant: string) => number
  readonly #log: Log

  constructor(shardOf: (tenant: string) => number, log: Log) {
    this.#shardOf = shardOf
    this.#log = log
  }

  /** The returned function ends it. */
  add(listener: OwnershipListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when all are content; never rejects. */
  async tell(type: OwnershipChange['type'], shards: readonly number[]): Promise<void> {
    const set = new Set(shards)
    const change: OwnershipChange = { type, has: (tenant) => set.has(this.#shardOf(tenant)) }
    const told = [...this.#listeners].map(async (listener) => await listener(change))
    for (const outcome of await Promise.allSettled(told))
      if (outcome.status === 'rejected')
        this.#log.error({ type, error: String(outcome.reason) }, 'A listener of shards failed')
  }
}
