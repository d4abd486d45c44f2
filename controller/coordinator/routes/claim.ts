/** POST claim: gives a sprite the work that is assigned to it, with all that is needed to do it. */
import { z } from 'zod'
import type { Task } from '../../../protocol/coordinator.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { hasReason } from '../../api/errors.ts'
import { isDeleting, keyOf } from '../../api/object.ts'
import { projectKind } from '../../kinds/project/schema.ts'
import { reviewKind } from '../../kinds/review/schema.ts'
import { isOutgoing } from '../../kinds/sprite/outgoing.ts'
import { workKind, type Work } from '../../kinds/work/schema.ts'
import { agentOf, handOffAgents, modelFor } from '../agents.ts'
import { holdsWork } from '../attempt.ts'
import { readJson } from '../body.ts'
import { ancestorsOf } from '../chain.ts'
import { claimPatch, isFor, worksFor } from '../claim-decide.ts'
import { CoordinatorError } from '../fault.ts'
import type { Caller, CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { getCached, readTenant, readWork } from '../reads.ts'
import { sendJson, sendNothing } from '../reply.ts'
import { taskOf, type TaskParts } from '../task.ts'

/** How often a claim is tried anew when somebody else wrote in between. */
const TRIES_MAX = 5

/** Claiming again gives the same task with the same attempt; 204 when there is nothing. */
export function claimRoute(ports: CoordinatorPorts): SpriteRoute {
  return async ({ request, response, caller, signal }) => {
    await readJson(request, z.strictObject({}))
    const task = await claim(ports, caller, signal)
    if (task === undefined) sendNothing(response)
    else sendJson(response, 200, task)
  }
}

async function claim(ports: CoordinatorPorts, caller: Caller, signal: AbortSignal): Promise<Task | undefined> {
  const { identity, sprite } = caller
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const work = await findWork(ports, caller, signal)
    if (work === undefined) return undefined
    const isNew = !holdsWork(work, identity)
    // A sprite that drains finishes what it has and starts nothing.
    if (isNew && (sprite.status?.phase === 'Draining' || isDeleting(sprite))) return undefined
    // What a process whose machine is to go would claim is lost at once, and an attempt with it.
    if (isNew && isOutgoing(sprite.status?.machine, identity.incarnation)) return undefined
    // Read before the claim is written: what cannot be read must not cost an attempt.
    const parts = await partsOf(ports, caller, { work, signal })
    if (isNew && (parts.tenant.spec.suspend || isDeleting(parts.tenant))) return undefined
    const claimed = isNew ? await writeClaim(ports, caller, { work, signal }) : work
    if (claimed !== undefined) return taskOf({ ...parts, work: claimed })
  }
  throw new CoordinatorError('Unavailable', 'Claim again, the work changed too often', { retryAfterMs: 1_000 })
}

/** The first work for the sprite as it is now: by the cache where that knows one, else by a list. */
async function findWork(ports: CoordinatorPorts, caller: Caller, signal: AbortSignal): Promise<Work | undefined> {
  const { identity } = caller
  for (const hint of worksFor(ports.cache?.list(workKind, identity.tenant) ?? [], identity)) {
    const work = await readWork(ports, { tenant: identity.tenant, work: hint.metadata.name }, signal)
    if (work !== undefined && isFor(work, identity)) return work
  }
  const query = { namespace: identity.tenant, fieldSelector: `status.assignedSprite=${identity.sprite}` }
  const { items } = await ports.client.list(workKind, query, signal)
  return worksFor(items, identity)[0]
}

/** The claim as a compare-and-swap; undefined when the work was changed in between. */
async function writeClaim(
  ports: CoordinatorPorts,
  caller: Caller,
  claimed: { readonly work: Work; readonly signal: AbortSignal },
): Promise<Work | undefined> {
  const { work, signal } = claimed
  const patch = claimPatch(work, caller.identity, timestamp(ports.clock.now()))
  const { resourceVersion } = work.metadata
  try {
    const written = await ports.client.patchStatus(workKind, keyOf(work), patch, { resourceVersion }, signal)
    ports.cache?.observe(workKind, written)
    return written
  } catch (error) {
    if (hasReason(error, 'Conflict', 'NotFound')) return undefined
    throw error
  }
}

async function partsOf(
  ports: CoordinatorPorts,
  caller: Caller,
  query: { readonly work: Work; readonly signal: AbortSignal },
): Promise<TaskParts> {
  const { work, signal } = query
  const namespace = caller.identity.tenant
  const { agentType } = caller.sprite.spec
  const tenant = await readTenant(ports, namespace, signal)
  const agent = await agentOf(ports, tenant, { agentType, signal })
  if (agent === undefined)
    throw new CoordinatorError('Unavailable', `Declare a persona "${agentType}", there is none`, {
      retryAfterMs: 10_000,
    })
  const [project, targets, earlier, reviews] = await Promise.all([
    work.spec.project === undefined
      ? undefined
      : getCached(ports, { kind: projectKind, key: { namespace, name: work.spec.project }, signal }),
    handOffAgents(ports, tenant, { persona: agent.persona, signal }),
    earlierWork(ports, work, signal),
    ports.cache?.list(reviewKind, namespace) ??
      ports.client.list(reviewKind, { namespace }, signal).then((list) => list.items),
  ])
  return { work, tenant, project, agent, model: modelFor(agent, ports.settings), targets, earlier, reviews }
}

/** Works whose results the task builds on: the chain above it, what it waited for, and its own earlier round. */
async function earlierWork(ports: CoordinatorPorts, work: Work, signal: AbortSignal): Promise<Work[]> {
  const tenant = work.metadata.namespace ?? ''
  const ancestors = await ancestorsOf(ports, work, signal)
  const known = new Set(ancestors.map((ancestor) => ancestor.metadata.name))
  const names = (work.spec.dependsOn ?? []).filter((name) => !known.has(name))
  const awaited = await Promise.all(names.map((name) => readWork(ports, { tenant, work: name }, signal)))
  return [...ancestors, ...awaited.filter((one) => one !== undefined), work]
}
