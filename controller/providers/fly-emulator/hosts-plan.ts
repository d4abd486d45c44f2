/** Pure: the loss of a host that is planned, as data. */
import { z } from 'zod'
import { REGIONS } from './regions.ts'

const DAY_MS = 86_400_000

/** How many each region has: `iad-0` to `iad-3`. */
export const HOSTS_PER_REGION = 4

/** Whether a region has a host of this name. */
function isHost(host: string): boolean {
  const [region, at = '', ...rest] = host.split('-')
  return (
    REGIONS.some(({ code }) => code === region) && /^\d$/.test(at) && Number(at) < HOSTS_PER_REGION && rest.length === 0
  )
}

const codes = REGIONS.map(({ code }) => code).join(', ')

/** A loss that is planned: `atMs` after the emulator opened, for `forMs` (for good when absent). */
export const hostLossSchema = z.strictObject({
  host: z
    .string()
    .max(64)
    .refine(isHost, {
      error: ({ input }) =>
        `there is no host "${String(input)}": give REGION-0 to REGION-${HOSTS_PER_REGION - 1}, the region one of ${codes}`,
    }),
  atMs: z.int().min(0).max(DAY_MS),
  forMs: z.int().min(1).max(DAY_MS).optional(),
  /** Whether its machines' processes live on, unseen (a split of the net), or end. */
  processes: z.enum(['live', 'end']).default('live'),
})
/** A loss that is planned. */
export type HostLoss = z.infer<typeof hostLossSchema>
