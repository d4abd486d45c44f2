/** Opens the audit log as the settings say. */
import type { Environment } from '../config.ts'
import { openAuditLog, type AuditLog, type AuditLogOptions } from './audit-log.ts'
import { DataFolderError } from './data-folder.ts'

/** Opens the audit log. Throws DataFolderError when it cannot be written: nothing would be answered for. */
export function openAudit(
  environment: Environment,
  options: Omit<AuditLogOptions, 'fileBytesMax' | 'filesKept'>,
): AuditLog {
  try {
    return openAuditLog({
      ...options,
      fileBytesMax: environment.AUDIT_LOG_FILE_BYTES_MAX,
      filesKept: environment.AUDIT_LOG_FILES_KEPT,
    })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new DataFolderError(`Cannot write the audit log "${options.path}" (${code}): change its owner and mode`, {
      cause: error,
    })
  }
}
