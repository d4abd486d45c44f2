/** Declares action subresources, such as sprites/wake, and the scale subresource. Pure. */
import { z } from 'zod'
import { API_VERSION, GROUP, VERSION } from './define-kind.ts'
import type { SubresourceDefinition } from './resource.ts'
import { fromZod } from './schema/from-zod.ts'

/** What an action is declared with. */
export type ActionOptions = {
  /** The last segment of its path, and its verb's object in RBAC. */
  readonly name: string
  /** The kind of its body. */
  readonly kind: string
  /** One sentence: what it asks for. */
  readonly description: string
  /** What the body's spec may say; absent is nothing. */
  readonly spec?: z.ZodType
}

/** An action: it is asked for by a POST of its kind, which may be left out, and gives the object that it is asked of. */
export function actionOf({ name, kind, description, spec = NOTHING }: ActionOptions): SubresourceDefinition {
  const body = fromZod(spec)
  return {
    name,
    kind: { group: GROUP, version: VERSION, kind },
    verbs: ['create'],
    description,
    gives: 'object',
    schema: {
      type: 'object',
      description: `${kind} is the body of an action on ${API_VERSION}.`,
      properties: {
        apiVersion: { type: 'string', description: 'Group and version of the schema that the body follows.' },
        kind: { type: 'string', description: `The kind of the body: ${kind}.` },
        metadata: { type: 'object' },
        spec: { description: 'What is asked for.', ...body },
      },
      ...(body.required === undefined ? {} : { required: ['spec'] }),
    },
  }
}

const NOTHING = z.object({})

const scaleSchema = fromZod(
  z.object({
    apiVersion: z.string().describe('autoscaling/v1.').optional(),
    kind: z.string().describe('Scale.').optional(),
    metadata: z.object({}).optional(),
    spec: z
      .object({
        replicas: z.int().min(0).max(2_147_483_647).describe('How many are to run at once, at most.').optional(),
      })
      .describe('What is wanted.')
      .optional(),
    status: z
      .object({ replicas: z.int().describe('How many run.').optional() })
      .describe('What is.')
      .optional(),
  }),
)

/** The scale subresource of a kind that has replicas, in its sense of the word. */
export const SCALE: SubresourceDefinition = {
  name: 'scale',
  kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  verbs: ['get', 'patch', 'update'],
  description: 'How many may run at once, and how many do.',
  schema: { ...scaleSchema, description: 'Scale is the wanted and the present number of what runs.' },
}
