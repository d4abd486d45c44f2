/** Tells any error that may end a command in one line, and decides its exit code. */
import { ApiError } from '../api/errors.ts'
import { CliFailure } from './failure.ts'
import { clean } from './text.ts'

/** 2 for a wrong command line, 1 for everything else. */
export const exitCodeOf = (error: unknown): number => (error instanceof CliFailure ? error.exitCode : 1)

/** Without a stack trace: every error class of ours says in its message what would do. */
export function explain(error: unknown): string {
  // Personas are the one failure with a line for each of many problems.
  const lines = messageOf(error).split('\n').map(clean)
  const text = lines.filter((line) => line !== '').join('\n')
  if (error instanceof ApiError) return `Error from server (${error.reason}): ${text}`
  return text.startsWith('Error') ? text : `Error: ${text}`
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message || error.name : String(error))
