/** Reads the query parameters of the verbs, by Go's rules for booleans. Pure. */
import { ApiError } from '../api/errors.ts'
import type { PropagationPolicy } from '../client/client.ts'
import type { FieldValidation, RegistryListOptions } from '../registry/registry.ts'
import { present } from './present.ts'

/** The parameters that every write takes. */
export type WriteParams = {
  readonly dryRun: boolean
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
}

/** The query of a watch. */
export type WatchParams = {
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly resourceVersion?: string
  readonly sendInitialEvents?: boolean
  readonly allowBookmarks?: boolean
  readonly timeoutSeconds?: number
}

/** How much of each object a row of a table carries. */
export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** The longest field manager that Kubernetes takes, in bytes. */
const FIELD_MANAGER_BYTES_MAX = 128

/** The longest selector; an expression longer than this is not written by hand. */
const SELECTOR_CHARS_MAX = 10_000

const INT = /^\d{1,10}$/

/** A boolean as Go reads it: absent, 0 and false (any case) are false, everything else is true, even empty. */
export const goBoolean = (value: string | null): boolean =>
  value !== null && value !== '0' && value.toLowerCase() !== 'false'

/** Whether a GET of a collection is a watch. */
export const isWatch = (query: URLSearchParams): boolean => goBoolean(query.get('watch'))

/** dryRun, fieldManager (default: the User-Agent up to its slash) and fieldValidation (default: Warn). */
export function writeParams(query: URLSearchParams, userAgent: string | undefined): WriteParams {
  return {
    dryRun: dryRunOf(query.getAll('dryRun')),
    fieldManager: fieldManagerOf(query.get('fieldManager'), userAgent),
    fieldValidation: fieldValidationOf(query.get('fieldValidation')),
  }
}

/** Whether it is a dry run; the only value there is is All. */
export function dryRunOf(values: readonly string[]): boolean {
  const given = values.filter((value) => value !== '')
  const wrong = given.find((value) => value !== 'All')
  if (wrong !== undefined) throw invalidParam('dryRun', wrong, 'supported values: "All"')
  return given.length > 0
}

function fieldManagerOf(given: string | null, userAgent: string | undefined): string {
  if (given === null || given === '') return cutBytes((userAgent ?? '').split('/')[0] ?? '') || 'unknown'
  if (Buffer.byteLength(given) > FIELD_MANAGER_BYTES_MAX)
    throw invalidParam('fieldManager', given.slice(0, 40), `may not be more than ${FIELD_MANAGER_BYTES_MAX} bytes`)
  if (/[\p{Cc}\p{Cn}\p{Co}\p{Cs}]/u.test(given))
    throw invalidParam('fieldManager', '', 'should only contain printable characters')
  return given
}

const cutBytes = (text: string): string => {
  const printable = text.replaceAll(/[^\x20-\x7e]/g, '')
  return printable.slice(0, FIELD_MANAGER_BYTES_MAX)
}

function fieldValidationOf(given: string | null): FieldValidation {
  if (given === null || given === '') return 'Warn'
  if (given === 'Strict' || given === 'Warn' || given === 'Ignore') return given
  throw invalidParam('fieldValidation', given, 'supported values: "Ignore", "Strict", "Warn"')
}

/** The options of a list. */
export function listParams(query: URLSearchParams): Omit<RegistryListOptions, 'namespace'> {
  if (query.has('sendInitialEvents'))
    throw invalidOptions('sendInitialEvents', 'sendInitialEvents is forbidden for list')
  const limit = integerParam(query, 'limit')
  const resourceVersion = resourceVersionParam(query)
  return present({
    ...selectors(query),
    limit: limit === 0 ? undefined : limit,
    continue: query.get('continue') || undefined,
    resourceVersion,
    resourceVersionMatch: listMatchOf(query, resourceVersion),
  })
}

