/** The shell of the Work controller: observe, decide, act, one status patch by compare-and-swap. */
import { mergeConditions } from '../../api/conditions.ts'
import { ApiError, hasReason } from '../../api/errors.ts'
import { keyOf, type Key } from '../../api/object.ts'
import type { Bus } from '../../bus/bus.ts'
import type { Client } from '../../client/client.ts'
import { DONE, watchOf, type Cache, type ControllerOptions, type Outcome, type Recorder } from '../../engine/types.ts'
import { spriteInbox, tenantHandoffs } from '../../../protocol/channels.ts'
import type { Clock } from '../../../system/clock.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { projectKind } from '../project/schema.ts'
import { reviewKind } from '../review/schema.ts'
import { spriteKind, type Sprite } from '../sprite/schema.ts'
import { statusPatch } from '../status.ts'
import { tenantKind } from '../tenant/schema.ts'
import { decideWork, type WorkAction, type WorkDecision, type WorkWorld } from './decide.ts'
import { hindranceOf, suits } from './dispatch.ts'
import { circleOf } from './eligible.ts'
import { workKind, type Work, type WorkStatus } from './schema.ts'

/** What the Work's controller needs of the process. */
export type WorkPorts = {
  readonly client: Client
  readonly cache: Cache
  readonly clock: Clock
  readonly bus: Bus
  readonly recorder: Recorder
}

/** The controller `work`. */
export function workController(ports: WorkPorts): ControllerOptions {
  const workIn = (namespace: string, is: (work: Work) => boolean): Key[] =>
    ports.cache
      .list(workKind, namespace)
      .filter(is)
      .map((work) => keyOf(work))
  return {
    name: 'work',
    kind: workKind,
    // The Coordinator writes its status too: a new phase is news.
    wakes: (object, previous) => {
      const [work, before] = [object as Work, previous as Work | undefined] // the kind says so
      return (
        before === undefined ||
        work.metadata.generation !== before.metadata.generation ||
        work.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
        work.status?.phase !== before.status?.phase ||
        work.status?.assignedSprite !== before.status?.assignedSprite
      )
    },
    watches: [
      watchOf(workKind, (work, before) => {
        if (work.status?.phase === before?.status?.phase) return []
        const { name, namespace = '' } = work.metadata
        return workIn(namespace, (other) => other.spec.dependsOn?.includes(name) === true)
      }),
      watchOf(spriteKind, (sprite, before) => workOfSprite(ports, sprite, before)),
      watchOf(reviewKind, (review, before) =>
        review.status?.phase === before?.status?.phase
          ? []
          : [{ namespace: review.metadata.namespace ?? '', name: review.spec.work }],
      ),
      watchOf(tenantKind, (tenant, before) =>
        before !== undefined &&
        tenant.metadata.generation === before.metadata.generation &&
        tenant.status?.limits?.monthlyTokens === before.status?.limits?.monthlyTokens &&
        blockerText(tenant.status?.blockers) === blockerText(before.status?.blockers)
          ? []
          : workIn(tenant.metadata.name, (work) => work.status?.phase === 'Pending'),
      ),
      watchOf(projectKind, (project, before) =>
        project.spec.suspend === before?.spec.suspend
          ? []
          : workIn(
              project.metadata.namespace ?? '',
              (work) => work.spec.project === project.metadata.name && work.status?.phase === 'Pending',
            ),
      ),
    ],
    reconcile: (key, signal) => reconcileWork(ports, key, signal),
    concurrency: 16,
    resyncMs: 300_000,
    timeoutMs: 30_000,
  }
}

const blockerText = (blockers: readonly { readonly reason: string }[] | undefined): string =>
  (blockers ?? []).map((blocker) => blocker.reason).join()

/** Work that the sprite has, and waiting work that hears of a sprite of its type coming or going. */
function workOfSprite(ports: WorkPorts, sprite: Sprite, before: Sprite | undefined): Key[] {
  const namespace = sprite.metadata.namespace ?? ''
  const [now, then] = [sprite.status?.machine, before?.status?.machine]
  // It came or went, or may work again: work that waits for any such sprite says so.
  const isNews = before === undefined || hindranceOf(sprite) !== hindranceOf(before)
  const isMoved =
    isNews ||
    sprite.status?.phase !== before?.status?.phase ||
    now?.incarnation !== then?.incarnation ||
    now?.intent !== then?.intent
  if (!isMoved) return []
  const { name } = sprite.metadata
  return ports.cache
    .list(workKind, namespace)
    .filter(
      (work) =>
        (work.status?.assignedSprite === name && work.status.completionTime === undefined) ||
        (isNews && work.status?.phase === 'Pending' && suits(sprite, work)),
    )
    .map((work) => keyOf(work))
}

function observeWork(ports: WorkPorts, key: Key): WorkWorld | undefined {
  const work = ports.cache.get(workKind, key)
  if (work === undefined) return undefined
  const { namespace } = key
  const named = (name: string): Work | undefined => ports.cache.get(workKind, { namespace, name })
  const nowMs = ports.clock.now()
  const dependencies = (work.spec.dependsOn ?? []).flatMap((name): [string, Work][] => {
    const dependency = named(name)
    return dependency === undefined ? [] : [[name, dependency]]
  })
  const reviews = (work.status?.reviews ?? []).flatMap(({ review }) => {
    const object = ports.cache.get(reviewKind, { namespace, name: review })
    return object === undefined ? [] : [[review, object] as const]
  })
  return {
    nowMs,
    now: timestamp(nowMs),
    work,
    tenant: ports.cache.get(tenantKind, { namespace: '', name: namespace }),
    project:
      work.spec.project === undefined
        ? undefined
        : ports.cache.get(projectKind, { namespace, name: work.spec.project }),
    parent: work.spec.parent === undefined ? undefined : named(work.spec.parent),
    sprites: ports.cache.list(spriteKind, namespace),
    dependencies: new Map(dependencies),
    circle: circleOf(work, named),
    reviews: new Map(reviews),
  }
}

