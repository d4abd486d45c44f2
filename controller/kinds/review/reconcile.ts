/** The shell of the Review: makes the work of an agent that reviews, and publishes the answer. */
import { hasReason } from '../../api/errors.ts'
import { keyOf, type Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions, type Outcome } from '../../engine/types.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { moved } from '../changes.ts'
import { AGENT_TYPE_LABEL, controllerReference, isControlledBy, MANAGED_BY_LABEL, PROJECT_LABEL } from '../marks.ts'
import { publishStatus, SMALL_KIND, type KindPorts } from '../publish.ts'
import { workKind, type Work } from '../work/schema.ts'
import { decideReview, refusedStatus, reviewWorkName, type ReviewAction, type ReviewWorld } from './decide.ts'
import { reviewKind, type Review } from './schema.ts'

/** How long until a refused work is tried again, should nothing wake the review before. */
const REFUSED_RETRY_MS = 60_000

/** The controller `review`. */
export const reviewController = (ports: KindPorts): ControllerOptions => ({
  name: 'review',
  kind: reviewKind,
  watches: [watchOf(workKind, (work, previous) => reviewsTouchedBy(ports, work, previous))],
  reconcile: (key, signal) => reconcileReview(ports, key, signal),
  ...SMALL_KIND,
})

/** Reviews of a work that ended, and the review that an agent's work is done for. */
function reviewsTouchedBy(ports: KindPorts, work: Work, previous: Work | undefined): readonly Key[] {
  if (!moved(work, previous, (one) => one.status?.phase)) return []
  return ports.cache
    .list(reviewKind, work.metadata.namespace)
    .filter((review) => review.spec.work === work.metadata.name || reviewWorkName(review) === work.metadata.name)
    .map(keyOf)
}

async function reconcileReview(ports: KindPorts, key: Key, signal: AbortSignal): Promise<Outcome> {
  const world = observeReview(ports, key)
  if (world === undefined) return DONE
  const decision = decideReview(world)
  let refusal: string | undefined
  for (const action of decision.actions) refusal ??= await act(ports, world.review, { action, signal })
  if (decision.status === undefined) return DONE
  const status = refusal === undefined ? decision.status : refusedStatus(world, refusal)
  await publishStatus(ports, reviewKind, world.review, { status, signal })
  return refusal === undefined ? DONE : { requeueAfterMs: REFUSED_RETRY_MS, requeueReason: 'refused' }
}

function observeReview(ports: KindPorts, key: Key): ReviewWorld | undefined {
  const { cache } = ports
  const review = cache.get(reviewKind, key)
  if (review === undefined) return undefined
  const { namespace } = key
  const reviewing = cache.get(workKind, { namespace, name: reviewWorkName(review) })
  return {
    review,
    now: timestamp(ports.clock.now()),
    work: cache.get(workKind, { namespace, name: review.spec.work }),
    // Work of that name that is not ours says nothing about the review.
    reviewing: reviewing !== undefined && isControlledBy(reviewing, review) ? reviewing : undefined,
  }
}

type Act = { readonly action: ReviewAction; readonly signal: AbortSignal }

/** The server's words when it refused for good; undefined when done. */
async function act(ports: KindPorts, review: Review, { action, signal }: Act): Promise<string | undefined> {
  if (action.do === 'cancelWork') {
    const { work } = action
    const written = await ports.client.update(workKind, { ...work, spec: { ...work.spec, cancelled: true } }, signal)
    ports.cache.observe(workKind, written)
    return undefined
  }
  const namespace = review.metadata.namespace ?? ''
  const labels = {
    [MANAGED_BY_LABEL]: 'review',
    [AGENT_TYPE_LABEL]: review.spec.reviewer,
    ...(action.spec.project === undefined ? {} : { [PROJECT_LABEL]: action.spec.project }),
  }
  const metadata = { name: action.name, namespace, labels, ownerReferences: [controllerReference(review)] }
  try {
    ports.cache.observe(workKind, await ports.client.create(workKind, { metadata, spec: action.spec }, signal))
    return undefined
  } catch (error) {
    if (hasReason(error, 'Forbidden', 'Invalid')) return error.message
    if (!hasReason(error, 'AlreadyExists')) throw error
    const there = await ports.client.get(workKind, { namespace, name: action.name }, signal)
    ports.cache.observe(workKind, there)
    return isControlledBy(there, review) ? undefined : `Work "${action.name}" is there and not of this review`
  }
}
