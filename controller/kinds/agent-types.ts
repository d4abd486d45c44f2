/** Decides which agent types a tenant knows, uses and may use. Pure. */
import { nameList, suggestion } from './names.ts'
import type { PersonaObject } from './persona/schema.ts'
import type { Plan } from './plan/schema.ts'
import type { Project } from './project/schema.ts'
import type { Sprite } from './sprite/schema.ts'
import type { Tenant } from './tenant/schema.ts'

/** What is looked at; the lists are those of the tenant's namespace. */
export type AgentTypeWorld = {
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly personas: readonly PersonaObject[]
  readonly sprites: readonly Sprite[]
  readonly projects: readonly Project[]
  /** Absent or null: all that there are. */
  readonly agentTypesLimit: number | null
  readonly customPersonas: boolean
  readonly enabledAgents: readonly string[] | undefined
}

/** Whether a tenant may use an agent type, and if not, why. */
export type AgentTypeVerdict = 'allowed' | 'unknown' | 'customPersona' | 'notEnabled' | 'abovePlan'

/** Agent types that have a persona in force: built in, or the tenant's own where the plan has custom personas. */
export const knownAgentTypes = (world: AgentTypeWorld): ReadonlySet<string> =>
  new Set([
    ...world.builtinAgentTypes,
    ...(world.customPersonas ? world.personas.map((persona) => persona.metadata.name) : []),
  ])

/** Agent types that a project names: those it needs and those of its first tasks. */
export const agentTypesOf = (project: Pick<Project, 'spec'>): readonly string[] => [
  ...new Set([...project.spec.agentsNeeded, ...project.spec.work.map((item) => item.agentType)]),
]

/** Agent types in use by sprites and projects, in order of their first use: the oldest hold when a plan shrinks. */
export function agentTypesInUse(world: Pick<AgentTypeWorld, 'sprites' | 'projects'>): readonly string[] {
  const uses = [
    ...world.sprites.map((sprite) => ({ types: [sprite.spec.agentType], metadata: sprite.metadata })),
    ...world.projects.map((project) => ({ types: agentTypesOf(project), metadata: project.metadata })),
  ].filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const inOrder = uses.sort(
    (a, b) =>
      compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
      compare(a.metadata.name, b.metadata.name) ||
      compare(a.metadata.uid, b.metadata.uid),
  )
  return [...new Set(inOrder.flatMap(({ types }) => [...types].sort(compare)))]
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Whether the tenant may use an agent type. `inUse` are the types that count against the plan before this one, in
 * order of their first use; a type that is among the first `agentTypesLimit` of them is allowed.
 */
export function judgeAgentType(
  agentType: string,
  world: Omit<AgentTypeWorld, 'sprites' | 'projects'>,
  inUse: readonly string[],
): AgentTypeVerdict {
  const isCustom = world.personas.some((persona) => persona.metadata.name === agentType)
  if (!world.builtinAgentTypes.has(agentType)) {
    if (!isCustom) return 'unknown'
    if (!world.customPersonas) return 'customPersona'
  }
  if (world.enabledAgents !== undefined && !world.enabledAgents.includes(agentType)) return 'notEnabled'
  if (world.agentTypesLimit === null) return 'allowed'
  const place = inUse.indexOf(agentType)
  return (place < 0 ? inUse.length : place) < world.agentTypesLimit ? 'allowed' : 'abovePlan'
}

/** Why an agent type is refused, as a person reads it: the action, the value, what would do. */
export function agentTypeMessage(
  agentType: string,
  verdict: Exclude<AgentTypeVerdict, 'allowed'>,
  context: {
    readonly world: AgentTypeWorld
    readonly tenant: Tenant | undefined
    readonly plans: readonly Plan[]
    readonly inUse: readonly string[]
  },
): string {
  const { world, tenant, plans, inUse } = context
  const plan = `plan "${tenant?.spec.plan ?? ''}"`
  const start = `Cannot use agent type "${agentType}":`
  if (verdict === 'unknown')
    return `${start} no persona has this name; ${suggestion(agentType, knownAgentTypes(world))}`
  if (verdict === 'notEnabled') {
    return `${start} spec.config.enabledAgents of the tenant has ${nameList(world.enabledAgents ?? [])}; add it there or use one of these`
  }
  if (verdict === 'customPersona') {
    return `${start} ${plan} has no custom personas; ${allowingPlan(plans, (one) => one.spec.customPersonas)}`
  }
  const limit = world.agentTypesLimit ?? 0
  const allows = (one: Plan): boolean => one.spec.agentTypes === null || one.spec.agentTypes > inUse.length
  return `${start} ${plan} allows ${limit} agent types and ${nameList(inUse)} are in use; ${orPlan('use one of these', plans, allows)}`
}

/** What would do within the plan, or else the plan that would allow it. */
export function orPlan(remedy: string, plans: readonly Plan[], allows: (plan: Plan) => boolean): string {
  return plans.some(allows) ? `${remedy}, or ${allowingPlan(plans, allows)}` : `${remedy}: no plan allows it`
}

/** Ends a refusal by a plan's limit: the least plan that would allow it, in order of weight, then name. */
export function allowingPlan(plans: readonly Plan[], allows: (plan: Plan) => boolean): string {
  const [least] = plans
    .filter(allows)
    .sort((a, b) => a.spec.priority - b.spec.priority || compare(a.metadata.name, b.metadata.name))
  return least === undefined ? 'no plan allows it' : `plan "${least.metadata.name}" would allow it`
}
