/** Makes an ApiError of what a Kubernetes API server answered: a Status, or something else with a status code. Pure. */
import { ApiError, REASON_CODES, type Cause, type ErrorDetails, type Reason } from '../api/errors.ts'

/** What an answer that is no success says. */
export type Refusal = {
  readonly code: number
  /** The body as it came: a Status as JSON, or whatever a proxy says. */
  readonly text: string
  /** The Retry-After header, in seconds. */
  readonly retryAfter?: string
}

/** Reasons of Kubernetes that we know by another name. */
const SYNONYMS: ReadonlyMap<string, Reason> = new Map([
  ['Gone', 'Expired'],
  ['ServerTimeout', 'Timeout'],
  ['StoreReadError', 'InternalError'],
])

/** Reasons by status code, for answers that name none: 409 is then a conflict of versions. */
const BY_CODE: ReadonlyMap<number, Reason> = new Map([
  // The entries of a closed table keep its key type.
  ...(Object.entries(REASON_CODES) as [Reason, number][]).map(([reason, code]) => [code, reason] as const),
  [409, 'Conflict'],
  [408, 'Timeout'],
  [502, 'ServiceUnavailable'],
])

const MESSAGE_CHARS_MAX = 2_000
const CAUSES_MAX = 100
/** A server that asks for more is not obeyed: callers have a back-off of their own. */
const RETRY_AFTER_SECONDS_MAX = 300

/** The error of an answer with this status code. */
export function refusalError(refusal: Refusal): ApiError {
  const status = parsed(refusal.text)
  const error = statusError(status ?? {}, refusal.code)
  const retryAfterSeconds = secondsOf(refusal.retryAfter) ?? error.details.retryAfterSeconds
  if (retryAfterSeconds === undefined) return error
  return new ApiError(error.reason, error.message, { ...error.details, retryAfterSeconds })
}

/** The error of a Status object, as a watch sends it in its stream too; `code` where the Status has none. */
export function statusError(status: Readonly<Record<string, unknown>>, code = 500): ApiError {
  const given = typeof status['code'] === 'number' ? status['code'] : code
  const message = typeof status['message'] === 'string' ? status['message'].slice(0, MESSAGE_CHARS_MAX) : ''
  return new ApiError(
    reasonOf(status['reason'], given),
    message === '' ? `The API server answered "${given}"` : message,
    detailsOf(status['details']),
  )
}

function reasonOf(reason: unknown, code: number): Reason {
  if (typeof reason === 'string') {
    // hasOwn has just said that it is a key of the table.
    if (Object.hasOwn(REASON_CODES, reason)) return reason as Reason
    const synonym = SYNONYMS.get(reason)
    if (synonym !== undefined) return synonym
  }
  return BY_CODE.get(code) ?? (code >= 500 ? 'InternalError' : 'BadRequest')
}

function detailsOf(value: unknown): ErrorDetails {
  if (!isRecord(value)) return {}
  const causes = Array.isArray(value['causes']) ? value['causes'].slice(0, CAUSES_MAX).flatMap(causeOf) : []
  const retryAfterSeconds = typeof value['retryAfterSeconds'] === 'number' ? value['retryAfterSeconds'] : undefined
  const texts = ['name', 'group', 'kind', 'uid'].flatMap((name) => {
    const text = value[name]
    return typeof text === 'string' ? [[name, text] as const] : []
  })
  return {
    ...Object.fromEntries(texts),
    ...(causes.length === 0 ? {} : { causes }),
    ...(retryAfterSeconds === undefined
      ? {}
      : { retryAfterSeconds: Math.min(Math.max(0, retryAfterSeconds), RETRY_AFTER_SECONDS_MAX) }),
  }
}

function causeOf(value: unknown): Cause[] {
  if (!isRecord(value)) return []
  const text = (name: string): string => (typeof value[name] === 'string' ? value[name] : '')
  const field = text('field')
  return [{ reason: text('reason'), message: text('message'), ...(field === '' ? {} : { field }) }]
}

function secondsOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,6}$/.test(text)) return undefined
  return Math.min(Number(text), RETRY_AFTER_SECONDS_MAX)
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