function listMatchOf(
  query: URLSearchParams,
  resourceVersion: string | undefined,
): 'Exact' | 'NotOlderThan' | undefined {
  const name = 'resourceVersionMatch'
  const match = query.get(name) ?? ''
  if (match === '') return undefined
  if (match !== 'Exact' && match !== 'NotOlderThan')
    throw invalidParam(name, match, 'supported values: "Exact", "NotOlderThan"')
  if (resourceVersion === undefined)
    throw invalidOptions(name, 'resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (match === 'Exact' && resourceVersion === '0')
    throw invalidOptions(name, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  if ((query.get('continue') ?? '') !== '')
    throw invalidOptions(name, 'resourceVersionMatch is forbidden when continue is provided')
  return match
}

/** The options of a watch. */
export function watchParams(query: URLSearchParams): WatchParams {
  const match = query.get('resourceVersionMatch') ?? ''
  const sendInitialEvents = query.has('sendInitialEvents') ? goBoolean(query.get('sendInitialEvents')) : undefined
  if (sendInitialEvents === undefined && match !== '')
    throw invalidOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    )
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    throw invalidOptions(
      'resourceVersionMatch',
      'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    )
  return present({
    ...selectors(query),
    resourceVersion: resourceVersionParam(query),
    sendInitialEvents,
    allowBookmarks: goBoolean(query.get('allowWatchBookmarks')) || undefined,
    timeoutSeconds: integerParam(query, 'timeoutSeconds') || undefined,
  })
}

/** Label and field selector, bounded; what they say is the registry's to judge. */
export function selectors(query: URLSearchParams): {
  readonly labelSelector?: string
  readonly fieldSelector?: string
} {
  for (const name of ['labelSelector', 'fieldSelector'])
    if ((query.get(name)?.length ?? 0) > SELECTOR_CHARS_MAX)
      throw new ApiError('BadRequest', `${name} may not be longer than ${SELECTOR_CHARS_MAX} characters`)
  return present({
    labelSelector: query.get('labelSelector') || undefined,
    fieldSelector: query.get('fieldSelector') || undefined,
  })
}

/** How much of each object a Table's rows carry. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const given = query.get('includeObject') ?? ''
  if (given === '') return 'Metadata'
  if (given === 'None' || given === 'Metadata' || given === 'Object') return given
  throw new ApiError('BadRequest', `invalid includeObject value "${given.slice(0, 40)}": use None, Metadata or Object`)
}

/** propagationPolicy from a body or a query, checked; '' and absent are left to the registry. */
export function propagationPolicyOf(given: unknown): PropagationPolicy | undefined {
  if (given === undefined || given === null || given === '') return undefined
  if (given === 'Background' || given === 'Foreground' || given === 'Orphan') return given
  throw invalidParam(
    'propagationPolicy',
    JSON.stringify(given).slice(0, 40),
    'supported values: "Background", "Foreground", "Orphan"',
  )
}

function integerParam(query: URLSearchParams, name: string): number | undefined {
  const given = query.get(name)
  if (given === null || given === '') return undefined
  if (!INT.test(given)) throw new ApiError('BadRequest', `${name} must be a number ≥ 0, got "${given.slice(0, 40)}"`)
  return Number(given)
}

function resourceVersionParam(query: URLSearchParams): string | undefined {
  const given = query.get('resourceVersion')
  if (given === null || given === '') return undefined
  if (!/^\d{1,20}$/.test(given))
    throw new ApiError('BadRequest', `Invalid value: "${given.slice(0, 40)}": resourceVersion must be a number`)
  return given
}

const invalidParam = (field: string, value: string, hint: string): ApiError =>
  invalidOptions(field, `Invalid value: "${value}": ${hint}`)

const invalidOptions = (field: string, message: string): ApiError =>
  new ApiError('Invalid', `options is invalid: ${field}: ${message}`, {
    causes: [{ reason: 'FieldValueInvalid', message, field }],
  })
