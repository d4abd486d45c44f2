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

const BUILT_IN: ReadonlySet<string> = new Set(['configmaps', 'secrets'])
const LIMIT_MAX = 10_000_000

/** The limits by the resource's name, with those that `overrides` names instead; the error says what would do. */
export function objectLimits(overrides = ''): Result<ReadonlyMap<string, number>, string> {
  const limits = new Map<string, number>(Object.entries(OBJECT_LIMITS))
  for (const part of overrides.split(',').map((text) => text.trim())) {
    if (part === '') continue
    const [, plural = '', count = ''] = /^([a-z]+)=(\d{1,8})$/.exec(part) ?? []
    if (!limits.has(plural) || Number(count) > LIMIT_MAX)
      return err(`give resource=count, separated by commas, of ${Object.keys(OBJECT_LIMITS).join(', ')}`)
    limits.set(plural, Number(count))
  }
  return ok(new Map([...limits].map(([plural, count]) => [nameOf(plural), count])))
}

const nameOf = (plural: string): string => (BUILT_IN.has(plural) ? plural : `${plural}.${GROUP}`)
