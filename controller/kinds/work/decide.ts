/** Decides the next step of a work: what it waits for, whether an attempt is lost, what follows from its result. Pure. */
import type { Blocker } from '../../api/blocker.ts'
import { ready, reconciling, stalled, type ConditionPatch } from '../../api/conditions.ts'
import { isDeleting, type NewObject } from '../../api/object.ts'
import { parseTimestamp } from '../../../system/timestamp.ts'
import { nameList } from '../names.ts'
import type { Review } from '../review/schema.ts'
import type { ReviewSpec } from '../review/schema.ts'
import { isOutgoing } from '../sprite/outgoing.ts'
import type { Sprite } from '../sprite/schema.ts'
import { attemptsAreExhausted, closeAttempt, countedAttempts, isToBeRetried, lastAttempt } from './attempts.ts'
import { hindranceOf, suits } from './dispatch.ts'
import { waitOf, type EligibleWorld } from './eligible.ts'
import { elsewhereText, nobodyText } from './nobody.ts'
import { childOf, outboxOf, reviewOf } from './outbox.ts'
import { isTerminal, workKind, type Attempt, type Work, type WorkSpec, type WorkStatus } from './schema.ts'

/** What one decision about a work looks at. */
export type WorkWorld = EligibleWorld & {
  /** The same instant as nowMs, as a timestamp. */
  readonly now: string
  readonly parent: Work | undefined
  /** Sprites of the tenant. */
  readonly sprites: readonly Sprite[]
  /** Reviews that this work asked for, by name. */
  readonly reviews: ReadonlyMap<string, Review>
}

/** One call of a port for a work, as data. */
export type WorkAction =
  | { readonly do: 'createWork'; readonly step: number; readonly object: NewObject<WorkSpec> }
  | { readonly do: 'createReview'; readonly step: number; readonly object: NewObject<ReviewSpec> }
  /** A hint: the attempt in hand is void. */
  | { readonly do: 'abandon'; readonly sprite: string }

/** What a work needs now. */
export type WorkDecision = {
  readonly actions: readonly WorkAction[]
  /** Fields of the status that change, besides conditions; null removes. */
  readonly change: Partial<{ [F in keyof WorkStatus]: WorkStatus[F] | null }>
  readonly conditions: readonly ConditionPatch[]
  readonly blockers?: readonly Blocker[]
  readonly requeueAfterMs?: number
  readonly requeueReason?: string
}

/** After so many rounds of changes asked for, the work fails rather than going round. */
const REVIEW_ROUNDS_MAX = 3

/** The schema of a blocker takes no longer text; an agent's words may be longer. */
const FIX_CHARS_MAX = 500

/** The one step that a work needs now. */
export function decideWork(world: WorkWorld): WorkDecision {
  const { work } = world
  const phase = work.status?.phase
  if (isDeleting(work)) return { actions: abandonHint(work), change: {}, conditions: kept(work) }
  if (phase === undefined) return accepted(world)
  if (isToBeRetried(work)) return retried(world)
  return isTerminal(phase) ? over(world) : alive(world)
}

/**
 * Asked to be tried again: its attempts stay, and their numbers go on, so that no report of an old one can pass for one
 * of the new; they only count against it no more. It made nothing of its hand-offs, since it was never completed.
 */
function retried(world: WorkWorld): WorkDecision {
  const { spec, status } = world.work
  return {
    actions: [],
    change: {
      phase: 'Pending',
      retries: spec.retries ?? 0,
      attemptsBefore: status?.attemptsTotal ?? status?.attempts?.at(-1)?.number ?? 0,
      completionTime: null,
      handOffs: null,
      ...UNASSIGNED,
    },
    conditions: reconciling('Retried', 'Is tried again as asked'),
    requeueAfterMs: 0,
    requeueReason: 'retried',
  }
}

function alive(world: WorkWorld): WorkDecision {
  const { work } = world
  if (work.spec.cancelled)
    return end(world, { phase: 'Cancelled', outcome: 'Cancelled', reason: 'Cancelled', message: 'Cancelled as asked' })
  const leftMs = deadlineLeftMs(world)
  if (leftMs !== undefined && leftMs <= 0)
    return end(world, {
      phase: 'Failed',
      outcome: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Not completed by spec.deadline: set a later one and retry it',
    })
  return withDeadline(open(world), leftMs)
}

