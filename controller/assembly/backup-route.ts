/** GET /v1/backup: everything that is stored, of one instant, as a backup file; for platform admins, while all goes on. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../../system/log.ts'
import type { Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import type { Environment } from '../config.ts'
import { admitted, refuseRequest, type AdminRequestPorts } from './admin-request.ts'
import { sealingKeysOf } from './secrets-at-rest.ts'
import { backupWriter, writeBackup, type BackupWriterPorts } from './transfer/backup-file.ts'
import type { Source } from './transfer/carried.ts'
import { storePlace, type StorePlacePorts } from './transfer/store-place.ts'

/** Where it is answered. */
export const BACKUP_PATH = '/v1/backup'

/** Text that is sent at once: lines are short. */
const CHUNK_CHARS = 64 * 1024

/** What the route needs of the process. */
export type BackupRoutePorts = AdminRequestPorts &
  BackupWriterPorts & {
    /** All that is stored, as of the first read. */
    readonly source: () => Source
    /** Told who asks, for the audit log. */
    readonly noteAdmin: (request: IncomingMessage, admin: Actor) => void
    readonly log: Log
  }

/** Serves the path; false for any other. Never rejects. */
export type BackupRoute = (
  request: IncomingMessage,
  response: ServerResponse,
  asked: { readonly url: URL; readonly closing: AbortSignal },
) => Promise<boolean>

/** The route. It makes one backup at a time: a second request is told so. */
export function backupRoute(ports: BackupRoutePorts): BackupRoute {
  let isBusy = false
  return async (request, response, { url, closing }) => {
    if (url.pathname !== BACKUP_PATH) return false
    let isMine = false
    try {
      ports.noteAdmin(request, await admitted(ports, request, BACKUP_PATH))
      if (isBusy) throw new ApiError('TooManyRequests', 'Wait until the other backup is done, then ask again')
      isMine = isBusy = true
      await send(ports, response, closing)
    } catch (error) {
      if (response.headersSent) {
        // What was sent has no last line: whoever reads it sees that it is not whole.
        ports.log.warn({ error }, 'a backup broke off')
        response.destroy()
      } else refuseRequest(response, error, 'Cannot make a backup: the log says why')
    } finally {
      if (isMine) isBusy = false
    }
    return true
  }
}

async function send(ports: BackupRoutePorts, response: ServerResponse, closing: AbortSignal): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, closing])
  let pending = ''
  const flush = async (): Promise<void> => {
    const text = pending
    pending = ''
    // A response that is gone takes nothing, and never drains.
    signal.throwIfAborted()
    if (!response.write(text)) await once(response, 'drain', { signal })
  }
  const writer = backupWriter(ports, async (line) => {
    if (!response.headersSent)
      response.writeHead(200, {
        'content-type': 'application/jsonl',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
    pending += line
    if (pending.length >= CHUNK_CHARS) await flush()
  })
  await writeBackup(ports.source(), writer, signal)
  await flush()
  response.end()
}

/** The route over the stores of this process. */
export function openBackupRoute(
  parts: AdminRequestPorts & Pick<BackupRoutePorts, 'noteAdmin' | 'log' | 'clock' | 'entropy'> & BackedUp,
): BackupRoute {
  const { environment, masterKey, identity } = parts
  const source = (): Source =>
    storePlace({ ...parts, name: 'this control plane', isSnapshot: true, close: () => Promise.resolve() })
  const keys = sealingKeysOf(environment, masterKey)
  return backupRoute({ ...parts, keys, controlPlaneId: identity.controlPlaneId, source })
}

type BackedUp = Pick<StorePlacePorts, 'store' | 'storeAtRest' | 'ledger'> & {
  readonly environment: Environment
  readonly masterKey: Uint8Array
  readonly identity: { readonly controlPlaneId: string }
}
