/** Pure: what a refusal of the Machines API means, as a table read by status, then by machine code, then by text. */
import type { ProviderErrorReason } from '../machines.ts'

/** What we asked for; a read has no effect, so that its failure leaves nothing unknown. */
export type FlyAction =
  | 'list'
  | 'listFleet'
  | 'get'
  | 'create'
  | 'start'
  | 'stop'
  | 'destroy'
  | 'getApp'
  | 'createApp'
  | 'deleteApp'
  | 'createToken'
  | 'currentToken'
  | 'listApps'
  | 'listRegions'
  | 'placements'

const READS: ReadonlySet<FlyAction> = new Set([
  'list',
  'listFleet',
  'get',
  'getApp',
  'currentToken',
  'listApps',
  'listRegions',
  // A simulation.
  'placements',
])

/** True for actions that change nothing. */
export const isRead = (action: FlyAction): boolean => READS.has(action)

/** A reply that is not a success. `code` is the body's `status`, `text` its `error`. */
export type FlyRefusal = {
  readonly action: FlyAction
  readonly status: number
  readonly code?: string
  readonly text?: string
}

/** Machine codes of the body, whatever the HTTP status: they are trusted first where they are known. */
const CODES: ReadonlyMap<string, ProviderErrorReason> = new Map([
  ['insufficient_capacity', 'NoCapacity'],
  ['volume_placement_capacity', 'NoCapacity'],
  ['name_taken', 'NameConflict'],
])

type TextRow = { readonly status: number; readonly text: RegExp; readonly reason: ProviderErrorReason }

/** Texts seen in the wild, read only when the body has no code of its own. First match wins. */
const TEXTS: readonly TextRow[] = [
  // Also of a tag that was pushed seconds ago: the caller's back-off is short at first.
  { status: 400, text: /MANIFEST_UNKNOWN|manifest unknown/i, reason: 'InvalidSpec' },
  { status: 400, text: /unique machine name violation|already exists with name/i, reason: 'NameConflict' },
  { status: 400, text: /no capacity|insufficient (?:capacity|resources)/i, reason: 'NoCapacity' },
  { status: 403, text: /quota/i, reason: 'QuotaExceeded' },
  { status: 409, text: /unique machine name violation|already exists with name/i, reason: 'NameConflict' },
  { status: 409, text: /insufficient (?:CPUs?|memory|IPs?|resources|capacity)|no capacity/i, reason: 'NoCapacity' },
  { status: 409, text: /lease currently held|concurrent update/i, reason: 'NotReady' },
  { status: 422, text: /unique machine name violation|already exists with name/i, reason: 'NameConflict' },
  { status: 422, text: /name has already been taken/i, reason: 'NameConflict' },
  { status: 422, text: /could not find a candidate host|insufficient capacity|no capacity/i, reason: 'NoCapacity' },
  { status: 422, text: /machine limit|quota/i, reason: 'QuotaExceeded' },
]

/** What a status means when neither code nor text says more. */
const STATUSES: ReadonlyMap<number, ProviderErrorReason> = new Map([
  [400, 'InvalidSpec'],
  [401, 'CredentialsInvalid'],
  [403, 'CredentialsInvalid'],
  [404, 'NotFound'],
  [409, 'NotReady'],
  [412, 'NotReady'],
  [413, 'InvalidSpec'],
  [422, 'InvalidSpec'],
  [429, 'RateLimited'],
])

/** The reason of a refusal; 408 and 5xx leave a write unknown and a read undone. */
export function classify(refusal: FlyRefusal): ProviderErrorReason {
  const byCode = refusal.code === undefined ? undefined : CODES.get(refusal.code)
  if (byCode) return byCode
  // The name of an app is global: 403 says that it is in another organization.
  if (refusal.action === 'getApp' && refusal.status === 403) return 'NameConflict'
  if (refusal.status === 408 || refusal.status >= 500) return isRead(refusal.action) ? 'Unavailable' : 'OutcomeUnknown'
  return byText(refusal) ?? STATUSES.get(refusal.status) ?? 'Unexpected'
}

/** A code that we do not know still outranks any reading of the text. */
function byText(refusal: FlyRefusal): ProviderErrorReason | undefined {
  if (refusal.code !== undefined && refusal.code !== '') return undefined
  const text = refusal.text ?? ''
  return TEXTS.find((row) => row.status === refusal.status && row.text.test(text))?.reason
}

/** Whether another region may take what this one refused: it has no room, or the quota is of the region (403). */
export const mayTakeElsewhere = (reason: ProviderErrorReason, status: number): boolean =>
  reason === 'NoCapacity' || (reason === 'QuotaExceeded' && status === 403)

/** What a start means that answered 200 with `status: "error"`: by its text as a 409's, else not ready. */
export const classifyStartError = (text: string): ProviderErrorReason =>
  TEXTS.find((row) => row.status === 409 && row.text.test(text))?.reason ?? 'NotReady'

/** Error codes of sockets, DNS and TLS that say that no request has left. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** What a failure below HTTP means; `codes` are those of the error and its causes. */
export function classifyTransport(action: FlyAction, codes: readonly string[]): ProviderErrorReason {
  if (isRead(action)) return 'Unavailable'
  return codes.some((code) => NEVER_SENT.has(code)) ? 'Unavailable' : 'OutcomeUnknown'
}

/** The id of the machine that holds a name, out of the words of the refusal; undefined where it names none. */
export function nameHolderId(text: string | undefined): string | undefined {
  return /machine ID ([0-9a-z]{6,32}) already exists/i.exec(text ?? '')?.[1]
}

/** Ms of a Retry-After header in seconds, 0…10 min; undefined for a date, which Fly is not known to send. */
export function retryAfterMs(header: string | null): number | undefined {
  if (header === null || !/^\d+(?:\.\d+)?$/.test(header.trim())) return undefined
  return Math.min(600_000, Math.round(Number(header) * 1_000))
}
