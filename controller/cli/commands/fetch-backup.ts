/** Fetches a backup of the control plane that runs, and proves that it is whole. */
import { BACKUP_PATH } from '../../assembly/backup-route.ts'
import { checkWhole, partialFile } from '../../assembly/transfer/backup-file.ts'
import { connectionFrom } from '../api/connection.ts'
import { createHttpClient } from '../api/http.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { jsonText } from '../output.ts'
import { counted } from '../text.ts'
import type { BackupFlags } from './move.ts'

/** Writes the file, whole or not at all. Rejects with CliFailure, ApiError, TransferError. */
export async function fetchBackup(context: CliContext, flags: BackupFlags, path: string): Promise<void> {
  if (flags.place !== undefined)
    throw new CliFailure('Usage', 'Leave out --place, or --running: which store it has, the control plane knows')
  const http = createHttpClient(await connectionFrom(flags))
  const file = partialFile(path)
  const stop = new AbortController()
  const stopListening = context.onStop(() => stop.abort(new CliFailure('BadInput', 'Stopped: no backup was written')))
  try {
    for await (const text of http.text(BACKUP_PATH, { signal: stop.signal })) await file.write(text)
    stop.signal.throwIfAborted()
    const { lines } = await file.finish(checkWhole)
    const { stdout } = context.process
    if (flags.output === 'json') stdout.write(jsonText({ path, lines }))
    else stdout.write(`Verified: "${path}" is whole, with ${counted(lines, 'line')}\n`)
  } finally {
    stopListening()
    http.close()
    await file.close()
  }
}
