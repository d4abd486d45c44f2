/** Tells any error that may end a command in one line, and decides its exit code. */
import { CliFailure } from './failure.ts'

/** 2 for a wrong command line, 1 for everything else. */
export const exitCodeOf = (error: unknown): number => (error instanceof CliFailure ? error.exitCode : 1)

/** One line without a stack trace: every error class of ours says in its message what would do. */
export function explain(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error)
  return text.startsWith('Error') ? text : `Error: ${text}`
}
