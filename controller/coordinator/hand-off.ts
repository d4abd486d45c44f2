/** Decides of each hand-off whether it is made, and the names of what follows from a result. Pure. */
import type { CompleteRequest } from '../../protocol/coordinator.ts'
import {
  HANDOFF_DEPTH_MAX,
  HANDOFF_FANOUT_MAX,
  type HandOff,
  type Work,
  type WorkStatus,
} from '../kinds/work/schema.ts'

/** Lower-case hex of SHA-256; injected, since pure files call no library of Node's. */
export type Sha256 = (text: string) => string

const NAME_CHARS_MAX = 63
const HASH_CHARS = 10

/** What a chain looks like from this work: its own place and all above it, oldest first. */
export type ChainView = { readonly work: Work; readonly ancestors: readonly Work[] }

/**
 * The name of what follows from a step of a work: the same uid and step always give the same name, so that a result
 * recorded twice cannot fork (promises.md S6).
 */
export function followUpName(view: ChainView, seed: string, sha256: Sha256): string {
  const hash = sha256(`${view.work.metadata.uid}/${seed}`).slice(0, HASH_CHARS)
  const root = rootName(view).replaceAll('.', '-')
  return `${root.slice(0, NAME_CHARS_MAX - HASH_CHARS - 1).replace(/-+$/, '')}-${hash}`
}

const rootName = ({ work, ancestors }: ChainView): string =>
  work.status?.chain?.id ?? ancestors[0]?.metadata.name ?? work.metadata.name

/** The hand-offs of a result as they are recorded: those that are refused say why. */
export function decideHandOffs(
  view: ChainView,
  requested: CompleteRequest['handOffs'],
  rules: { readonly allowed: ReadonlySet<string>; readonly sha256: Sha256 },
): HandOff[] {
  const visited = new Set(
    [...view.ancestors, view.work].map((work) => payloadDigest({ agentType: '', ...work.spec }, rules.sha256)),
  )
  return requested.slice(0, HANDOFF_FANOUT_MAX).map((one, index) => {
    const step = index + 1
    const wanted = { ...one, type: taskType(one.type) }
    const digest = payloadDigest(wanted, rules.sha256)
    const refused = whyRefused(view, wanted.agentType, rules.allowed) ?? whyRepeated(visited.has(digest), wanted)
    visited.add(digest)
    return {
      step,
      agentType: wanted.agentType,
      type: wanted.type,
      description: wanted.description,
      ...(wanted.input === undefined ? {} : { input: wanted.input }),
      work: followUpName(view, `${step}`, rules.sha256),
      ...(refused === undefined ? {} : { refused }),
    }
  })
}

function whyRefused(view: ChainView, agentType: string, allowed: ReadonlySet<string>): string | undefined {
  if (!allowed.has(agentType)) return `agent type "${agentType}" is not one that it may hand off to`
  const depth = (view.work.status?.chain?.depth ?? view.ancestors.length) + 1
  if (depth > HANDOFF_DEPTH_MAX) return `the chain would be ${depth} deep, at most ${HANDOFF_DEPTH_MAX}`
  return undefined
}

const whyRepeated = (isRepeated: boolean, wanted: { readonly agentType: string }): string | undefined =>
  isRepeated ? `"${wanted.agentType}" already had the same task in this chain` : undefined

type Payload = {
  readonly agentType?: string | undefined
  readonly type: string
  readonly description: string
  readonly input?: Record<string, unknown> | undefined
}

/** The digest of who is asked for what: two of the same are a loop. */
const payloadDigest = (payload: Payload, sha256: Sha256): string =>
  sha256(canonical([payload.agentType, payload.type, payload.description, payload.input ?? {}]))

/** JSON with sorted keys; the depth of the input was bounded when it came in. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`
}

/** A task type as Work takes it, from what the model wrote. */
export function taskType(text: string): string {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[^a-z]+|_+$/g, '')
    .slice(0, 63)
  return words === '' ? 'task' : words
}

/** Whether the work is done by an agent that reviews: its result is a verdict. */
export const answersReview = (work: Work): boolean =>
  work.metadata.ownerReferences?.some(({ kind, controller }) => kind === 'Review' && controller === true) ?? false

/**
 * The reviews of a result as they are recorded; who is no agent of the tenant's is a person. What is done for a Review
 * is an answer itself: questions on it are dropped, or agents would review reviews without end.
 */
export function decideReviews(
  view: ChainView,
  requested: CompleteRequest['reviews'],
  rules: { readonly reviewers: ReadonlySet<string>; readonly attempt: number; readonly sha256: Sha256 },
): NonNullable<WorkStatus['reviews']> {
  return (answersReview(view.work) ? [] : requested).map((one, index) => ({
    step: index + 1,
    question: one.question,
    artifact: one.artifact,
    reviewer: rules.reviewers.has(one.reviewer) ? one.reviewer : 'person',
    // With the attempt: a later round asks anew rather than finding the answer to the one before.
    review: followUpName(view, `review/${rules.attempt}/${index + 1}`, rules.sha256),
  }))
}
