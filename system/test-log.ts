/** A log for tests that keeps what is told, but for what is meant for those who debug. */
import { silentLog, type Log } from './log.ts'

/** A log and its lines, each as `level: message`; debug is left out. */
export function keepingLog(): { readonly log: Log; readonly lines: readonly string[] } {
  const lines: string[] = []
  const log: Log = {
    ...silentLog,
    info: (_fields, message) => void lines.push(`info: ${message}`),
    warn: (_fields, message) => void lines.push(`warn: ${message}`),
    error: (_fields, message) => void lines.push(`error: ${message}`),
    child: () => log,
  }
  return { log, lines }
}
