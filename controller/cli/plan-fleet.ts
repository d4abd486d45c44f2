/** Decides what the controllers would do about the fleets of all tenants, with their own decisions. Pure. */
import type { KubeObject } from '../api/object.ts'
import type { PersonaObject } from '../kinds/persona/schema.ts'
import type { Plan } from '../kinds/plan/schema.ts'
import type { Project } from '../kinds/project/schema.ts'
import type { SlotLedger } from '../kinds/slotledger/schema.ts'
import type { Fate } from '../kinds/sprite/fate.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import type { PlanObject } from '../kinds/tenant/growth.ts'
import { outlookOf } from '../kinds/tenant/outlook.ts'
import type { Scene } from '../kinds/tenant/scene.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import type { Work } from '../kinds/work/schema.ts'

/** What would happen to one sprite's machine. */
export type PlanStep = Fate & { readonly tenant: string; readonly sprite: string; readonly agentType: string }

/** What the controllers would do. */
export type FleetPlan = {
  readonly machines: readonly PlanStep[]
  /** Objects that projects make or delete, such as `create Sprite q1-launch-editor (project q1-launch needs it)`. */
  readonly objects: readonly PlanObject[]
  /** Tenants that cannot run anything, and why. */
  readonly notes: readonly string[]
}

/** What it is decided from. */
export type PlanWorld = {
  /** Everything that would be declared, with the status that it has now. */
  readonly after: readonly KubeObject[]
  /** Everything that is declared now. */
  readonly before: readonly KubeObject[]
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly nowMs: number
  /** The same instant as a timestamp. */
  readonly now: string
}

/** What would happen, tenant by tenant, in order of names. */
export function planFleet(world: PlanWorld): FleetPlan {
  const tenants = ofKind<Tenant>(world.after, 'Tenant').toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const plans = tenants.map((tenant) => planTenant(world, tenant))
  return {
    machines: plans.flatMap(({ machines }) => machines),
    objects: plans.flatMap(({ objects }) => objects),
    notes: plans.flatMap(({ notes }) => notes),
  }
}

/** The kind makes the type right: objects have passed their schemas. */
const ofKind = <O extends KubeObject>(objects: readonly KubeObject[], kind: string, namespace?: string): O[] =>
  objects.filter(
    (object) => object.kind === kind && (namespace === undefined || object.metadata.namespace === namespace),
  ) as O[]

function planTenant(world: PlanWorld, tenant: Tenant): FleetPlan {
  const { name } = tenant.metadata
  const previous = ofKind<Tenant>(world.before, 'Tenant').find(({ metadata }) => metadata.name === name)
  const before = previous === undefined ? undefined : sceneOf(world, world.before, previous)
  const outlook = outlookOf(sceneOf(world, world.after, tenant), before)
  if (outlook === undefined)
    return { machines: [], objects: [], notes: [`${name}: plan "${tenant.spec.plan}" does not exist: nothing runs`] }
  const machines = outlook.sprites.map(({ sprite, fate }) => ({
    tenant: name,
    sprite: sprite.metadata.name,
    agentType: sprite.spec.agentType,
    ...fate,
  }))
  return { machines, objects: outlook.objects, notes: [] }
}

/** What the control plane gives by default is not known here: the same before and after, it makes no difference. */
const DEFAULTS = { image: '', regions: [] } as const

function sceneOf(world: PlanWorld, objects: readonly KubeObject[], tenant: Tenant): Scene {
  const { name } = tenant.metadata
  return {
    nowMs: world.nowMs,
    now: world.now,
    builtinAgentTypes: world.builtinAgentTypes,
    defaults: DEFAULTS,
    tenant,
    plan: ofKind<Plan>(objects, 'Plan').find(({ metadata }) => metadata.name === tenant.spec.plan),
    sprites: ofKind<Sprite>(objects, 'Sprite', name),
    projects: ofKind<Project>(objects, 'Project', name),
    work: ofKind<Work>(objects, 'Work', name),
    personas: ofKind<PersonaObject>(objects, 'Persona', name),
    users: [],
    // Nobody applies a ledger: the one that is there holds before and after.
    ledger: ofKind<SlotLedger>(world.after, 'SlotLedger', name)[0]?.status ?? {},
  }
}
