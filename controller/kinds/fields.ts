/** Field schemas that several kinds share, each bounded so that CEL rules over it stay cheap. Pure. */
import { z } from 'zod'

/** A DNS-1123 label: tenants, sprites, projects. Checked before any path, ACL or machine name is built from it. */
export const DNS_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'

/** The longest name of a tenant, sprite, project or agent type, in characters: machine names must fit in 63. */
export const NAME_CHARS_MAX = 40

/** A DNS label as a field. */
export const nameField = (description: string) =>
  z.string().min(1).max(NAME_CHARS_MAX).regex(new RegExp(DNS_LABEL)).describe(description)

/** An agent type as a field. */
export const agentTypeField = (description: string) => nameField(description).meta({ title: 'AgentType' })

/** An instant as a field, RFC 3339. */
export const timeField = (description: string) => z.iso.datetime().describe(description)

/** A count as a field; 0 is the least. */
export const countField = (description: string) => z.int().min(0).describe(description)

/** Free JSON: kept as it is, never interpreted by the control plane. */
export const freeObject = (description: string) =>
  z.record(z.string(), z.unknown()).describe(description).meta({ 'x-kubernetes-preserve-unknown-fields': true })

/** A list of names without order or repeats. */
export const nameSet = (item: z.ZodType<string>, itemsMax: number, description: string) =>
  z.array(item).max(itemsMax).describe(description).meta({ 'x-kubernetes-list-type': 'set' })

/** status.observedGeneration: -1 at creation, so that no tool takes a new object for ready. */
export const observedGenerationField = z
  .int()
  .optional()
  .describe('The metadata.generation that this status speaks for; -1 until a controller has seen the object.')

/** CPU and memory of a machine, within what Fly sells. */
export const guestSchema = z
  .object({
    cpuKind: z.enum(['shared', 'performance']).default('shared').describe('Kind of CPU: shared or performance.'),
    cpus: z.int().min(1).max(16).default(1).describe('Number of virtual CPUs.'),
    memoryMb: z.int().min(256).max(131072).multipleOf(256).default(512).describe('Memory in MiB, a multiple of 256.'),
  })
  .meta({ title: 'Guest' })

export type Guest = Readonly<z.infer<typeof guestSchema>>

/** Tokens by how they are priced. */
export const usageSchema = z.object({
  inputTokens: countField('Input tokens that were neither read from nor written to the prompt cache.').default(0),
  outputTokens: countField('Output tokens.').default(0),
  cacheReadTokens: countField('Input tokens read from the prompt cache.').default(0),
  cacheWriteTokens: countField('Input tokens written to the prompt cache.').default(0),
})

export type TokenUsage = Readonly<z.infer<typeof usageSchema>>

/** Every token of a usage, of all four sorts: what budgets count. */
export const totalTokens = (usage: TokenUsage): number =>
  usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens
