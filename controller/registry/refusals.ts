/** The refusals of the registry, worded as kube-apiserver words them. Pure. */
import { resourceName } from '../api/define-kind.ts'
import { ApiError, type Cause, type ErrorDetails } from '../api/errors.ts'
import { goQuoted } from '../api/go-quote.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** Causes in one answer at most: a hostile object must not produce megabytes of text. */
const CAUSES_MAX = 20

const detailsOf = (resource: ResourceDefinition, name: string): ErrorDetails => ({
  ...(name === '' ? {} : { name }),
  ...(resource.group === '' ? {} : { group: resource.group }),
  kind: resource.plural,
})

const quoted = (resource: ResourceDefinition, name: string): string => `${resourceName(resource)} "${name}"`

/** The body or a parameter cannot be read. */
export const badRequest = (message: string): ApiError => new ApiError('BadRequest', message)

/** The body is no object of the resource's kind. */
export const unreadable = ({ kind, version }: ResourceDefinition, why: string): ApiError =>
  badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`)

/** What a patch makes of an object cannot be read. Unlike Kubernetes' words these do not repeat it: it may hold a secret. */
export function invalidPatch(why: string): ApiError {
  const message = `Invalid value: ${why}`
  const causes = [{ reason: 'FieldValueInvalid', message, field: 'patch' }]
  return new ApiError('Invalid', ` "" is invalid: patch: ${message}`, { causes })
}

/** The object is not there. */
export const notFound = (resource: ResourceDefinition, name: string): ApiError =>
  new ApiError('NotFound', `${quoted(resource, name)} not found`, detailsOf(resource, name))

/** The name is taken. */
export const alreadyExists = (resource: ResourceDefinition, name: string): ApiError =>
  new ApiError('AlreadyExists', `${quoted(resource, name)} already exists`, detailsOf(resource, name))

/** `why` says which precondition did not hold. */
export const conflict = (
  resource: ResourceDefinition,
  name: string,
  options: { readonly why: string; readonly cause?: unknown },
): ApiError => {
  const { why, cause } = options
  const message = `Operation cannot be fulfilled on ${quoted(resource, name)}: ${why}`
  return new ApiError('Conflict', message, detailsOf(resource, name), { cause })
}

/** Another write came between. */
export const stale = (resource: ResourceDefinition, name: string, cause?: unknown): ApiError => {
  const why = 'the object has been modified; please apply your changes to the latest version and try again'
  return conflict(resource, name, { why, cause })
}

const sayCause = (cause: Cause): string =>
  cause.field === undefined || cause.field === '' ? cause.message : `${cause.field}: ${cause.message}`

/** The object breaks its schema, a rule or a check; at most 20 causes are told. */
export function invalid(resource: ResourceDefinition, name: string, causes: readonly Cause[]): ApiError {
  const told = causes.slice(0, CAUSES_MAX)
  const texts = told.map(sayCause)
  const subject = `${resource.kind}${resource.group === '' ? '' : `.${resource.group}`} ${goQuoted(name)}`
  const more = causes.length > told.length ? `, and ${causes.length - told.length} more` : ''
  const list = texts.length === 1 && more === '' ? texts.join('') : `[${texts.join(', ')}${more}]`
  return new ApiError('Invalid', `${subject} is invalid: ${list}`, {
    ...detailsOf(resource, name),
    kind: resource.kind,
    causes: told,
  })
}

/** The same of what is wrong before the kind is looked at: it is told by its resource's name. */
export const invalidResource = (
  resource: ResourceDefinition,
  name: string,
  cause: Cause & { readonly field: string },
): ApiError =>
  new ApiError('Invalid', `${quoted(resource, name)} is invalid: ${cause.field}: ${cause.message}`, {
    ...detailsOf(resource, name),
    causes: [cause],
  })

/** A precondition of a delete does not hold; told of the kind, as Kubernetes does. */
export function preconditionFailed(resource: ResourceDefinition, name: string, why: string): ApiError {
  const kind = `${resource.kind}${resource.group === '' ? '' : `.${resource.group}`}`
  return new ApiError('Conflict', `Operation cannot be fulfilled on ${kind} ${goQuoted(name)}: ${why}`, {
    ...detailsOf(resource, name),
    kind: resource.kind,
  })
}

/** A limit or a state forbids the write. */
export const forbidden = (resource: ResourceDefinition, name: string, causes: readonly Cause[]): ApiError =>
  new ApiError(
    'Forbidden',
    `${quoted(resource, name)} is forbidden: ${causes.map((cause) => cause.message).join('; ')}`,
    {
      ...detailsOf(resource, name),
      causes: causes.slice(0, CAUSES_MAX),
    },
  )

/** The object is past the size that the store takes. */
export const tooLarge = (resource: ResourceDefinition, name: string, sizeBytes: number, maxBytes: number): ApiError =>
  new ApiError(
    'RequestEntityTooLarge',
    `Cannot store ${quoted(resource, name)}: it has "${sizeBytes}" bytes, at most ${maxBytes} are allowed`,
    detailsOf(resource, name),
  )

/** A revision that this server has not reached: the client has seen another, newer store. */
export const futureRevision = (revision: number, current: number): ApiError =>
  new ApiError('Timeout', `Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  })
