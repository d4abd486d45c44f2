/** Foretells what a write of an AccessToken sets off: a token that is refused. Pure. */
import { parseTimestamp } from '../../../system/timestamp.ts'
import { quoted } from '../forecast-text.ts'
import type { ForecastWorld, Foretold } from '../forecast-world.ts'
import type { AccessToken } from './schema.ts'

/** FC13 a token that is revoked, or whose time is set to one that has passed. */
export function accessTokenForecast(world: ForecastWorld, change: Foretold<AccessToken>): readonly string[] {
  const { object, old, operation } = change
  if (old === undefined) return []
  const name = quoted(object.metadata.name)
  const isPast = (token: AccessToken): boolean => (parseTimestamp(token.spec.expireTime) ?? Infinity) <= world.nowMs
  const isRefused = operation === 'DELETE' || isPast(object)
  return isRefused && !isPast(old) ? [`Token ${name} is refused from now on, also where it is in use`] : []
}
