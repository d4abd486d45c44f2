/** Foretells what a write of a Tenant sets off: machines, work, agent types, the month's budget, its end. Pure. */
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import { agentTypesInUse, judgeAgentType } from '../agent-types.ts'
import { counted, countedWork, named, quoted } from '../forecast-text.ts'
import { going, planOf, sceneOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import { isFrozen } from '../marks.ts'
import { isTerminal } from '../work/schema.ts'
import { limitsInForce } from './limits.ts'
import type { Scene } from './scene.ts'
import type { Tenant } from './schema.ts'
import { shiftsBetween } from './shifts.ts'
import { shiftSentences } from './shift-text.ts'
import { BUDGET_CALL_TOKENS_MIN, isExhausted } from './usage.ts'

/** FC6 what another plan, config or a suspension does; FC7 what goes with the tenant. */
export function tenantForecast(world: ForecastWorld, change: Foretold<Tenant>): readonly string[] {
  const { object, old, operation } = change
  if (old === undefined) return []
  const scene = sceneOf(world, object.metadata.name)
  if (scene === undefined) return []
  const before = { ...scene, tenant: old, plan: planOf(world, old) }
  const after = operation === 'DELETE' ? withoutAll(before) : { ...scene, tenant: object, plan: planOf(world, object) }
  const shifts = shiftsBetween(before, after)
  return [
    ...(operation === 'DELETE' ? goesSentence(before) : []),
    ...freezeSentence(before, after),
    ...budgetSentence(before, after),
    ...(shifts === undefined ? [] : shiftSentences(shifts, after)),
    ...agentTypeSentence(before, after),
  ]
}

/** FC17 a freeze that begins. */
function freezeSentence(before: Scene, after: Scene): readonly string[] {
  if (isFrozen(before.tenant) || !isFrozen(after.tenant)) return []
  const count = after.sprites.filter(({ status }) => status?.machine !== undefined).length
  const name = quoted(after.tenant.metadata.name)
  return [`Machines of tenant ${name} stay as they are (${count}): none is created, started, stopped or destroyed`]
}

/** Its sprites go first, and finish what they have in hand; nothing new begins. */
const withoutAll = (scene: Scene): Scene => ({
  ...scene,
  tenant: going(scene.tenant, scene.now),
  projects: [],
  sprites: scene.sprites.map((sprite) => going(sprite, scene.now)),
})

/** FC7 what lies in a namespace goes with it; its tenant does not. */
export function namespaceForecast(world: ForecastWorld, { object, old, operation }: Foretold): readonly string[] {
  if (operation === 'UPDATE' && object.metadata.name === SYSTEM_NAMESPACE)
    return isFrozen(object) ? allFrozenSentence(world) : old !== undefined && isFrozen(old) ? thawSentence(world) : []
  if (operation !== 'DELETE') return []
  const scene = sceneOf(world, object.metadata.name)
  if (scene === undefined) return []
  const shifts = shiftsBetween(scene, withoutAll(scene))
  const goes = goesSentence(scene)
  const stays = `Tenant ${quoted(object.metadata.name)} stays, and has an empty namespace then: delete the Tenant to end it`
  return [...goes, ...(shifts === undefined ? [] : shiftSentences(shifts, withoutAll(scene))), stays]
}

/** FC17 a freeze of everything that begins, or ends. */
const allFrozenSentence = ({ tenants }: ForecastWorld): readonly string[] => [
  `All machines of ${counted(tenants.length, 'tenant')} stay as they are: none is created, started, stopped or destroyed`,
]

const thawSentence = ({ tenants }: ForecastWorld): readonly string[] => [
  `What was held back is done at once: machines of ${counted(tenants.length, 'tenant')} are created, started, stopped and destroyed again`,
]

function goesSentence(scene: Scene): readonly string[] {
  const open = scene.work.filter((work) => !isTerminal(work.status?.phase)).length
  const parts = [
    [scene.projects.length, counted(scene.projects.length, 'project')],
    [scene.sprites.length, counted(scene.sprites.length, 'sprite')],
    [scene.work.length, `${countedWork(scene.work.length)} (${open} open)`],
    [scene.personas.length, counted(scene.personas.length, 'persona')],
    [scene.users.length, counted(scene.users.length, 'user')],
  ] as const
  const left = parts.flatMap(([count, text]) => (count === 0 ? [] : [text]))
  const name = quoted(scene.tenant.metadata.name)
  return left.length === 0 ? [] : [`Everything of tenant ${name} will be deleted: ${left.join(', ')}`]
}

/** A budget that is lower than what is used already. */
export function budgetSentence(before: Scene, after: Scene): readonly string[] {
  const usage = after.tenant.status?.usage
  const was = limitsInForce(before.tenant, before.plan)?.monthlyTokens ?? null
  const is = limitsInForce(after.tenant, after.plan)?.monthlyTokens ?? null
  if (usage === undefined || is === null || isExhausted(usage, was) || !isExhausted(usage, is)) return []
  if (is < BUDGET_CALL_TOKENS_MIN)
    return [
      `A budget of ${is} tokens a month of tenant ${quoted(after.tenant.metadata.name)} lets no call be made: the smallest takes ${BUDGET_CALL_TOKENS_MIN}`,
    ]
  return [
    `The month's ${is} tokens of tenant ${quoted(after.tenant.metadata.name)} are used up already (${usage.tokensUsed}): calls to the model are refused`,
  ]
}

/** Agent types in use that may be used now and may not after. */
function agentTypeSentence(before: Scene, after: Scene): readonly string[] {
  const mayUse = new Set(allowedAgentTypes(before))
  const mayStill = new Set(allowedAgentTypes(after))
  const lost = [...mayUse].filter((agentType) => !mayStill.has(agentType))
  if (lost.length === 0 || after.tenant.metadata.deletionTimestamp !== undefined) return []
  const which = counted(lost.length, 'agent type')
  return [`${which} in use may no longer be declared ${named(lost)}: plan ${quoted(after.tenant.spec.plan)} and config`]
}

function allowedAgentTypes(scene: Scene): readonly string[] {
  const limits = limitsInForce(scene.tenant, scene.plan)
  if (limits === undefined) return []
  const world = {
    builtinAgentTypes: scene.builtinAgentTypes,
    personas: scene.personas,
    agentTypesLimit: limits.agentTypes,
    customPersonas: limits.customPersonas,
    enabledAgents: scene.tenant.spec.config.enabledAgents,
  }
  const inUse = agentTypesInUse(scene)
  return inUse.filter((agentType) => judgeAgentType(agentType, world, inUse) === 'allowed')
}
