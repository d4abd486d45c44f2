/** Makes the task that a sprite receives out of the objects that it depends on. Pure. */
import type { Task } from '../../protocol/coordinator.ts'
import type { Persona } from '../../protocol/persona.ts'
import { parseTimestamp } from '../../system/timestamp.ts'
import type { Project } from '../kinds/project/schema.ts'
import type { Review } from '../kinds/review/schema.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import type { Work } from '../kinds/work/schema.ts'
import type { Agent } from './agents.ts'
import { contextOf } from './context.ts'
import { answersReview } from './hand-off.ts'

/** What a task is made from. */
export type TaskParts = {
  readonly work: Work
  readonly tenant: Tenant
  readonly project: Project | undefined
  readonly agent: Agent
  readonly model: string
  readonly targets: readonly Agent[]
  /** Works whose results matter, oldest first. */
  readonly earlier: readonly Work[]
  readonly reviews: readonly Review[]
}

/** The task of a work; its attempt is the work's current one. */
export function taskOf(parts: TaskParts): Task {
  const { work, tenant, project } = parts
  const deadlineMs = parseTimestamp(work.spec.deadline)
  return {
    work: work.metadata.name,
    attempt: work.status?.attempt ?? 1,
    type: work.spec.type,
    description: work.spec.description,
    ...(work.spec.input === undefined ? {} : { input: work.spec.input }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    persona: personaFor(work, parts.agent.persona),
    model: parts.model,
    tenant: { name: tenant.metadata.name, displayName: tenant.spec.displayName },
    brand: tenant.spec.brand,
    ...(project === undefined
      ? {}
      : {
          project: {
            name: project.metadata.name,
            displayName: project.spec.displayName,
            brief: project.spec.brief,
          },
        }),
    handOffTargets: parts.targets.map(({ persona }) => ({
      agentType: persona.name,
      description: persona.description,
    })),
    context: contextOf(parts.earlier),
    feedback: feedbackOf(work, parts.reviews),
  }
}

/** Who reviews gives the answer, and does not ask for one. */
const personaFor = (work: Work, persona: Persona): Persona =>
  answersReview(work) ? { ...persona, tools: persona.tools.filter((tool) => tool !== 'request_review') } : persona

/** The answers to this work's reviews, oldest first. */
const feedbackOf = (work: Work, reviews: readonly Review[]): Task['feedback'] =>
  reviews
    .filter((review) => review.spec.work === work.metadata.name && review.status?.phase === 'Answered')
    .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
    .slice(-20)
    .map((review) => ({
      artifact: review.spec.artifact,
      verdict: review.status?.verdict ?? '',
      comment: review.status?.comment ?? '',
      by: review.status?.by ?? '',
    }))