function open(world: WorkWorld): WorkDecision {
  switch (world.work.status?.phase) {
    case 'Assigned':
      return assigned(world)
    case 'InProgress':
      return inProgress(world)
    case 'InReview':
      return inReview(world)
    default:
      return pending(world)
  }
}

const deadlineLeftMs = (world: WorkWorld): number | undefined => {
  const atMs = parseTimestamp(world.work.spec.deadline)
  return atMs === undefined ? undefined : atMs - world.nowMs
}

function withDeadline(decision: WorkDecision, leftMs: number | undefined): WorkDecision {
  if (leftMs === undefined || (decision.requeueAfterMs ?? Infinity) <= leftMs) return decision
  return { ...decision, requeueAfterMs: leftMs, requeueReason: 'deadline' }
}

const kept = (work: Work): ConditionPatch[] =>
  (work.status?.conditions ?? []).map(({ type, status, reason, message }) => ({ type, status, reason, message }))

/** New: its place in its chain of hand-offs is noted together with what it waits for. */
function accepted(world: WorkWorld): WorkDecision {
  const { work, parent } = world
  const agentType =
    work.spec.agentType ??
    world.sprites.find((sprite) => sprite.metadata.name === work.spec.sprite)?.spec.agentType ??
    ''
  const above = parent?.status?.chain
  const chain =
    above === undefined
      ? { id: work.metadata.name, depth: 0, visitedAgentTypes: [agentType] }
      : { id: above.id, depth: above.depth + 1, visitedAgentTypes: [...above.visitedAgentTypes, agentType].slice(-9) }
  const first = alive({ ...world, work: { ...work, status: { ...work.status, phase: 'Pending' } } })
  // A count that it was made with asks for nothing: it has not ended yet.
  const retries = work.spec.retries === undefined ? {} : { retries: work.spec.retries }
  return { ...first, change: { phase: 'Pending', chain, ...retries, ...first.change } }
}

function pending(world: WorkWorld): WorkDecision {
  const { work } = world
  const dead = (work.spec.dependsOn ?? []).filter((name) => {
    const phase = world.dependencies.get(name)?.status?.phase
    return phase === 'Failed' || phase === 'Cancelled'
  })
  if (dead.length > 0)
    return end(world, {
      phase: 'Failed',
      outcome: 'Failed',
      reason: 'DependencyFailed',
      message: `It depends on ${nameList(dead)}, which did not complete: retry that first, then this`,
    })
  if (attemptsAreExhausted(work)) return exhausted(world)
  const wait = waitOf(world)
  if (wait === undefined) return waiting(world)
  const conditions =
    wait.isStalled === true ? stalled(wait.reason, wait.message) : reconciling(wait.reason, wait.message)
  const blockers: Blocker[] = [{ reason: wait.reason, requested: 1, fix: wait.message.slice(0, FIX_CHARS_MAX) }]
  return {
    actions: [],
    change: {},
    conditions,
    blockers,
    ...(wait.leftMs === undefined ? {} : { requeueAfterMs: wait.leftMs, requeueReason: 'retry' }),
  }
}

function exhausted(world: WorkWorld): WorkDecision {
  const last = lastAttempt(world.work)
  const message = `Attempt ${last?.number ?? 0}, the last, failed: ${last?.message ?? last?.reason ?? 'no reason was given'}`
  return end(world, { phase: 'Failed', outcome: 'Failed', reason: 'AttemptsExhausted', message })
}