async function reconcileWork(ports: WorkPorts, key: Key, signal: AbortSignal): Promise<Outcome> {
  const world = observeWork(ports, key)
  if (world === undefined) return DONE
  const decision = decideWork(world)
  const made = await act(ports, { world, decision }, signal)
  await writeStatus(ports, { world, decision, made }, signal)
  return decision.requeueAfterMs === undefined
    ? DONE
    : { requeueAfterMs: decision.requeueAfterMs, requeueReason: decision.requeueReason ?? 'wait' }
}

/** What came of each child: made, or refused for good with the registry's words. */
type Made = { readonly kind: 'work' | 'review'; readonly step: number; readonly refused?: string }

async function act(
  ports: WorkPorts,
  pass: { readonly world: WorkWorld; readonly decision: WorkDecision },
  signal: AbortSignal,
): Promise<readonly Made[]> {
  const made: Made[] = []
  for (const action of pass.decision.actions) {
    const result = await perform(ports, { work: pass.world.work, action }, signal)
    if (result !== undefined) made.push(result)
  }
  return made
}

async function perform(
  ports: WorkPorts,
  step: { readonly work: Work; readonly action: WorkAction },
  signal: AbortSignal,
): Promise<Made | undefined> {
  const { work, action } = step
  const tenant = work.metadata.namespace ?? ''
  if (action.do === 'abandon') {
    await ports.bus.publish(spriteInbox(tenant, action.sprite), { type: 'abandon', work: work.metadata.name })
    return undefined
  }
  const kind = action.do === 'createWork' ? 'work' : 'review'
  try {
    if (action.do === 'createWork') await ports.client.create(workKind, action.object, signal)
    else await ports.client.create(reviewKind, action.object, signal)
    if (kind === 'work')
      await ports.bus.publish(tenantHandoffs(tenant), { from: work.metadata.name, step: action.step })
  } catch (error) {
    if (hasReason(error, 'AlreadyExists')) return { kind, step: action.step }
    if (hasReason(error, 'Forbidden', 'Invalid') && error instanceof ApiError)
      return { kind, step: action.step, refused: error.message.slice(0, 300) }
    throw error
  }
  return { kind, step: action.step }
}

async function writeStatus(
  ports: WorkPorts,
  pass: { readonly world: WorkWorld; readonly decision: WorkDecision; readonly made: readonly Made[] },
  signal: AbortSignal,
): Promise<void> {
  const { work, now } = pass.world
  const { decision } = pass
  const next = {
    ...work.status,
    ...decision.change,
    ...marked(work, decision, pass.made),
    observedGeneration: work.metadata.generation,
    blockers: decision.blockers === undefined ? undefined : [...decision.blockers],
    conditions: mergeConditions(work.status?.conditions, decision.conditions, {
      generation: work.metadata.generation,
      now,
    }),
  }
  const patch = statusPatch(work.status, next)
  if (patch === undefined) return
  try {
    const options = { resourceVersion: work.metadata.resourceVersion }
    const written = await ports.client.patchStatus(workKind, keyOf(work), patch, options, signal)
    ports.cache.observe(workKind, written)
    recordTransition(ports.recorder, work, written)
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error
  }
}

/** The outbox with what has been made marked, so that it is made once. */
function marked(work: Work, decision: WorkDecision, made: readonly Made[]): Pick<WorkStatus, 'handOffs' | 'reviews'> {
  const of = (kind: Made['kind'], step: number): Made | undefined =>
    made.find((one) => one.kind === kind && one.step === step)
  const handOffs = (decision.change.handOffs === null ? [] : (work.status?.handOffs ?? [])).map((handOff) => {
    const one = of('work', handOff.step)
    if (one === undefined) return handOff
    return one.refused === undefined ? { ...handOff, created: true } : { ...handOff, refused: one.refused }
  })
  const reviews = (work.status?.reviews ?? []).map((review) =>
    of('review', review.step) === undefined ? review : { ...review, created: true },
  )
  return {
    ...(handOffs.length === 0 ? {} : { handOffs }),
    ...(reviews.length === 0 ? {} : { reviews }),
  }
}

const WARNINGS: ReadonlySet<string> = new Set(['Failed', 'Cancelled'])

function recordTransition(recorder: Recorder, before: Work, after: Work): void {
  const [old, now] = [before.status?.phase, after.status?.phase]
  const ready = after.status?.conditions?.find((condition) => condition.type === 'Ready')
  if (now === undefined || ready === undefined || (old === now && !isNews(before, ready.reason))) return
  recorder.event(after, WARNINGS.has(now) ? 'Warning' : 'Normal', ready.reason, ready.message)
}

const isNews = (before: Work, reason: string): boolean =>
  before.status?.conditions?.find((condition) => condition.type === 'Ready')?.reason !== reason
