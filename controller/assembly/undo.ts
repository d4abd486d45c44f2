/** Remembers how to close what was opened, and closes it once, last first. */

/** Closes what was opened, in the opposite order, once. */
export type Undo = {
  /** `close` must be safe to call when its part is already closed. */
  add(close: () => unknown): void
  /** Closes all, last first, each however the others end; throws the first failure afterwards. Runs once. */
  readonly run: () => Promise<void>
}

/** An empty list. */
export function createUndo(): Undo {
  const steps: (() => unknown)[] = []
  let running: Promise<void> | undefined
  const runAll = async (): Promise<void> => {
    const failures: unknown[] = []
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
  return { add: (close) => void steps.push(close), run: () => (running ??= runAll()) }
}
