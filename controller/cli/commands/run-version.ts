/** Runs `spritectl version`. */
import { isJsonObject } from '../../api/patches.ts'
import { connectionFrom, type ConnectionFlags } from '../api/connection.ts'
import { createHttpClient } from '../api/http.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { versionText } from '../version.ts'

/** Runs `spritectl version`. */
export async function runVersion(context: CliContext, flags: ConnectionFlags): Promise<void> {
  context.process.stdout.write(`Client  ${versionText()} (Node ${process.versions.node})\n`)
  try {
    const connection = await connectionFrom(flags)
    const http = createHttpClient(connection)
    try {
      const version = await http.json('/version')
      const git = isJsonObject(version) ? version['gitVersion'] : undefined
      context.process.stdout.write(`Server  ${typeof git === 'string' ? git : 'unknown'} at ${connection.server}\n`)
    } finally {
      http.close()
    }
  } catch (error) {
    // Nothing runs: the client's version is an answer all the same.
    if (!(error instanceof CliFailure) || error.reason !== 'Unreachable') throw error
    context.process.stdout.write(`Server  none (${error.message})\n`)
  }
}
