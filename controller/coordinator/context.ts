/** Decides what of earlier results goes into a task: all that fits, the newest first to be kept. Pure. */
import type { Task } from '../../protocol/coordinator.ts'
import type { Work } from '../kinds/work/schema.ts'

type Result = Task['context'][number]

/** The most characters of earlier results in one task. */
export const CONTEXT_CHARS_MAX = 60_000
/** A text cut below this says too little to be worth its place. */
const CUT_CHARS_MIN = 500
const CUT_MARK = '\n… (cut)'

/** The result of a work, if it has one. */
export function resultOf(work: Work): Result | undefined {
  const summary = work.status?.output?.['summary']
  const deliverables = work.status?.deliverables ?? []
  if (typeof summary !== 'string' && deliverables.length === 0) return undefined
  return {
    work: work.metadata.name,
    agentType: work.spec.agentType ?? 'agent',
    summary: typeof summary === 'string' ? summary : '',
    deliverables: deliverables.map(({ name, mediaType, content }) => ({ name, mediaType, content })),
  }
}

/** Results of these works, oldest first, in at most `charsMax` characters: older texts are cut or left out first. */
export function contextOf(works: readonly Work[], charsMax: number = CONTEXT_CHARS_MAX): Result[] {
  const results: Result[] = []
  let leftChars = charsMax
  for (const work of [...works].reverse()) {
    const result = resultOf(work)
    if (result === undefined) continue
    const fitted = fit(result, leftChars)
    if (fitted === undefined) break
    results.unshift(fitted)
    leftChars -= charsOf(fitted)
  }
  return results
}

/** Characters that a result takes. */
export const charsOf = (result: Result): number =>
  result.summary.length + result.deliverables.reduce((sum, one) => sum + one.name.length + one.content.length, 0)

function fit(result: Result, charsMax: number): Result | undefined {
  if (result.summary.length > charsMax) return undefined
  let leftChars = charsMax - result.summary.length
  const deliverables: Result['deliverables'] = []
  for (const one of result.deliverables) {
    leftChars -= one.name.length
    const content = cut(one.content, leftChars)
    if (content === undefined) break
    deliverables.push({ ...one, content })
    leftChars -= content.length
  }
  return { ...result, deliverables }
}

function cut(text: string, charsMax: number): string | undefined {
  if (text.length <= charsMax) return text
  return charsMax < CUT_CHARS_MIN ? undefined : text.slice(0, charsMax - CUT_MARK.length) + CUT_MARK
}
