/** A persona: who an agent is. One shape for the Markdown files under personas/ and for the kind Persona. Pure. */
import { z } from 'zod'

/** The tools that a persona may be given; each is a way to report a result, never a way into the machine. */
export const TOOL_NAMES = ['deliver', 'hand_off', 'request_review', 'report_blocked'] as const
/** A tool that a persona may use. */
export type ToolName = (typeof TOOL_NAMES)[number]

/** The fields of a persona but its text; agent type names are DNS labels of at most 40 characters. */
export const personaFields = {
  description: z.string().min(1).max(500).describe('What the agent does, in one sentence.'),
  model: z.string().min(1).max(100).optional().describe('Claude model; absent is the control plane’s default.'),
  effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).default('medium').describe('How hard the model thinks.'),
  maxTokens: z.int().min(256).max(64000).default(8192).describe('Most output tokens of one call.'),
  tools: z
    .array(z.enum(TOOL_NAMES))
    .max(TOOL_NAMES.length)
    .default(['deliver', 'hand_off', 'request_review', 'report_blocked'])
    .describe('Ways in which the agent may report.')
    .meta({ 'x-kubernetes-list-type': 'set' }),
  mayHandOffTo: z
    .array(
      z
        .string()
        .min(1)
        .max(40)
        .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/),
    )
    .max(30)
    .default([])
    .describe('Agent types that it may hand work to.')
    .meta({ 'x-kubernetes-list-type': 'set' }),
}

/** Front matter of a Markdown persona: the fields and the name; unknown keys are errors. */
export const personaFrontMatter = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(40)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .describe('The agent type, equal to the file’s name.'),
  ...personaFields,
})

/** A persona as a sprite receives it with its task. `prompt` is Markdown. */
export const personaSchema = z.object({ ...personaFrontMatter.shape, prompt: z.string().min(1).max(60000) })

export type Persona = Readonly<z.infer<typeof personaSchema>>
