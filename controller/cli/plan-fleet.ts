/**
 * Decides what the controllers would do about a tenant's fleet, with their own decisions, and does nothing. Pure.
 *
 * Looks one round ahead: projects make their sprites and first tasks, tasks go to sprites, slots are granted, and each
 * sprite's machine follows. What agents will hand off cannot be known.
 */
import { API_VERSION } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import { missingOf } from '../kinds/project/desire.ts'
import type { Project } from '../kinds/project/schema.ts'
import type { ProjectAction } from '../kinds/project/world.ts'
import type { PersonaObject } from '../kinds/persona/schema.ts'
import type { Plan } from '../kinds/plan/schema.ts'
import { contendersOf } from '../kinds/slotledger/contenders.ts'
import { decideSlots } from '../kinds/slotledger/decide.ts'
import type { SlotLedger } from '../kinds/slotledger/schema.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import { limitsInForce, type EffectiveLimits } from '../kinds/tenant/limits.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import { decideDispatch } from '../kinds/work/dispatch.ts'
import { waitOf } from '../kinds/work/eligible.ts'
import { isTerminal, type Work } from '../kinds/work/schema.ts'
import { fateOf, type Fate } from './plan-machine.ts'

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

/** An object that would be created, changed or deleted. */
export type PlanObject = {
  readonly tenant: string
  readonly action: 'create' | 'change' | 'delete'
  readonly kind: string
  readonly name: string
  readonly why: string
}

/** What a Plan's status is decided from. */
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

function planTenant(world: PlanWorld, declared: Tenant): FleetPlan {
  const { name } = declared.metadata
  const limits = limitsFor(world.after, declared)
  if (limits === undefined)
    return { machines: [], objects: [], notes: [`${name}: plan "${declared.spec.plan}" does not exist: nothing runs`] }
  const tenant: Tenant = { ...declared, status: { ...declared.status, limits } }
  const grown = afterProjects(world, tenant, limits)
  const work = afterDispatch(world, tenant, grown)
  const ledger = ofKind<SlotLedger>(world.after, 'SlotLedger', name)[0]
  // What is to stop gives its slot back on the way: it takes none from those that come.
  const contenders = contendersOf({ ...grown, nowMs: world.nowMs, tenant, work }).map((contender) => ({
    ...contender,
    mayRun: contender.mayRun && contender.wants,
  }))
  const { status } = decideSlots({
    nowMs: world.nowMs,
    now: world.now,
    limits,
    contenders,
    ledger: ledger?.status ?? {},
    machines: undefined,
  })
  const previous = ofKind<Tenant>(world.before, 'Tenant').find(({ metadata }) => metadata.name === name)
  const limitsBefore = previous === undefined ? undefined : limitsFor(world.before, previous)
  const earlier = new Map(ofKind<Sprite>(world.before, 'Sprite', name).map((sprite) => [sprite.metadata.name, sprite]))
  const machines = grown.sprites
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map((sprite) => ({
      tenant: name,
      sprite: sprite.metadata.name,
      agentType: sprite.spec.agentType,
      ...fateOf({
        nowMs: world.nowMs,
        sprite,
        before: earlier.get(sprite.metadata.name),
        tenant,
        limits,
        limitsBefore,
        project: grown.projects.find(({ metadata }) => metadata.name === sprite.spec.project),
        work,
        ledger: status,
      }),
    }))
  return { machines, objects: grown.objects, notes: [] }
}

function limitsFor(objects: readonly KubeObject[], tenant: Tenant): EffectiveLimits | undefined {
  const plan = ofKind<Plan>(objects, 'Plan').find(({ metadata }) => metadata.name === tenant.spec.plan)
  return limitsInForce(tenant, plan)
}

type Grown = {
  readonly projects: readonly Project[]
  readonly sprites: readonly Sprite[]
  readonly work: readonly Work[]
  readonly objects: readonly PlanObject[]
}

/** The tenant's objects after each of its projects has had its pass. */
function afterProjects(world: PlanWorld, tenant: Tenant, limits: EffectiveLimits): Grown {
  const { name } = tenant.metadata
  const projects = ofKind<Project>(world.after, 'Project', name)
  let grown: Grown = {
    projects,
    sprites: ofKind<Sprite>(world.after, 'Sprite', name).map(known),
    work: ofKind<Work>(world.after, 'Work', name),
    objects: [],
  }
  for (const project of projects) {
    const agents = {
      builtinAgentTypes: world.builtinAgentTypes,
      personas: ofKind<PersonaObject>(world.after, 'Persona', name),
      sprites: grown.sprites,
      projects,
      agentTypesLimit: limits.agentTypes,
      customPersonas: limits.customPersonas,
      enabledAgents: tenant.spec.config.enabledAgents,
    }
    const actions = missingOf({ project, now: world.now, sprites: grown.sprites, work: grown.work, agents })
    for (const action of actions) grown = applied(grown, action, { project, now: world.now })
  }
  return grown
}

