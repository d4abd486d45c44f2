/** Decides what a pass does for a Review and what its status says. Pure. */
import { mergeConditions, ready, reconciling, stalled, type ConditionPatch } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { REVIEW_TASK_TYPE } from '../../../protocol/tools.ts'
import { boundedName } from '../names.ts'
import { isTerminal, type Work, type WorkSpec } from '../work/schema.ts'
import { PERSON, type Review, type ReviewStatus } from './schema.ts'

/** What one decision about a review looks at. */
export type ReviewWorld = {
  readonly review: Review
  /** Timestamp of now. */
  readonly now: string
  /** The work whose result is in question; undefined when it is gone. */
  readonly work: Work | undefined
  /** The work of the agent that reviews; undefined while there is none. */
  readonly reviewing: Work | undefined
}

/** One call of a port for a review, as data. */
export type ReviewAction =
  | { readonly do: 'createWork'; readonly name: string; readonly spec: WorkSpec }
  | { readonly do: 'cancelWork'; readonly work: Work }

/** What a review needs now. */
export type ReviewDecision = {
  readonly actions: readonly ReviewAction[]
  /** Absent when nothing is to be said: the review is being deleted. */
  readonly status?: ReviewStatus
}

type Verdict = NonNullable<ReviewStatus['verdict']>
type Answer = { readonly verdict: Verdict; readonly comment: string | undefined; readonly by: string }

const WORK_NAME_CHARS_MAX = 100
const COMMENT_CHARS_MAX = 20_000
const BY_CHARS_MAX = 254

/** Name of the work that an agent reviewer does for a review. */
export const reviewWorkName = (review: Review): string =>
  boundedName(`${review.metadata.name}-review`, WORK_NAME_CHARS_MAX)

/** One pass. An answer or a close is final: the work has gone on with it. */
export function decideReview(world: ReviewWorld): ReviewDecision {
  const { review } = world
  if (isDeleting(review)) return { actions: [] }
  const { phase } = review.status ?? {}
  if (phase === 'Answered' || phase === 'Closed') {
    return { actions: cancelReviewing(world), status: settled(world) }
  }
  const answer = answerOf(world)
  if (answer !== undefined) return { actions: cancelReviewing(world), status: answered(world, answer) }
  if (world.work === undefined || isDeleting(world.work) || isTerminal(world.work.status?.phase)) {
    return { actions: cancelReviewing(world), status: closed(world) }
  }
  return open(world, world.work)
}

function open(world: ReviewWorld, work: Work): ReviewDecision {
  const { reviewer } = world.review.spec
  if (reviewer === PERSON) {
    const message = 'A person must answer: set spec.answer to a verdict and a comment'
    return { actions: [], status: statusOf(world, { phase: 'Open' }, waiting('AwaitingPerson', message)) }
  }
  const name = reviewWorkName(world.review)
  const base = { phase: 'Open', work: name } as const
  if (isTerminal(world.reviewing?.status?.phase)) {
    const message = `Work ${name} of ${reviewer} ended without a verdict: set spec.answer to a verdict and a comment`
    return { actions: [], status: statusOf(world, base, stalled('ReviewFailed', message)) }
  }
  const actions: readonly ReviewAction[] =
    world.reviewing === undefined ? [{ do: 'createWork', name, spec: workSpec(world.review, work) }] : []
  return { actions, status: statusOf(world, base, waiting('Open', `Waits for ${reviewer} to answer in work ${name}`)) }
}

const waiting = (reason: string, message: string): readonly ConditionPatch[] => reconciling(reason, message)

/** What the server said when the agent's work was refused: a person must answer then. */
export const refusedStatus = (world: ReviewWorld, message: string): ReviewStatus =>
  statusOf(world, { phase: 'Open' }, stalled('ReviewFailed', `${message}. Set spec.answer instead`))

