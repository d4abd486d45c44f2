/** Persona: a tenant's own agent type, or its own version of a built-in one. Pure. */
import { z } from 'zod'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type StatusOf } from '../../api/define-kind.ts'
import { personaFields } from '../../../protocol/persona.ts'
import { observedGenerationField } from '../fields.ts'

const spec = z.object({
  ...personaFields,
  prompt: z
    .string()
    .min(20)
    .max(60000)
    .describe('What the agent is told: who it is, how it works, what good results are. Markdown.'),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  revision: z
    .string()
    .max(16)
    .optional()
    .describe('First 12 characters of the SHA-256 of the spec: which text a sprite works with.'),
  conditions: conditionsSchema,
})

export const personaKind = defineKind({
  kind: 'Persona',
  plural: 'personas',
  singular: 'persona',
  scope: 'Namespaced',
  description: 'A custom persona: its name is the agent type that it defines. Needs a plan with customPersonas.',
  spec,
  status,
  columns: [
    { name: 'Revision', type: 'string', jsonPath: '.status.revision', description: 'Which text is in force.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether it can be used.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  reasons: {
    InForce: 'Sprites of this agent type use it from their next task on.',
    PlanForbids: 'The tenant’s plan has no custom personas.',
    UnknownHandOff: 'It may hand off to an agent type that does not exist.',
    TenantNotReady: 'Its tenant, or the plan of its tenant, is not there.',
  },
})

export type PersonaObject = ObjectOf<typeof personaKind>
export type PersonaStatus = StatusOf<typeof personaKind>
