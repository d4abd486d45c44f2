/** Runs `spritectl audit verify`. */
import { existsSync } from 'node:fs'
import { dataPaths } from '../../assembly/data-folder.ts'
import { fullFiles } from '../../assembly/audit-file.ts'
import { verifyAuditFiles, type AuditVerdict } from '../../assembly/audit-verify.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { jsonText } from '../output.ts'
import { clean, counted } from '../text.ts'
import type { AuditVerifyFlags } from './audit.ts'

/** Runs `spritectl audit verify`. */
export async function runAuditVerify(
  context: CliContext,
  flags: AuditVerifyFlags,
  ...given: readonly string[]
): Promise<void> {
  const { expect } = flags
  if (expect !== undefined && !/^[0-9a-f]{64}$/.test(expect))
    throw new CliFailure('Usage', `Name a hash of 64 hex digits: got "${expect}"`)
  const files = given.length > 0 ? given : filesOf(flags.data)
  const verdict = await verify(files, expect)
  const { stdout } = context.process
  if (flags.output === 'json') stdout.write(jsonText({ files, ...verdict }))
  else for (const line of linesOf(verdict)) stdout.write(`${line}\n`)
  const { broken } = verdict
  if (broken !== undefined) throw new CliFailure('BadInput', `${broken.file}:${broken.line}: ${broken.problem}`)
  if (expect !== undefined && !verdict.hasExpected)
    throw new CliFailure('BadInput', `Find no line with the hash "${expect}": lines were cut, or it is of another log`)
}

async function verify(files: readonly string[], expect: string | undefined): Promise<AuditVerdict> {
  try {
    return await verifyAuditFiles(files, expect)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
    if (code === undefined) throw error
    throw new CliFailure('BadInput', `Cannot read ${files.map((file) => `"${file}"`).join(', ')} (${code})`, {
      cause: error,
    })
  }
}

/** All files of a data folder, the oldest first. */
function filesOf(folder: string): readonly string[] {
  const path = dataPaths(folder).auditLog
  if (!existsSync(path)) throw new CliFailure('NotFound', `Find no audit log at "${path}": name its folder with --data`)
  return [...fullFiles(path), path]
}

function linesOf(verdict: AuditVerdict): readonly string[] {
  const { lines, tornLines, isFromStart, last, hasOpenEnd, broken } = verdict
  if (broken !== undefined) return []
  return [
    `${counted(lines, 'line')}, each follows the one before`,
    ...(last === undefined || isFromStart ? [] : ['begins after lines that are no longer here']),
    ...(tornLines === 0 ? [] : [`${counted(tornLines, 'line')} cut off by a crash, and recorded as such`]),
    ...(hasOpenEnd ? ['the last line has no end yet'] : []),
    ...(last === undefined ? [] : [`last ${clean(last)}`]),
  ]
}
