/** Conditions: what an operator reads, and the rules that keep them stable between passes. Pure. */
import { z } from 'zod'

/** Whether a condition holds; Unknown when nobody can say. */
export type ConditionStatus = 'True' | 'False' | 'Unknown'

/** metav1.Condition as a schema, shared by every kind's status. */
export const conditionSchema = z
  .object({
    type: z.string().max(316).describe('What the condition speaks of, in CamelCase, for example Ready.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
    observedGeneration: z.int().optional().describe('The metadata.generation that the condition speaks for.'),
    lastTransitionTime: z.iso.datetime().describe('When status last changed.'),
    reason: z.string().max(1024).describe("Why, as one CamelCase word of the kind's catalogue."),
    message: z.string().max(32768).describe('Why, for a person, and what to do. Stable between passes.'),
  })
  .meta({ title: 'Condition' })

export type Condition = Readonly<z.infer<typeof conditionSchema>>

/** The list of conditions of a status: a map by type. */
export const conditionsSchema = z
  .array(conditionSchema)
  .max(32)
  .optional()
  .describe('What holds for this object now; Ready sums them up.')
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })

/** What a reconciler says of one condition: the rest (time, generation) is stamped by `mergeConditions`. */
export type ConditionPatch = {
  readonly type: string
  readonly status: ConditionStatus
  readonly reason: string
  readonly message: string
}

/** The longest message kept; longer ones are cut with an ellipsis. */
export const CONDITION_MESSAGE_CHARS_MAX = 200

/** Present only while true: their absence says false (kstatus). */
const PRESENT_ONLY_WHILE_TRUE: ReadonlySet<string> = new Set(['Reconciling', 'Stalled'])

/**
 * The conditions after a pass: exactly those of `next` (a type not named is dropped), each with `generation` and,
 * where its status did not change, with the lastTransitionTime it had. Sorted by type, Ready first.
 */
export function mergeConditions(
  previous: readonly Condition[] | undefined,
  next: readonly ConditionPatch[],
  stamp: { readonly generation: number; readonly now: string },
): Condition[] {
  const before = new Map((previous ?? []).map((condition) => [condition.type, condition]))
  return next
    .filter((patch) => patch.status === 'True' || !PRESENT_ONLY_WHILE_TRUE.has(patch.type))
    .map((patch) => {
      const old = before.get(patch.type)
      const lastTransitionTime = old?.status === patch.status ? old.lastTransitionTime : stamp.now
      return { ...patch, message: cutMessage(patch.message), observedGeneration: stamp.generation, lastTransitionTime }
    })
    .sort((a, b) => rank(a.type) - rank(b.type) || (a.type < b.type ? -1 : 1))
}

const rank = (type: string): number => (type === 'Ready' ? 0 : 1)

const cutMessage = (message: string): string =>
  message.length <= CONDITION_MESSAGE_CHARS_MAX ? message : `${message.slice(0, CONDITION_MESSAGE_CHARS_MAX - 1)}…`

/** The condition of a type, if there. */
export const findCondition = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((condition) => condition.type === type)

/** Whether a condition is there and true. */
export const isTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True'

/** Ready=True, nothing else. */
export const ready = (reason: string, message: string): ConditionPatch[] => [
  { type: 'Ready', status: 'True', reason, message },
]

/** Ready=False with Reconciling=True: on the way, no one needs to act. */
export const reconciling = (reason: string, message: string): ConditionPatch[] => [
  { type: 'Ready', status: 'False', reason, message },
  { type: 'Reconciling', status: 'True', reason, message },
]

/** Ready=False with Stalled=True: it will not go on until somebody acts. */
export const stalled = (reason: string, message: string): ConditionPatch[] => [
  { type: 'Ready', status: 'False', reason, message },
  { type: 'Stalled', status: 'True', reason, message },
]

/** Ready=Unknown with Reconciling=True: the world cannot be seen now; nothing is concluded from that. */
export const unknown = (reason: string, message: string): ConditionPatch[] => [
  { type: 'Ready', status: 'Unknown', reason, message },
  { type: 'Reconciling', status: 'True', reason, message },
]
