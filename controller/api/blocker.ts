/** Why something does not run, as data: the same record in status, in a 4xx body and on the dashboard. Pure. */
import { z } from 'zod'

/** One reason why an object does not go on, as data: the same in kubectl, the Coordinator's API and the dashboard. */
export const blockerSchema = z.object({
  reason: z.string().max(64).describe("Why, as one CamelCase word of the kind's catalogue, for example Queued."),
  limit: z.int().optional().describe('The limit that is reached, in the unit of the reason.'),
  used: z.int().optional().describe('How much of the limit is in use.'),
  requested: z.int().optional().describe('How much is asked for.'),
  holders: z.array(z.string().max(253)).max(50).optional().describe('Names of those that hold what is asked for.'),
  position: z.int().optional().describe('Place in the queue; 1 is next.'),
  retryAt: z.iso.datetime().optional().describe('When it is tried again.'),
  fix: z.string().max(500).describe('What a person can do about it.'),
})

export type Blocker = Readonly<z.infer<typeof blockerSchema>>

/** The list of blockers in a status; at most 16. */
export const blockersSchema = z
  .array(blockerSchema)
  .max(16)
  .optional()
  .describe('Why it does not run, as data; empty when nothing is in the way.')
  .meta({ 'x-kubernetes-list-type': 'atomic' })
