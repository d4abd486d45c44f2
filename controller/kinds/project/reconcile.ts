/** The shell of the Project: makes its sprites and first tasks, and sums up what becomes of them. */
import { ApiError, hasReason } from '../../api/errors.ts'
import { isDeleting, keyOf, type Key, type NewObject } from '../../api/object.ts'
import type { KindDefinition, ObjectOf } from '../../api/define-kind.ts'
import { DONE, type ControllerOptions, type Outcome } from '../../engine/types.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { AGENT_TYPE_LABEL, controllerReference, MANAGED_BY_LABEL, PROJECT_LABEL } from '../marks.ts'
import { personaKind } from '../persona/schema.ts'
import { planKind } from '../plan/schema.ts'
import { publishStatus, type KindPorts } from '../publish.ts'
import { spriteKind } from '../sprite/schema.ts'
import { limitsInForce } from '../tenant/limits.ts'
import { tenantKind } from '../tenant/schema.ts'
import { workKind, type WorkSpec } from '../work/schema.ts'
import { decideProject } from './decide.ts'
import { projectKind, type Project } from './schema.ts'
import { statusOf } from './status.ts'
import { projectWatches } from './watches.ts'
import type { ProjectAction, ProjectWorld, Refusal } from './world.ts'

/** What the Project's controller needs of the process. */
export type ProjectPorts = KindPorts & {
  /** Agent types that have a built-in persona. */
  readonly builtinAgentTypes: ReadonlySet<string>
}

/** How long until a refused create is tried again, should nothing wake the project before. */
const REFUSED_RETRY_MS = 60_000

/** The controller `project`. */
export const projectController = (ports: ProjectPorts): ControllerOptions => ({
  name: 'project',
  kind: projectKind,
  watches: projectWatches(ports.cache),
  reconcile: (key, signal) => reconcileProject(ports, key, signal),
  concurrency: 4,
  resyncMs: 600_000,
  timeoutMs: 60_000,
})

async function reconcileProject(ports: ProjectPorts, key: Key, signal: AbortSignal): Promise<Outcome> {
  const world = observeProject(ports, key)
  if (world === undefined) return DONE
  const decision = decideProject(world)
  const refusals: Refusal[] = []
  for (const action of decision.actions) {
    const refusal = await act(ports, world.project, { action, signal })
    if (refusal !== undefined) refusals.push(refusal)
  }
  if (decision.status === undefined) return DONE
  const status = refusals.length === 0 ? decision.status : statusOf(world, decision.actions, refusals)
  await publishStatus(ports, projectKind, world.project, { status, signal })
  return refusals.length === 0 ? DONE : { requeueAfterMs: REFUSED_RETRY_MS, requeueReason: 'refused' }
}

function observeProject(ports: ProjectPorts, key: Key): ProjectWorld | undefined {
  const { cache } = ports
  const project = cache.get(projectKind, key)
  if (project === undefined) return undefined
  const { namespace } = key
  const tenant = cache.get(tenantKind, { namespace: '', name: namespace })
  const plan = tenant && cache.get(planKind, { namespace: '', name: tenant.spec.plan })
  const limits = tenant && !isDeleting(tenant) ? limitsInForce(tenant, plan) : undefined
  const sprites = cache.list(spriteKind, namespace)
  const agents = limits && {
    builtinAgentTypes: ports.builtinAgentTypes,
    personas: cache.list(personaKind, namespace),
    sprites,
    projects: cache.list(projectKind, namespace),
    agentTypesLimit: limits.agentTypes,
    customPersonas: limits.customPersonas,
    enabledAgents: tenant?.spec.config.enabledAgents,
  }
  return { project, now: timestamp(ports.clock.now()), sprites, work: cache.list(workKind, namespace), agents }
}

type Act = { readonly action: ProjectAction; readonly signal: AbortSignal }

async function act(ports: ProjectPorts, project: Project, { action, signal }: Act): Promise<Refusal | undefined> {
  switch (action.do) {
    case 'createSprite': {
      const { agentType, runPolicy } = action
      const metadata = metadataFor(project, action.name, agentType)
      const spec = { agentType, project: project.metadata.name, runPolicy }
      return await createOnce(ports, spriteKind, { object: { metadata, spec }, signal })
    }
    case 'createWork': {
      const metadata = metadataFor(project, action.name, action.item.agentType)
      return await createOnce(ports, workKind, { object: { metadata, spec: workSpec(project, action) }, signal })
    }
    case 'setRunPolicy': {
      const { sprite, runPolicy } = action
      const written = await ports.client.update(spriteKind, { ...sprite, spec: { ...sprite.spec, runPolicy } }, signal)
      ports.cache.observe(spriteKind, written)
      return undefined
    }
    case 'deleteSprite': {
      const { uid, resourceVersion } = action.sprite.metadata
      // Given a task since it was looked at, it stays: Conflict, and the pass is made anew.
      await ports.client.delete(spriteKind, keyOf(action.sprite), { preconditions: { uid, resourceVersion } }, signal)
      return undefined
    }
  }
}

const metadataFor = (project: Project, name: string, agentType: string) => ({
  name,
  ...(project.metadata.namespace === undefined ? {} : { namespace: project.metadata.namespace }),
  labels: {
    [PROJECT_LABEL]: project.metadata.name,
    [AGENT_TYPE_LABEL]: agentType,
    [MANAGED_BY_LABEL]: 'project',
  },
  ownerReferences: [controllerReference(project)],
})

const workSpec = (project: Project, action: ProjectAction & { readonly do: 'createWork' }): WorkSpec => {
  const { type, agentType, description, input } = action.item
  return {
    type,
    agentType,
    description,
    project: project.metadata.name,
    ...(input === undefined ? {} : { input }),
    ...(action.dependsOn.length === 0 ? {} : { dependsOn: [...action.dependsOn] }),
    priority: 0,
    maxAttempts: 3,
    cancelled: false,
  }
}

type Creation<K extends KindDefinition> = {
  readonly object: NewObject<ObjectOf<K>['spec']> & { readonly metadata: { readonly name: string } }
  readonly signal: AbortSignal
}

/**
 * Creates an object under its deterministic name. A refusal by admission is an answer to publish; a name that is
 * taken means that the cache is behind: it takes in what is there, and Conflict has the pass made anew.
 */
async function createOnce<K extends KindDefinition>(
  ports: ProjectPorts,
  kind: K,
  { object, signal }: Creation<K>,
): Promise<Refusal | undefined> {
  try {
    ports.cache.observe(kind, await ports.client.create(kind, object, signal))
    return undefined
  } catch (error) {
    if (hasReason(error, 'Forbidden', 'Invalid')) return { name: object.metadata.name, message: error.message }
    if (!hasReason(error, 'AlreadyExists')) throw error
    const key = { namespace: object.metadata.namespace ?? '', name: object.metadata.name }
    ports.cache.observe(kind, await ports.client.get(kind, key, signal))
    throw new ApiError(
      'Conflict',
      `Cannot create ${kind.kind} "${key.name}": it was there before the cache knew`,
      {},
      { cause: error },
    )
  }
}
