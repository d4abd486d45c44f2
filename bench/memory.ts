/** Memory of cached objects, as a multiple of their JSON; in a process of its own, after garbage collection. */
import type { Row } from './table.ts'
import { startPeer } from './wire/messages.ts'

type Order = { readonly do: 'measure'; readonly objects: number }

/** One row: heap that 10,000 objects of 2 KB take in store and cache together, by their JSON size. */
export async function benchMemory(): Promise<Row[]> {
  const peer = await startPeer<Order>('memory.ts', {})
  try {
    // The first ones pay for what is made once.
    await peer.ask({ do: 'measure', objects: 2_000 })
    const { heapMb = NaN, jsonMb = NaN } = await peer.ask({ do: 'measure', objects: 10_000 })
    return [
      {
        what: 'memory per 1,000 cached objects of 2 KB, store included',
        ours: `${(heapMb / 10).toFixed(2)} MiB`,
        divisor: `their JSON ${(jsonMb / 10).toFixed(2)} MiB`,
        ratio: heapMb / jsonMb,
        aim: { ratio: 3, atMost: true },
      },
    ]
  } finally {
    await peer.stop()
  }
}
