/**
 * Decides how many objects of each kind a tenant may have: generous for people and pipelines, and an end to floods. Pure.
 *
 *  QT6 Whatever somebody in a tenant may create has a limit.
 *  QT7 An operator may set others by TENANT_OBJECT_LIMITS; what names no limit is refused at start.
 */
import { err, ok, type Result } from '../../system/result.ts'
import { GROUP } from '../api/define-kind.ts'

/** By plural; everything that somebody in a tenant may create is here. */
export const OBJECT_LIMITS = {
  accesstokens: 1_000,
  configmaps: 1_000,
  personas: 500,
  projects: 2_000,
  reviews: 20_000,
  secrets: 1_000,
  sprites: 5_000,
  users: 5_000,
  // What has ended stays until somebody deletes it.
  work: 50_000,
} as const satisfies Readonly<Record<string, number>>

/** Of all that a tenant keeps together, in bytes of JSON: the store is in memory as a whole. */
export const STORED_BYTES_MAX = 512 * 1024 * 1024

/** How many objects by the resource's name, and how many bytes in all. */
export type ObjectLimits = { readonly counts: ReadonlyMap<string, number>; readonly bytesMax: number }

const BUILT_IN: ReadonlySet<string> = new Set(['configmaps', 'secrets'])
const BYTES = 'bytes'
const LIMIT_MAX = 10_000_000

/** The limits, with those that `overrides` names instead; the error says what would do. */
export function objectLimits(overrides = ''): Result<ObjectLimits, string> {
  const limits = new Map<string, number>(Object.entries(OBJECT_LIMITS))
  let bytesMax = STORED_BYTES_MAX
  for (const part of overrides.split(',').map((text) => text.trim())) {
    if (part === '') continue
    const [, plural = '', count = ''] = /^([a-z]+)=(\d{1,12})$/.exec(part) ?? []
    if (plural === BYTES) {
      bytesMax = Number(count)
      continue
    }
    if (!limits.has(plural) || Number(count) > LIMIT_MAX)
      return err(`give resource=count, separated by commas, of ${Object.keys(OBJECT_LIMITS).join(', ')}, ${BYTES}`)
    limits.set(plural, Number(count))
  }
  return ok({ counts: new Map([...limits].map(([plural, count]) => [nameOf(plural), count])), bytesMax })
}

const nameOf = (plural: string): string => (BUILT_IN.has(plural) ? plural : `${plural}.${GROUP}`)
