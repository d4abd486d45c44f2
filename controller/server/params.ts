/** Reads the query parameters of the verbs, by Go's rules for booleans. Pure. */
import { ApiError, type Cause } from '../api/errors.ts'
import { goQuoted } from '../api/go-quote.ts'
import type { PropagationPolicy } from '../client/client.ts'
import type { FieldValidation, RegistryListOptions } from '../registry/registry.ts'
import { present } from './present.ts'

/** The kind of the object that a request's options would be. */
export type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions' | 'ListOptions'

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

/** The kind of the options of a write, by its method. */
export const optionsKindOf = (method: string): OptionsKind => OPTIONS_KINDS.get(method) ?? 'PatchOptions'

const OPTIONS_KINDS: ReadonlyMap<string, OptionsKind> = new Map([
  ['POST', 'CreateOptions'],
  ['PUT', 'UpdateOptions'],
  ['PATCH', 'PatchOptions'],
  ['DELETE', 'DeleteOptions'],
])

/** dryRun, fieldManager (default: the User-Agent up to its slash) and fieldValidation (default: Warn). */
export function writeParams(
  query: URLSearchParams,
  userAgent: string | undefined,
  kind: OptionsKind = 'PatchOptions',
): WriteParams {
  return {
    dryRun: dryRunOf(query.getAll('dryRun'), kind),
    fieldManager: fieldManagerOf(query.get('fieldManager'), userAgent, kind),
    fieldValidation: fieldValidationOf(query.get('fieldValidation'), kind),
  }
}

/** Whether it is a dry run; the only value there is is All. */
export function dryRunOf(values: readonly string[], kind: OptionsKind): boolean {
  const given = values.filter((value) => value !== '')
  const isKnown = given.every((value) => value === 'All')
  if (!isKnown) throw unsupported(kind, 'dryRun', { value: given.slice(0, 5).map(short), supported: ['All'] })
  return given.length > 0
}

function fieldManagerOf(given: string | null, userAgent: string | undefined, kind: OptionsKind): string {
  if (given === null || given === '') return cutBytes((userAgent ?? '').split('/')[0] ?? '') || 'unknown'
  if (Buffer.byteLength(given) > FIELD_MANAGER_BYTES_MAX)
    throw refusedOption(kind, {
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${FIELD_MANAGER_BYTES_MAX} bytes`,
      field: 'fieldManager',
    })
  const wrong = /[\p{Cc}\p{Cn}\p{Co}\p{Cs}]/u.exec(given)
  if (wrong !== null) throw refusedOption(kind, unprintable(given, wrong))
  return given
}

function unprintable(given: string, found: RegExpExecArray): Cause & { readonly field: string } {
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  const why = `invalid character U+${code} (at position ${Buffer.byteLength(given.slice(0, found.index))})`
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${goQuoted(given)}: ${why}`, field: 'fieldManager' }
}

const cutBytes = (text: string): string => {
  const printable = text.replaceAll(/[^\x20-\x7e]/g, '')
  return printable.slice(0, FIELD_MANAGER_BYTES_MAX)
}

function fieldValidationOf(given: string | null, kind: OptionsKind): FieldValidation {
  if (given === null || given === '') return 'Warn'
  if (given === 'Strict' || given === 'Warn' || given === 'Ignore') return given
  throw unsupported(kind, 'fieldValidation', { value: short(given), supported: ['', 'Ignore', 'Strict', 'Warn'] })
}

/** The options of a list. */
export function listParams(query: URLSearchParams): Omit<RegistryListOptions, 'namespace'> {
  if (query.has('sendInitialEvents'))
    throw forbiddenOption('sendInitialEvents', 'sendInitialEvents is forbidden for list')
  const limit = limitParam(query)
  // A list is never cut by it, but what cannot be read is refused.
  integerParam(query, 'timeoutSeconds')
  const resourceVersion = resourceVersionParam(query)
  return present({
    ...selectors(query),
    limit: limit === 0 ? undefined : limit,
    continue: query.get('continue') || undefined,
    resourceVersion,
    resourceVersionMatch: listMatchOf(query, resourceVersion),
  })
}

/** kube-apiserver takes a negative limit for none. */
const limitParam = (query: URLSearchParams): number | undefined =>
  /^-\d{1,10}$/.test(query.get('limit') ?? '') ? undefined : integerParam(query, 'limit')

function listMatchOf(
  query: URLSearchParams,
  resourceVersion: string | undefined,
): 'Exact' | 'NotOlderThan' | undefined {
  const name = 'resourceVersionMatch'
  const match = query.get(name) ?? ''
  if (match === '') return undefined
  if (match !== 'Exact' && match !== 'NotOlderThan')
    throw unsupported('ListOptions', name, { value: short(match), supported: ['Exact', 'NotOlderThan', ''] })
  if (resourceVersion === undefined)
    throw forbiddenOption(name, 'resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (match === 'Exact' && resourceVersion === '0')
    throw forbiddenOption(name, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  if ((query.get('continue') ?? '') !== '')
    throw forbiddenOption(name, 'resourceVersionMatch is forbidden when continue is provided')
  return match
}

/** The options of a watch. */
export function watchParams(query: URLSearchParams): WatchParams {
  const match = query.get('resourceVersionMatch') ?? ''
  const sendInitialEvents = query.has('sendInitialEvents') ? goBoolean(query.get('sendInitialEvents')) : undefined
  if (sendInitialEvents === undefined && match !== '')
    throw forbiddenOption(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    )
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan')
    throw forbiddenOption(
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

/**
 * propagationPolicy from a body or a query, checked; '' and absent are left to the registry. `orphanDependents` is what
 * there was before it: both at once are refused.
 */
export function propagationPolicyOf(
  given: unknown,
  { orphanDependents }: { readonly orphanDependents?: unknown } = {},
): PropagationPolicy | undefined {
  if (orphanDependents !== undefined && orphanDependents !== null) {
    if ((given ?? '') !== '') throw bothPolicies(given)
    return orphanDependents === true || (typeof orphanDependents === 'string' && goBoolean(orphanDependents))
      ? 'Orphan'
      : 'Background'
  }
  if (given === undefined || given === null || given === '') return undefined
  if (given === 'Background' || given === 'Foreground' || given === 'Orphan') return given
  const value = typeof given === 'string' ? short(given) : JSON.stringify(given).slice(0, 40)
  const supported = ['Foreground', 'Background', 'Orphan', 'nil']
  throw unsupported('DeleteOptions', 'propagationPolicy', { value, supported })
}

const bothPolicies = (given: unknown): ApiError =>
  refusedOption('DeleteOptions', {
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${goQuoted(short(String(given)))}: orphanDependents and deletionPropagation cannot be both set`,
    field: 'propagationPolicy',
  })

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

/** What of a value is repeated in a refusal. */
const short = (value: string): string => value.slice(0, 100)

type Choice = { readonly value: string | readonly string[]; readonly supported: readonly string[] }

const unsupported = (kind: OptionsKind, field: string, { value, supported }: Choice): ApiError =>
  refusedOption(kind, {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.map((one) => `"${one}"`).join(', ')}`,
    field,
  })

const forbiddenOption = (field: string, why: string): ApiError =>
  refusedOption('ListOptions', { reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field })

/** The refusal of an option, as Kubernetes words it of its options objects. */
export const refusedOption = (kind: OptionsKind, cause: Cause & { readonly field: string }): ApiError =>
  new ApiError('Invalid', `${kind}.meta.k8s.io "" is invalid: ${cause.field}: ${cause.message}`, {
    group: 'meta.k8s.io',
    kind,
    causes: [cause],
  })
