/** Runs an async function over many values, so many at a time, and keeps their order. */
import PQueue from 'p-queue'

/** The results in the order of the values; the first failure rejects. */
export async function mapLimited<T, R>(
  values: readonly T[],
  concurrency: number,
  run: (value: T) => Promise<R>,
): Promise<R[]> {
  const queue = new PQueue({ concurrency })
  return Promise.all(values.map((value) => queue.add(() => run(value)))) as Promise<R[]>
}
