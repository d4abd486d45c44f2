/** Pure: what is not known for sure of the live service, as switches: a client that is right with all of them is safe. */
import { z } from 'zod'

/** What is not known for sure; each default is what most sources say. */
export const quirksSchema = z.strictObject({
  /** How an app that the token is not for is refused. */
  foreignApp: z.union([z.literal(401), z.literal(403), z.literal(404)]).default(403),
  /** How the name of a living machine is refused. */
  nameTaken: z.union([z.literal(400), z.literal(409), z.literal(422)]).default(409),
  /** How the name of an app that exists is refused. */
  appNameTaken: z.union([z.literal(409), z.literal(422)]).default(422),
  /** Whether a machine that is being destroyed still has its name. */
  destroyingHasName: z.boolean().default(true),
  /** Whether a start of a machine that is started is refused. */
  refusesStartOfStarted: z.boolean().default(false),
})
/** What is not known for sure. */
export type Quirks = z.infer<typeof quirksSchema>
