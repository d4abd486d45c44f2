/** Pure: the loss of a host that is planned, as data. */
import { z } from 'zod'

const DAY_MS = 86_400_000

/** A loss that is planned: `atMs` after the emulator opened, for `forMs` (for good when absent). */
export const hostLossSchema = z.strictObject({
  host: z.string().max(64),
  atMs: z.int().min(0).max(DAY_MS),
  forMs: z.int().min(1).max(DAY_MS).optional(),
  /** Whether its machines' processes live on, unseen (a split of the net), or end. */
  processes: z.enum(['live', 'end']).default('live'),
})
/** A loss that is planned. */
export type HostLoss = z.infer<typeof hostLossSchema>
