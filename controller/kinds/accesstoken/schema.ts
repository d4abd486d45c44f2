/** AccessToken: a bearer token of the API, of which only the hash is stored. Pure. */
import { z } from 'zod'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf } from '../../api/define-kind.ts'
import { observedGenerationField, timeField } from '../fields.ts'

/** The role that acts on every tenant; its tokens lie in the system's namespace alone. */
export const PLATFORM_ADMIN_ROLE = 'platform-admin'

const spec = z.object({
  keyId: z
    .string()
    .min(16)
    .max(16)
    .regex(/^[0-9a-f]{16}$/)
    .describe('The part of the token that names it: 16 hex digits, the second part of prefix_keyid_secret.'),
  sha256: z
    .string()
    .min(64)
    .max(64)
    .regex(/^[0-9a-f]{64}$/)
    .describe('SHA-256 of the whole token, in lower-case hex. The token itself is with its holder alone.'),
  role: z
    .enum([PLATFORM_ADMIN_ROLE, 'admin', 'member', 'viewer'])
    .optional()
    .describe('What its holder may do in the tenant: admin, member or viewer; platform-admin in sprites-system alone.'),
  user: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Name of the User of the same namespace that its holder is, instead of a role.'),
  description: z.string().max(200).optional().describe('What the token is for, for people.'),
  expireTime: timeField('From when on it is refused; absent is never.').optional(),
})

const status = z.object({ observedGeneration: observedGenerationField, conditions: conditionsSchema })

export const accessTokenKind = defineKind({
  kind: 'AccessToken',
  plural: 'accesstokens',
  singular: 'accesstoken',
  shortNames: ['tok'],
  scope: 'Namespaced',
  description: 'A bearer token of the API that acts on one tenant; only its hash is stored.',
  spec,
  status,
  selectableFields: ['spec.role', 'spec.user'],
  rules: [
    {
      at: 'spec',
      rule: 'has(self.role) != has(self.user)',
      message: 'exactly one of role and user is needed',
      fieldPath: '.role',
    },
    {
      at: 'spec',
      rule: 'self.keyId == oldSelf.keyId',
      message: 'keyId is immutable: create another token',
      fieldPath: '.keyId',
    },
    {
      at: 'spec',
      rule: 'self.sha256 == oldSelf.sha256',
      message: 'sha256 is immutable: create another token',
      fieldPath: '.sha256',
    },
  ],
  columns: [
    { name: 'Role', type: 'string', jsonPath: '.spec.role', description: 'What its holder may do.' },
    { name: 'User', type: 'string', jsonPath: '.spec.user', description: 'The User that its holder is.' },
    { name: 'Expires', type: 'string', jsonPath: '.spec.expireTime', description: 'From when on it is refused.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether it is accepted.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
    {
      name: 'Reason',
      type: 'string',
      priority: 1,
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Why it is or is not accepted.',
    },
    {
      name: 'Description',
      type: 'string',
      priority: 1,
      jsonPath: '.spec.description',
      description: 'What the token is for.',
    },
  ],
  reasons: {
    Active: 'The token is accepted.',
    Expired: 'Its expireTime has passed: it is refused.',
    UserNotFound: 'The User that it names does not exist: it may do nothing.',
  },
})

export type AccessToken = ObjectOf<typeof accessTokenKind>