/** A sprite that no controller has seen yet is one that stands still. */
const known = (sprite: Sprite): Sprite =>
  sprite.status?.phase === undefined ? { ...sprite, status: { ...sprite.status, phase: 'Stopped' } } : sprite

type From = { readonly project: Project; readonly now: string }

function applied(grown: Grown, action: ProjectAction, { project, now }: From): Grown {
  const tenant = project.metadata.namespace ?? ''
  const told = (part: Pick<PlanObject, 'action' | 'kind' | 'name'>, why: string): readonly PlanObject[] => [
    ...grown.objects,
    { tenant, ...part, why: `project ${project.metadata.name} ${why}` },
  ]
  switch (action.do) {
    case 'createSprite': {
      const spec = { agentType: action.agentType, runPolicy: action.runPolicy, project: project.metadata.name }
      return {
        ...grown,
        sprites: [
          ...grown.sprites,
          { ...made('Sprite', action.name, tenant, now), spec, status: { phase: 'Stopped' } },
        ],
        objects: told({ action: 'create', kind: 'Sprite', name: action.name }, `needs a ${action.agentType}`),
      }
    }
    case 'createWork': {
      const { name: _name, ...item } = action.item
      const spec = { ...item, project: project.metadata.name, priority: 0, maxAttempts: 3, cancelled: false }
      const dependsOn = action.dependsOn.length === 0 ? {} : { dependsOn: [...action.dependsOn] }
      const work: Work = { ...made('Work', action.name, tenant, now), spec: { ...spec, ...dependsOn } }
      return {
        ...grown,
        work: [...grown.work, work],
        objects: told({ action: 'create', kind: 'Work', name: action.name }, `starts with ${item.type}`),
      }
    }
    case 'setRunPolicy': {
      const { metadata, spec } = action.sprite
      const changed = { ...action.sprite, spec: { ...spec, runPolicy: action.runPolicy } }
      return {
        ...grown,
        sprites: grown.sprites.map((sprite) => (sprite.metadata.name === metadata.name ? changed : sprite)),
        objects: told({ action: 'change', kind: 'Sprite', name: metadata.name }, `sets runPolicy ${action.runPolicy}`),
      }
    }
    case 'deleteSprite': {
      const { metadata } = action.sprite
      const going = { ...action.sprite, metadata: { ...metadata, deletionTimestamp: now } }
      return {
        ...grown,
        sprites: grown.sprites.map((sprite) => (sprite.metadata.name === metadata.name ? going : sprite)),
        objects: told({ action: 'delete', kind: 'Sprite', name: metadata.name }, 'needs it no more'),
      }
    }
  }
}

/** An object that does not exist yet: its uid is made of its name, so that the ledger can tell it from others. */
const made = (kind: string, name: string, namespace: string, now: string) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: {
    name,
    namespace,
    uid: `new:${namespace}/${kind}/${name}`,
    resourceVersion: '',
    generation: 1,
    creationTimestamp: now,
  },
})

/** All work, with what can go to a sprite now given to one. */
function afterDispatch(world: PlanWorld, tenant: Tenant, grown: Grown): readonly Work[] {
  const open = grown.work.filter((work) => !isTerminal(work.status?.phase))
  const dependencies = new Map(grown.work.map((work) => [work.metadata.name, work]))
  const isPending = (work: Work): boolean => (work.status?.phase ?? 'Pending') === 'Pending' && !work.spec.cancelled
  const pending = open.filter((work) => {
    const project = grown.projects.find(({ metadata }) => metadata.name === work.spec.project)
    return isPending(work) && waitOf({ nowMs: world.nowMs, work, tenant, project, dependencies }) === undefined
  })
  const ledger = ofKind<SlotLedger>(world.after, 'SlotLedger', tenant.metadata.name)[0]
  const { assign } = decideDispatch({
    nowMs: world.nowMs,
    sprites: grown.sprites,
    pending,
    active: open.filter(({ status }) => status?.phase === 'Assigned' || status?.phase === 'InProgress'),
    slotHolders: new Set((ledger?.status?.holders ?? []).map(({ uid }) => uid)),
  })
  const given = new Map(assign.map(({ work, sprite }) => [work.metadata.name, sprite.metadata.name]))
  return grown.work.map((work) => {
    const assignedSprite = given.get(work.metadata.name)
    return assignedSprite === undefined
      ? work
      : { ...work, status: { ...work.status, phase: 'Assigned', assignedSprite } }
  })
}
