/** What a store may do to a control plane: writes that are lost, refused, applied without an answer, or answered late. */
import { ApiError } from '../../controller/api/errors.ts'
import type { Client } from '../../controller/client/client.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'

/** How a write goes wrong. */
export const STORE_FAULT_KINDS = ['lost', 'late', 'conflict', 'slow'] as const

/** Which of them befall writes, and how many of them (0…1). */
export type StoreFaults = { readonly kinds: readonly (typeof STORE_FAULT_KINDS)[number][]; readonly share: number }

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patchStatus', 'patchMetadata', 'delete'])
const SLOW_MS = 7_000

/** The same client, whose writes meet the faults that are set when they are made. */
export function faultyStore<T extends Client>(
  client: T,
  ports: {
    readonly clock: Clock
    readonly entropy: Entropy
    readonly faults: () => StoreFaults | undefined
    readonly onFault: () => void
  },
): T {
  const draw = (): StoreFaults['kinds'][number] | undefined => {
    const faults = ports.faults()
    if (faults === undefined || ports.entropy.random() >= faults.share) return undefined
    ports.onFault()
    return faults.kinds[Math.floor(ports.entropy.random() * faults.kinds.length)]
  }
  const meet = async (write: () => Promise<unknown>): Promise<unknown> => {
    switch (draw()) {
      case 'lost':
        throw new ApiError('ServiceUnavailable', 'The store cannot be reached')
      case 'conflict':
        throw new ApiError('Conflict', 'Another write came between')
      case 'slow':
        await ports.clock.sleep(SLOW_MS)
        return await write()
      case 'late':
        await write()
        throw new ApiError('Timeout', 'The store did not answer in time')
      default:
        return await write()
    }
  }
  return new Proxy(client, {
    get: (target, name) => {
      // Every property that is a function is called on its own object, as the client would.
      const value = Reflect.get(target, name, target) as unknown
      if (typeof value !== 'function') return value
      if (!WRITES.has(String(name))) return value.bind(target) as unknown
      return (...args: unknown[]) => meet(async () => (await value.apply(target, args)) as unknown)
    },
  })
}
