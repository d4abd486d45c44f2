/** Measures the tokens of each attempt as the gateway sees them; a sprite's own report is never asked for. */
import type { TokenUsage } from '../kinds/fields.ts'

/** What the gateway has seen of an attempt. */
export type Measured = { readonly usage: TokenUsage; readonly model?: string; readonly rehearsal: boolean }

/** One attempt of one work. */
export type AttemptKey = { readonly tenant: string; readonly workUid: string; readonly attempt: number }

/** Counts tokens by attempt, until the attempt is reported. */
export type UsageMeter = {
  add(key: AttemptKey, measured: Measured): void
  read(key: AttemptKey): Measured
  /** Forgets an attempt whose usage is written. */
  drop(key: AttemptKey): void
}

const NO_USAGE: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

/** The sum of two usages, sort by sort. Pure. */
export const addUsage = (a: TokenUsage, b: TokenUsage): TokenUsage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
})

/** A meter of at most `attemptsMax` attempts; the one not added to for longest goes first. */
export function createUsageMeter(attemptsMax = 20_000): UsageMeter {
  const attempts = new Map<string, Measured>()
  const idOf = (key: AttemptKey): string => `${key.tenant}/${key.workUid}/${key.attempt}`
  return {
    add: (key, measured) => {
      const id = idOf(key)
      const before = attempts.get(id)
      attempts.delete(id)
      attempts.set(id, {
        ...measured,
        usage: addUsage(before?.usage ?? NO_USAGE, measured.usage),
        rehearsal: measured.rehearsal || (before?.rehearsal ?? false),
      })
      const [oldest] = attempts.keys()
      if (attempts.size > attemptsMax && oldest !== undefined) attempts.delete(oldest)
    },
    read: (key) => attempts.get(idOf(key)) ?? { usage: NO_USAGE, rehearsal: false },
    drop: (key) => {
      attempts.delete(idOf(key))
    },
  }
}
