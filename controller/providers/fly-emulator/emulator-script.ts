/** Pure: everything that is planned to go wrong in an emulator, as one document. */
import { z } from 'zod'
import { faultRuleSchema, machineRuleSchema } from './faults.ts'
import { feedOdditiesSchema } from './feed.ts'
import { hostLossSchema } from './hosts-plan.ts'
import { placementRuleSchema } from './placement.ts'
import { quirksSchema } from './quirks.ts'
import { rateLimitsSchema } from './rate-limits.ts'

const RULES_MAX = 10_000

/** What a faults file holds; every part may be left out. */
export const emulatorScriptSchema = z.strictObject({
  /** All that is drawn is drawn from it; without it, from the system's randomness. */
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  requests: z.array(faultRuleSchema).max(RULES_MAX).default([]),
  machines: z.array(machineRuleSchema).max(RULES_MAX).default([]),
  placement: z.array(placementRuleSchema).max(RULES_MAX).default([]),
  hosts: z.array(hostLossSchema).max(RULES_MAX).default([]),
  feed: feedOdditiesSchema.prefault({}),
  quirks: quirksSchema.prefault({}),
  /** In place of the documented rates. */
  rates: rateLimitsSchema.optional(),
})
/** Everything that is planned to go wrong. */
export type EmulatorScript = z.infer<typeof emulatorScriptSchema>
/** The same as it is written. */
export type EmulatorScriptInput = z.input<typeof emulatorScriptSchema>
