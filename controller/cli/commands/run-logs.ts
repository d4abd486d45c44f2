/** Runs `spritectl logs`. */
import { spriteKind } from '../../kinds/sprite/schema.ts'
import { resourceOf } from '../../api/resource-of.ts'
import { connectionFrom } from '../api/connection.ts'
import { createHttpClient } from '../api/http.ts'
import type { CliContext } from '../context.ts'
import { namespaceFor } from '../kinds.ts'
import type { LogsFlags } from './logs.ts'

/** Runs `spritectl logs`. */
export async function runLogs(context: CliContext, flags: LogsFlags, given: string): Promise<void> {
  const name = given.replace(/^(sprites?|spr)\//, '')
  const connection = await connectionFrom(flags)
  const namespace = namespaceFor(resourceOf(spriteKind), { namespace: flags.namespace ?? connection.namespace })
  const http = createHttpClient(connection)
  const controller = new AbortController()
  const stopListening = context.onStop(() => controller.abort())
  const path = `/v1/tenants/${encodeURIComponent(namespace)}/sprites/${encodeURIComponent(name)}/log`
  const query = { follow: flags.follow ? 'true' : undefined }
  try {
    for await (const text of http.text(path, { accept: 'text/plain', query, signal: controller.signal }))
      context.process.stdout.write(text)
  } catch (error) {
    if (!controller.signal.aborted) throw error
  } finally {
    stopListening()
    http.close()
  }
}
