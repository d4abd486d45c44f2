/** Reads what a review asks. Pure. */
import { z } from 'zod'
import type { Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'

/** What a review asks about: a verb on a resource, or on a path outside the resources. */
export type ReviewedAccess =
  | {
      readonly verb: string
      readonly group: string
      readonly resource: string
      readonly subresource?: string
      readonly namespace?: string
      readonly name?: string
    }
  | { readonly verb: string; readonly path: string }

/** The spec of a review; members that the kind has not are empty. */
export type ReviewSpec = {
  readonly access: ReviewedAccess
  /** Of SelfSubjectRulesReview. */
  readonly namespace: string
  /** Whom SubjectAccessReview is about. */
  readonly subject: Actor
}

const text = z.string().max(1_000).nullish()
const texts = z.array(z.string().max(1_000)).max(1_000).nullish()
const specSchema = z.object({
  namespace: text,
  user: text,
  uid: text,
  groups: texts,
  extra: z.record(z.string(), z.array(z.string())).nullish(),
  resourceAttributes: z
    .object({ namespace: text, verb: text, group: text, resource: text, subresource: text, name: text })
    .nullish(),
  nonResourceAttributes: z.object({ path: text, verb: text }).nullish(),
})

type GivenSpec = z.infer<typeof specSchema>
type ResourceAttributes = NonNullable<GivenSpec['resourceAttributes']>

/** The body as an object; none at all is an empty one. Throws BadRequest. */
export function bodyOf(body: unknown): { readonly spec?: unknown } {
  const read = z.object({ spec: z.unknown().optional() }).safeParse(body ?? {})
  if (!read.success) throw new ApiError('BadRequest', 'The body of a review must be an object')
  return read.data
}

/** What the spec of a review of this kind asks. Throws BadRequest when it cannot be read, Invalid when it asks nothing. */
export function specOfReview(kind: string, body: { readonly spec?: unknown }): ReviewSpec {
  const read = specSchema.safeParse(body.spec ?? {})
  if (!read.success) throw new ApiError('BadRequest', `Cannot read the spec of the ${kind}: ${issueOf(read.error)}`)
  const spec = read.data
  const isAboutAccess = kind.endsWith('AccessReview')
  const namespace = given(spec.namespace)
  if (kind === 'SelfSubjectRulesReview' && namespace === undefined)
    throw new ApiError('BadRequest', 'no namespace on request')
  return {
    access: isAboutAccess ? accessOf(kind, spec) : { verb: '', path: '' },
    namespace: namespace ?? '',
    subject: kind.startsWith('Self') || !isAboutAccess ? NOBODY : subjectOf(kind, spec),
  }
}

const NOBODY: Actor = { name: '', groups: [] }

const given = (value: string | null | undefined): string | undefined =>
  value === null || value === '' ? undefined : value

const issueOf = ({ issues: [first] }: z.ZodError): string =>
  first === undefined ? 'it is malformed' : `${first.path.join('.')}: ${first.message}`

function accessOf(kind: string, { resourceAttributes, nonResourceAttributes }: GivenSpec): ReviewedAccess {
  if (resourceAttributes && !nonResourceAttributes) return resourceAccessOf(resourceAttributes)
  if (nonResourceAttributes && !resourceAttributes)
    return { verb: nonResourceAttributes.verb ?? '', path: nonResourceAttributes.path ?? '' }
  throw invalid(
    kind,
    'spec.resourceAttributes',
    'exactly one of nonResourceAttributes or resourceAttributes must be specified',
  )
}

function resourceAccessOf(attributes: ResourceAttributes): ReviewedAccess {
  const { verb, group, resource } = attributes
  const subresource = given(attributes.subresource)
  const namespace = given(attributes.namespace)
  const name = given(attributes.name)
  return {
    verb: verb ?? '',
    group: group ?? '',
    resource: resource ?? '',
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  }
}

function subjectOf(kind: string, { user, groups, uid, extra }: GivenSpec): Actor {
  if (given(user) === undefined && (groups ?? []).length === 0)
    throw invalid(kind, 'spec.user', 'at least one of user or group must be specified')
  return {
    name: user ?? '',
    groups: groups ?? [],
    ...(uid ? { uid } : {}),
    ...(extra ? { extra } : {}),
  }
}

function invalid(kind: string, field: string, why: string): ApiError {
  const message = `${kind}.authorization.k8s.io "" is invalid: ${field}: Invalid value: ${why}`
  return new ApiError('Invalid', message, {
    group: 'authorization.k8s.io',
    kind,
    causes: [{ reason: 'FieldValueInvalid', message: `Invalid value: ${why}`, field }],
  })
}
