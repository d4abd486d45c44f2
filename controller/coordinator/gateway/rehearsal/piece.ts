/** What the rehearsal model's writers have in common: what they are given and what they give back. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import type { Brief } from './brief.ts'

/** First line of every deliverable of the rehearsal model. */
export const REHEARSAL_LINE = '> **Rehearsal:** written by the rehearsal model, not by Claude; no API key is set.'

/** One finished text: Markdown without the rehearsal line. */
export type Text = { readonly name: string; readonly content: string }

/** What a persona hands in, and two or three sentences on it. */
export type Draft = { readonly texts: readonly Text[]; readonly summary: string }

/** Writes what one sort of persona hands in. */
export type Writer = (brief: Brief, task: PromptContent) => Draft

/** A text that came before, with who wrote it. */
export type Earlier = Text & { readonly agentType: string }

/** The texts of the newest earlier result that has any: on these a task builds. */
export function basisOf(task: PromptContent): readonly Earlier[] {
  const result = task.context.findLast(({ deliverables }) => deliverables.length > 0)
  if (result === undefined) return []
  return result.deliverables.map(({ name, content }) => ({ agentType: result.agentType, name, content: bare(content) }))
}

/** A text without the rehearsal line that another has put before it. */
export const bare = (content: string): string =>
  content
    .split('\n')
    .filter((line) => !line.startsWith('> **Rehearsal:**'))
    .join('\n')
    .trim()

/** What stands before the first line that only the next in the chain is to read. */
export const NOTES_MARK = '\n\n---\n'

/** A line that an earlier plan has settled, such as `One idea: …`; the newest one counts. */
export function settled(task: PromptContent, label: string): string | undefined {
  for (const { deliverables } of task.context.toReversed()) {
    for (const { content } of deliverables) {
      const line = content.split('\n', 400).find((one) => one.startsWith(`${label}: `))
      if (line !== undefined) return line.slice(label.length + 2, label.length + 302).replace(/[.\s]{1,5}$/, '')
    }
  }
  return undefined
}

/** The label of the line that carries a campaign's idea from the director to all others. */
export const IDEA = 'One idea'
