/** Decides which objects follow from a work's recorded result: one Work a hand-off, one Review a question. Pure. */
import type { Work, HandOff, WorkStatus } from './schema.ts'
import type { WorkAction } from './decide.ts'
import { AGENT_TYPE_LABEL, PROJECT_LABEL } from '../marks.ts'

/** Hand-offs that are neither made nor refused yet. */
export const outboxOf = (work: Work): HandOff[] =>
  (work.status?.handOffs ?? []).filter((handOff) => handOff.created !== true && handOff.refused === undefined)

/** The child of a hand-off: same project, priority, deadline and tries; its name makes it one, however often it is made. */
export function childOf(work: Work, handOff: HandOff): Extract<WorkAction, { do: 'createWork' }> {
  const { project, priority, deadline, maxAttempts } = work.spec
  return {
    do: 'createWork',
    step: handOff.step,
    object: {
      metadata: {
        name: handOff.work,
        namespace: work.metadata.namespace ?? '',
        labels: {
          [AGENT_TYPE_LABEL]: handOff.agentType,
          ...(project === undefined ? {} : { [PROJECT_LABEL]: project }),
        },
      },
      spec: {
        type: handOff.type,
        description: handOff.description,
        agentType: handOff.agentType,
        ...(handOff.input === undefined ? {} : { input: handOff.input }),
        ...(project === undefined ? {} : { project }),
        ...(deadline === undefined ? {} : { deadline }),
        priority,
        maxAttempts,
        cancelled: false,
        parent: work.metadata.name,
      },
    },
  }
}

/** The Review object of a question. */
export function reviewOf(
  work: Work,
  review: NonNullable<WorkStatus['reviews']>[number],
): Extract<WorkAction, { do: 'createReview' }> {
  const { project } = work.spec
  return {
    do: 'createReview',
    step: review.step,
    object: {
      metadata: {
        name: review.review,
        namespace: work.metadata.namespace ?? '',
        ...(project === undefined ? {} : { labels: { [PROJECT_LABEL]: project } }),
        ownerReferences: [
          { apiVersion: work.apiVersion, kind: work.kind, name: work.metadata.name, uid: work.metadata.uid },
        ],
      },
      spec: {
        work: work.metadata.name,
        artifact: review.artifact,
        question: review.question,
        reviewer: review.reviewer,
      },
    },
  }
}
