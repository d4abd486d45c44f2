/** What the rehearsal model's writers have in common: what they are given and what they give back. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import type { Facts } from './facts.ts'

/** First line of every deliverable of the rehearsal model. */
export const REHEARSAL_LINE = '> **Rehearsal:** written by the rehearsal model, not by Claude; no API key is set.'

/** One finished deliverable and what to say of it. */
export type Piece = {
  readonly name: string
  /** Markdown without the rehearsal line. */
  readonly content: string
  /** Two sentences on what was done. */
  readonly summary: string
}

/** Writes the piece of one sort of persona. */
export type Writer = (facts: Facts, task: PromptContent) => Piece

/** The newest earlier deliverable, on which this task builds. */
export function basisOf(
  task: PromptContent,
): { readonly agentType: string; readonly name: string; readonly content: string } | undefined {
  for (const result of [...task.context].reverse()) {
    const last = result.deliverables.at(-1)
    if (last !== undefined) return { agentType: result.agentType, name: last.name, content: bare(last.content) }
  }
  return undefined
}

/** A text without the rehearsal line that another has put before it. */
export const bare = (content: string): string =>
  content
    .split('\n')
    .filter((line) => !line.startsWith('> **Rehearsal:**'))
    .join('\n')
    .trim()

/** The n-th item, starting anew at the end; a fallback for an empty list. */
export const nth = (items: readonly string[], index: number, fallback: string): string =>
  items.length === 0 ? fallback : (items[index % items.length] ?? fallback)
