/** Foretells what a write of any kind sets off: a line here makes a kind's forecast known. Pure. */
import type { KubeObject } from '../api/object.ts'
import { accessTokenForecast } from './accesstoken/forecast.ts'
import { bounded } from './forecast-text.ts'
import type { ForecastWorld, Foretold, KindForecast } from './forecast-world.ts'
import { isFrozen } from './marks.ts'
import { personaForecast } from './persona/forecast.ts'
import { planForecast } from './plan/forecast.ts'
import { projectForecast } from './project/forecast.ts'
import { spriteForecast } from './sprite/forecast.ts'
import { sameJson } from './status.ts'
import { namespaceForecast, tenantForecast } from './tenant/forecast.ts'
import { userForecast } from './user/forecast.ts'
import { workForecast } from './work/forecast.ts'

/** A forecast takes objects of its own kind alone: they are looked up by it. */
const forecastOf = <O extends KubeObject>(forecast: KindForecast<O>): KindForecast =>
  forecast as unknown as KindForecast

const FORECASTS: ReadonlyMap<string, KindForecast> = new Map([
  ['Plan', forecastOf(planForecast)],
  ['Tenant', forecastOf(tenantForecast)],
  ['Namespace', namespaceForecast],
  ['User', forecastOf(userForecast)],
  ['AccessToken', forecastOf(accessTokenForecast)],
  ['Persona', forecastOf(personaForecast)],
  ['Project', forecastOf(projectForecast)],
  ['Sprite', forecastOf(spriteForecast)],
  ['Work', forecastOf(workForecast)],
])

/** Whether writes of the kind are foretold. */
export const isForetold = (kind: string): boolean => FORECASTS.has(kind)

/** The sentences for a write, at most five, the gravest first; none for one that leaves the spec as it is. */
export function forecastIn(world: ForecastWorld, change: Foretold): readonly string[] {
  const { object, old, operation } = change
  const forecast = FORECASTS.get(object.kind)
  const isGoing = operation === 'UPDATE' && object.metadata.deletionTimestamp !== undefined
  const isSame =
    operation === 'UPDATE' && old !== undefined && sameJson(old.spec, object.spec) && isFrozen(old) === isFrozen(object)
  return forecast === undefined || isGoing || isSame ? [] : bounded(forecast(world, change))
}