/** Nothing but a sprite is missing. */
function waiting(world: WorkWorld): WorkDecision {
  const { work } = world
  const able = world.sprites.filter((sprite) => suits(sprite, work))
  if (able.length === 0) {
    const elsewhere = elsewhereText(work, world.sprites)
    const message = `${nobodyText(work)}${elsewhere === '' ? ': declare one' : `${elsewhere}, or declare one without`}`
    return {
      actions: [],
      change: {},
      conditions: stalled('NoSprite', message),
      blockers: [{ reason: 'NoSprite', requested: 1, fix: message }],
    }
  }
  if (able.every((sprite) => hindranceOf(sprite) !== undefined)) return hindered(able)
  // Names alone: the sprites' phases come and go, and each would be a write.
  const names = able.map((sprite) => sprite.metadata.name).sort()
  const changes = lastAttempt(work)?.outcome === 'InReview'
  return {
    actions: [],
    change: {},
    conditions: reconciling(changes ? 'ChangesRequested' : 'Waiting', `Waits for a free sprite: ${names.join(', ')}`),
    blockers: [
      {
        reason: 'Waiting',
        requested: 1,
        holders: able
          .map((sprite) => sprite.metadata.name)
          .sort()
          .slice(0, 50),
        fix: 'Wait, or declare another sprite of this agent type',
      },
    ],
  }
}

/** Sprites of its type are there, but none of them comes by itself. */
function hindered(able: readonly Sprite[]): WorkDecision {
  const names = able.map((sprite) => sprite.metadata.name).sort()
  const each = able.map((sprite) => `${sprite.metadata.name} ${hindranceOf(sprite) ?? ''}`).sort()
  const more = each.length > 3 ? ` and ${each.length - 3} more` : ''
  const message = `No sprite can take it: ${each.slice(0, 3).join(', ')}${more}. Let one run, or declare another`
  return {
    actions: [],
    change: {},
    conditions: stalled('NoSprite', message),
    blockers: [{ reason: 'NoSprite', requested: 1, holders: names.slice(0, 50), fix: message.slice(0, FIX_CHARS_MAX) }],
  }
}

const spriteOf = (world: WorkWorld): Sprite | undefined =>
  world.sprites.find((sprite) => sprite.metadata.name === world.work.status?.assignedSprite)

/** What an assigned work says, by the state of its sprite. */
export function assignedTo(name: string, sprite: Sprite | undefined): Pick<WorkDecision, 'conditions' | 'blockers'> {
  if (sprite?.status?.phase !== 'Queued')
    return { conditions: reconciling('Assigned', `Sprite ${name} has it and will start`) }
  const conditions = reconciling('Assigned', `Sprite ${name} has it and waits for a slot`)
  return { conditions, ...(sprite.status.blockers === undefined ? {} : { blockers: sprite.status.blockers }) }
}

const assigned = (world: WorkWorld): WorkDecision => ({
  actions: [],
  change: {},
  ...assignedTo(world.work.status?.assignedSprite ?? '', spriteOf(world)),
})

function inProgress(world: WorkWorld): WorkDecision {
  const { work } = world
  const sprite = spriteOf(world)
  const machine = sprite?.status?.machine
  if (!isOutgoing(machine, work.status?.incarnation)) {
    const message = `Sprite ${work.status?.assignedSprite ?? ''} works on attempt ${work.status?.attempt ?? 0}`
    return { actions: [], change: {}, conditions: reconciling('InProgress', message) }
  }
  const message = `Sprite ${work.status?.assignedSprite ?? ''} lost the machine that had it`
  const attempts = closeAttempt(work, { atMs: world.nowMs, outcome: 'Lost', reason: 'AttemptLost', message })
  return {
    actions: [],
    change: { phase: 'Pending', attempts, ...UNASSIGNED },
    conditions: reconciling('AttemptLost', `Attempt ${work.status?.attempt ?? 0} was lost: another follows`),
    requeueAfterMs: 0,
    requeueReason: 'attempt-lost',
  }
}

/** What leaves the status when no sprite has the work any more. */
export const UNASSIGNED = {
  assignedSprite: null,
  assignedTime: null,
  incarnation: null,
  attempt: null,
  progress: null,
} as const

