/** Decides what a tenant's projects make, change and delete in their next passes. Pure. */
import { API_VERSION } from '../../api/define-kind.ts'
import { isDeleting } from '../../api/object.ts'
import { missingOf } from '../project/desire.ts'
import type { Project } from '../project/schema.ts'
import type { ProjectAction } from '../project/world.ts'
import type { Sprite } from '../sprite/schema.ts'
import type { Work } from '../work/schema.ts'
import type { EffectiveLimits } from './limits.ts'
import type { Scene } from './scene.ts'

/** An object that would be created, changed or deleted. */
export type PlanObject = {
  readonly tenant: string
  readonly action: 'create' | 'change' | 'delete'
  readonly kind: string
  readonly name: string
  readonly why: string
}

/** A tenant's objects, some of which a project is about to make. */
export type Grown = {
  readonly projects: readonly Project[]
  readonly sprites: readonly Sprite[]
  readonly work: readonly Work[]
  readonly objects: readonly PlanObject[]
}

/** The tenant's objects after each of its projects has had its pass. */
export function afterProjects(scene: Scene, limits: EffectiveLimits): Grown {
  const { tenant, projects, builtinAgentTypes, personas, now } = scene
  let grown: Grown = { projects, sprites: scene.sprites.map(known), work: scene.work, objects: [] }
  for (const project of projects) {
    const agents = {
      builtinAgentTypes,
      personas,
      sprites: grown.sprites,
      projects,
      agentTypesLimit: limits.agentTypes,
      customPersonas: limits.customPersonas,
      enabledAgents: tenant.spec.config.enabledAgents,
    }
    const actions = isDeleting(project)
      ? []
      : missingOf({ project, now, sprites: grown.sprites, work: grown.work, agents })
    for (const action of actions) grown = applied(grown, action, { project, now })
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