/** A person's answer goes before the agent's. */
function answerOf({ review, reviewing }: ReviewWorld): Answer | undefined {
  const { answer, reviewer } = review.spec
  if (answer !== undefined) return { verdict: answer.verdict, comment: answer.comment, by: answer.by ?? PERSON }
  if (reviewing?.status?.phase !== 'Completed') return undefined
  const { output = {}, assignedSprite, deliverables = [] } = reviewing.status
  const verdict = verdictOf(output['verdict'])
  if (verdict === undefined) return undefined
  const comment = textOf(output['comment']) ?? deliverables[0]?.content ?? textOf(output['summary'])
  return { verdict, comment, by: assignedSprite ?? reviewer }
}

const verdictOf = (value: unknown): Verdict | undefined =>
  value === 'Approved' || value === 'ChangesRequested' ? value : undefined

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

function answered(world: ReviewWorld, { verdict, comment, by }: Answer): ReviewStatus {
  const facts = {
    phase: 'Answered',
    verdict,
    by: by.slice(0, BY_CHARS_MAX),
    ...(comment === undefined ? {} : { comment: comment.slice(0, COMMENT_CHARS_MAX) }),
    answeredTime: world.now,
    ...(world.reviewing === undefined ? {} : { work: world.reviewing.metadata.name }),
  } as const
  return statusOf(world, facts, ready('Answered', answeredMessage(facts)))
}

const answeredMessage = ({ verdict, by }: Pick<ReviewStatus, 'verdict' | 'by'>): string =>
  `${by ?? PERSON} answered ${verdict ?? ''}`

function closed(world: ReviewWorld): ReviewStatus {
  const facts = {
    phase: 'Closed',
    ...(world.reviewing === undefined ? {} : { work: world.reviewing.metadata.name }),
  } as const
  return statusOf(world, facts, ready('Closed', closedMessage(world.review)))
}

const closedMessage = (review: Review): string => `Work ${review.spec.work} ended before an answer came`

/** The final status as it is, for the current generation. */
function settled(world: ReviewWorld): ReviewStatus {
  const { conditions: _old, observedGeneration: _seen, ...facts } = world.review.status ?? {}
  const patches =
    facts.phase === 'Answered'
      ? ready('Answered', answeredMessage(facts))
      : ready('Closed', closedMessage(world.review))
  return statusOf(world, facts, patches)
}

function statusOf(
  { review, now }: ReviewWorld,
  facts: Omit<ReviewStatus, 'conditions' | 'observedGeneration'>,
  patches: readonly ConditionPatch[],
): ReviewStatus {
  const { generation } = review.metadata
  const conditions = mergeConditions(review.status?.conditions, patches, { generation, now })
  return { observedGeneration: generation, ...facts, conditions }
}

/** Nobody reads the verdict any more: no tokens for it. */
function cancelReviewing({ reviewing }: ReviewWorld): readonly ReviewAction[] {
  if (reviewing === undefined || isDeleting(reviewing)) return []
  if (reviewing.spec.cancelled || isTerminal(reviewing.status?.phase)) return []
  return [{ do: 'cancelWork', work: reviewing }]
}

/** No parent: a review is not a hand-off, and must not make the chain longer. */
function workSpec(review: Review, work: Work): WorkSpec {
  const { artifact, question, reviewer } = review.spec
  const deliverable = work.status?.deliverables?.find((one) => one.name === artifact)
  return {
    // Its answer comes in status.output.verdict.
    type: REVIEW_TASK_TYPE,
    agentType: reviewer,
    description: `Review "${artifact}" and give the verdict Approved or ChangesRequested, with what to change. The question: ${question}`,
    ...(work.spec.project === undefined ? {} : { project: work.spec.project }),
    ...(work.spec.deadline === undefined ? {} : { deadline: work.spec.deadline }),
    input: {
      review: review.metadata.name,
      work: work.metadata.name,
      task: work.spec.description,
      question,
      artifact: {
        name: artifact,
        mediaType: deliverable?.mediaType ?? 'text/plain',
        content: deliverable?.content ?? textOf(work.status?.output?.['summary']) ?? '',
      },
    },
    priority: 0,
    maxAttempts: 3,
    cancelled: false,
  }
}
