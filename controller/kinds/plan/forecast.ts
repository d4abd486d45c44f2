/** Foretells what a write of a Plan sets off in all tenants that have it. Pure. */
import { isDeleting } from '../../api/object.ts'
import { counted, quoted } from '../forecast-text.ts'
import { sceneOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import { nameList } from '../names.ts'
import { budgetSentence } from '../tenant/forecast.ts'
import { costOf, FORECAST_COST_MAX, shiftsBetween, type ShiftAction } from '../tenant/shifts.ts'
import type { Plan } from './schema.ts'

const VERBS: readonly (readonly [ShiftAction, string])[] = [
  ['destroy', 'destroyed'],
  ['stop', 'stopped'],
  ['replace', 'replaced'],
  ['create', 'created'],
  ['start', 'started again'],
]

/** FC8 machines by what becomes of them, and in which tenants; who has the plan when that is too many to look at. */
export function planForecast(world: ForecastWorld, { operation, object, old }: Foretold<Plan>): readonly string[] {
  if (operation !== 'UPDATE' || old === undefined) return []
  const { name } = object.metadata
  const tenants = world.tenants.filter((tenant) => tenant.spec.plan === name && !isDeleting(tenant))
  const counts = new Map<ShiftAction, { readonly tenant: string; readonly count: number }[]>()
  const budgets: string[] = []
  let cost = 0
  for (const { metadata } of tenants) {
    const scene = sceneOf(world, metadata.name)
    if (scene === undefined) continue
    const [before, after] = [
      { ...scene, plan: old },
      { ...scene, plan: object },
    ]
    cost += 2 * costOf(scene)
    if (cost > FORECAST_COST_MAX) return [`${counted(tenants.length, 'tenant')} have plan ${quoted(name)}`]
    budgets.push(...budgetSentence(before, after))
    for (const [action, count] of tally(shiftsBetween(before, after)?.machines ?? []))
      counts.set(action, [...(counts.get(action) ?? []), { tenant: metadata.name, count }])
  }
  return [...machineSentences(counts), ...budgets.sort()]
}

function tally(machines: readonly { readonly action: ShiftAction }[]): ReadonlyMap<ShiftAction, number> {
  const counts = new Map<ShiftAction, number>()
  for (const { action } of machines) counts.set(action, (counts.get(action) ?? 0) + 1)
  return counts
}

const machineSentences = (
  counts: ReadonlyMap<ShiftAction, readonly { readonly tenant: string; readonly count: number }[]>,
): readonly string[] =>
  VERBS.flatMap(([action, verb]) => {
    const each = counts.get(action) ?? []
    if (each.length === 0) return []
    const sum = each.reduce((total, { count }) => total + count, 0)
    const where = nameList(each.map(({ tenant, count }) => `${quoted(tenant)}: ${count}`))
    return [`${counted(sum, 'machine')} of ${counted(each.length, 'tenant')} will be ${verb} (${where})`]
  })