/** Its result is in; it counts once every review says so. */
function inReview(world: WorkWorld): WorkDecision {
  const { work } = world
  const asked = work.status?.reviews ?? []
  const actions = asked.filter((review) => review.created !== true).map((review) => reviewOf(work, review))
  const reviews = asked.map((review) => world.reviews.get(review.review))
  const open = asked.filter((_, at) => reviews[at]?.status?.phase !== 'Answered')
  const gone = asked.filter(
    (review, at) => review.created === true && (reviews[at] === undefined || reviews[at].status?.phase === 'Closed'),
  )
  if (actions.length > 0 || open.length > gone.length) {
    const names = open.map((review) => `${review.review} (${review.reviewer})`).sort()
    return {
      actions,
      change: {},
      conditions: reconciling('InReview', `Waits for ${names.join(', ')}`),
      blockers: [
        {
          reason: 'InReview',
          requested: 1,
          holders: open.map((review) => review.review).sort(),
          fix: 'Answer the Review: a person sets its spec.answer',
        },
      ],
    }
  }
  const isRefused = reviews.some((review) => review?.status?.verdict === 'ChangesRequested')
  return isRefused
    ? again(world)
    : {
        ...over(world),
        actions: [],
        change: { phase: 'Completed', completionTime: world.now },
        requeueAfterMs: 0,
        requeueReason: 'approved',
      }
}

function again(world: WorkWorld): WorkDecision {
  const rounds = countedAttempts(world.work).filter((attempt) => attempt.outcome === 'InReview').length
  if (rounds >= REVIEW_ROUNDS_MAX)
    return end(world, {
      phase: 'Failed',
      outcome: 'Failed',
      reason: 'Failed',
      message: `Reviews asked for changes ${rounds} times: look at the reviews, then retry it or create another`,
    })
  return {
    actions: [],
    change: { phase: 'Pending', handOffs: null, ...UNASSIGNED },
    conditions: reconciling('ChangesRequested', 'A review asked for changes: it is done again with them'),
    requeueAfterMs: 0,
    requeueReason: 'changes-requested',
  }
}

type End = {
  readonly phase: 'Failed' | 'Cancelled'
  readonly outcome: NonNullable<Attempt['outcome']>
  readonly reason: string
  readonly message: string
}

/** The end without a result. */
function end(world: WorkWorld, how: End): WorkDecision {
  const { work } = world
  const attempts = closeAttempt(work, { atMs: world.nowMs, ...how })
  return {
    actions: abandonHint(work),
    change: {
      phase: how.phase,
      completionTime: world.now,
      ...(attempts.length === 0 ? {} : { attempts }),
      ...(work.status?.phase === 'Assigned' ? UNASSIGNED : {}),
    },
    conditions: stalled(how.reason, how.message),
  }
}

function abandonHint(work: Work): WorkAction[] {
  const sprite = work.status?.assignedSprite
  return work.status?.phase === 'InProgress' && sprite !== undefined ? [{ do: 'abandon', sprite }] : []
}

/** Terminal: what it handed on is made, once; then nothing changes any more. */
function over(world: WorkWorld): WorkDecision {
  const { work } = world
  const actions = work.status?.phase === 'Completed' ? outboxOf(work).map((handOff) => childOf(work, handOff)) : []
  return { actions, change: {}, conditions: terminalConditions(work) }
}

function terminalConditions(work: Work): ConditionPatch[] {
  const refused = (work.status?.handOffs ?? []).filter((handOff) => handOff.refused !== undefined)
  const loop = refused.map((handOff) => ({
    type: 'HandoffLoop',
    status: 'True' as const,
    reason: 'HandoffLoop',
    message: `Not handed to ${handOff.agentType}: ${handOff.refused ?? ''}`,
  }))
  if (work.status?.phase === 'Completed' || work.status?.phase === 'InReview') {
    // The table shows Ready alone: a chain that ends here must not look as if it went on.
    const [first] = refused
    const cut = first === undefined ? '' : `; not handed to ${first.agentType}: ${first.refused ?? ''}`
    const by = `by sprite ${work.status.assignedSprite ?? ''}`
    const done =
      work.status.rehearsal === true
        ? ready('Rehearsed', `Done ${by}, by the rehearsal model: no key for Claude is set${cut}`)
        : ready('Completed', `Done ${by}${cut}`)
    return [...done, ...loop.slice(0, 1)]
  }
  const before = kept(work)
  if (before.some((condition) => condition.type === 'Stalled')) return before
  const last = lastAttempt(work)
  // An agent's own word for its failure stands with the attempt; a condition has a reason of the catalogue.
  const reason = last?.reason !== undefined && Object.hasOwn(workKind.reasons, last.reason) ? last.reason : 'Failed'
  return stalled(reason, last?.message ?? 'Failed')
}
