/** Runs the writes of one key one after another, and those of different keys side by side. */

/** Waits for the earlier runs of the same id, whatever became of them, then runs. */
export type KeyedLock = <T>(id: string, run: () => Promise<T>) => Promise<T>

/** Makes a lock; ids that nobody waits for take no memory. */
export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>()
  return async (id, run) => {
    const before = tails.get(id)
    const result = before === undefined ? run() : before.then(run)
    const tail = result.then(
      () => {},
      () => {},
    )
    tails.set(id, tail)
    try {
      return await result
    } finally {
      if (tails.get(id) === tail) tails.delete(id)
    }
  }
}
