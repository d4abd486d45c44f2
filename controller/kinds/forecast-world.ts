/** What forecasts look at, and the scenes of a tenant before and after a write. Pure. */
import type { Operation } from '../api/admission.ts'
import type { KubeObject } from '../api/object.ts'
import type { Plan } from './plan/schema.ts'
import type { MachineDefaults } from './sprite/machine-spec.ts'
import type { Scene, TenantObjects } from './tenant/scene.ts'
import type { Tenant } from './tenant/schema.ts'

/** Everything that is declared, as it was last seen. */
export type ForecastWorld = {
  readonly nowMs: number
  /** The same instant as a timestamp. */
  readonly now: string
  readonly tenants: readonly Tenant[]
  readonly plans: readonly Plan[]
  /** What lies in the namespace of a tenant; asked only for those that a write concerns. */
  readonly inside: (tenant: string) => TenantObjects
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly defaults: MachineDefaults
  /** Who has frozen everything, in words; absent when nobody has. */
  readonly frozenBy?: string | undefined
}

/** A write of one kind. */
export type Foretold<O extends KubeObject = KubeObject> = {
  readonly operation: Operation
  /** After the write; for DELETE the object that is to go. */
  readonly object: O
  /** Before the write; absent on CREATE. */
  readonly old?: O
  /** A delete that leaves behind what the object owns. */
  readonly isOrphaning?: boolean
}

/** The sentences for a write of one kind, the gravest first. */
export type KindForecast<O extends KubeObject = KubeObject> = (
  world: ForecastWorld,
  change: Foretold<O>,
) => readonly string[]

/** The tenant of that name as it is declared; undefined when there is none. */
export function sceneOf(world: ForecastWorld, name: string): Scene | undefined {
  const tenant = world.tenants.find(({ metadata }) => metadata.name === name)
  if (tenant === undefined) return undefined
  const { nowMs, now, builtinAgentTypes, defaults, frozenBy } = world
  const plan = planOf(world, tenant)
  return { ...world.inside(name), nowMs, now, builtinAgentTypes, defaults, frozenBy, tenant, plan }
}

/** The plan that a tenant names. */
export const planOf = (world: ForecastWorld, tenant: Tenant): Plan | undefined =>
  world.plans.find(({ metadata }) => metadata.name === tenant.spec.plan)

type NamespacedList = Exclude<keyof TenantObjects, 'ledger'>

/**
 * The tenant's scenes before and after a write of one object in its namespace. The cache may be a moment behind or
 * ahead: what the write itself says of the object holds. Undefined when there is no such tenant.
 */
export function scenesOf<L extends NamespacedList>(
  world: ForecastWorld,
  list: L,
  change: Foretold<TenantObjects[L][number]>,
): { readonly before: Scene; readonly after: Scene } | undefined {
  const { object, old, operation } = change
  const scene = sceneOf(world, object.metadata.namespace ?? '')
  if (scene === undefined) return undefined
  const others = scene[list].filter((one: KubeObject) => one.metadata.name !== object.metadata.name)
  const then = operation === 'DELETE' ? going(object, world.now) : object
  return {
    before: { ...scene, [list]: old === undefined ? others : [...others, old] },
    after: { ...scene, [list]: [...others, then] },
  }
}

/** The object as a delete marks it. */
export const going = <O extends KubeObject>(object: O, now: string): O => ({
  ...object,
  metadata: { ...object.metadata, deletionTimestamp: object.metadata.deletionTimestamp ?? now },
})
