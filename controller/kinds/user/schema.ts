/** User: a person and a role within a tenant. Pure. */
import { z } from 'zod'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf } from '../../api/define-kind.ts'
import { observedGenerationField } from '../fields.ts'

const spec = z.object({
  email: z
    .string()
    .min(3)
    .max(254)
    .regex(/^[^@\s]+@[^@\s]+$/)
    .describe('E-mail address, the identity of the person.'),
  role: z
    .enum(['admin', 'member', 'viewer'])
    .default('member')
    .describe('What the person may do: admin, member or viewer.'),
  displayName: z.string().max(200).optional().describe('Name of the person, for people.'),
})

const status = z.object({ observedGeneration: observedGenerationField, conditions: conditionsSchema })

export const userKind = defineKind({
  kind: 'User',
  plural: 'users',
  singular: 'user',
  scope: 'Namespaced',
  description: 'A person and a role within a tenant.',
  spec,
  status,
  selectableFields: ['spec.role'],
  columns: [
    { name: 'Email', type: 'string', jsonPath: '.spec.email', description: 'E-mail address.' },
    { name: 'Role', type: 'string', jsonPath: '.spec.role', description: 'admin, member or viewer.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  reasons: {
    Active: 'The role is in force.',
    EmailTaken: 'Another User of the tenant has the same e-mail address; the older one holds.',
  },
})

export type User = ObjectOf<typeof userKind>
