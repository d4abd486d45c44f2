/** Checks what lies in a data folder: whether it can be written, its store read, its audit log continued, its certificates used. */
import { X509Certificate } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { dataPaths, type DataPaths } from '../../assembly/data-folder.ts'
import type { Environment } from '../../config.ts'
import { check, type Check } from '../../providers/check.ts'
import type { Clock } from '../../../system/clock.ts'
import { counted } from '../text.ts'

const DAY_MS = 86_400_000
/** A server's certificate is made anew at the first start with fewer days than 30 left. */
const CERTIFICATE_DAYS_LOW = 14

/**
 * Four checks, or three where the objects lie elsewhere; what is not there yet is made at the first start. Of the settings
 * count the place of the objects, and a certificate that is served instead of the folder's own. Never rejects, and
 * changes nothing.
 */
export async function folderChecks(
  folder: string,
  clock: Clock,
  settings: Partial<Pick<Environment, 'STORE' | 'TLS_CERT_FILE'>> = {},
): Promise<readonly Check[]> {
  const paths = dataPaths(folder)
  const { STORE: store = 'embedded', TLS_CERT_FILE: certFile } = settings
  const file = store === 'embedded' ? [storeCheck(paths)] : []
  const certificates = await (certFile === undefined
    ? certificateCheck(paths, clock)
    : certificateCheckOf([certFile], clock, `put a new one at "${certFile}" and start anew`))
  return [await folderCheck(folder), ...file, await auditCheck(paths), certificates]
}

const isWritable = (path: string): Promise<boolean> =>
  access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )

/** The nearest folder upwards that is there. */
function nearest(path: string): string {
  let at = resolve(path)
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at)
  return at
}

async function folderCheck(folder: string): Promise<Check> {
  const at = nearest(folder)
  const fix = 'choose another with --data, or change its owner'
  if (!(await isWritable(at))) return check('data folder', 'fail', `cannot write to "${at}"`, fix)
  return check('data folder', 'ok', existsSync(folder) ? `"${folder}" can be written` : `"${folder}" can be made`)
}

/** SQLite's code for a file that another process has locked: the control plane that runs. */
const BUSY = [5, 6]

function storeCheck({ store, identity }: DataPaths): Check {
  if (!existsSync(store))
    return existsSync(identity)
      ? check('store', 'fail', `"${store}" is gone, and was there before`, 'restore it from a backup')
      : check('store', 'ok', 'is made at the first start')
  try {
    const database = new DatabaseSync(store, { readOnly: true })
    try {
      const [row] = database.prepare('PRAGMA quick_check(1)').all()
      const found = row?.['quick_check']
      if (found === 'ok') return check('store', 'ok', `"${store}" is whole`)
      return check('store', 'fail', `"${store}" is damaged (${String(found)})`, 'restore it from a backup')
    } finally {
      database.close()
    }
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined
    if (code !== undefined && BUSY.includes(code)) return check('store', 'ok', 'is in use by a control plane')
    const why = error instanceof Error ? error.message : String(error)
    return check('store', 'fail', `cannot read "${store}" (${why})`, 'change its owner, or restore it from a backup')
  }
}

async function auditCheck({ auditLog }: DataPaths): Promise<Check> {
  const at = existsSync(auditLog) ? auditLog : nearest(auditLog)
  if (await isWritable(at)) return check('audit log', 'ok', `"${auditLog}" can be written`)
  return check('audit log', 'fail', `cannot write to "${at}"`, 'change its owner')
}

async function certificateCheck({ certificates }: DataPaths, clock: Clock): Promise<Check> {
  const files = ['tls.crt', 'ca.crt'].map((name) => join(certificates, name)).filter((path) => existsSync(path))
  if (files.length === 0) return check('certificates', 'ok', 'are made at the first start')
  return certificateCheckOf(files, clock, 'start the control plane anew: it renews them')
}

async function certificateCheckOf(files: readonly string[], clock: Clock, fix: string): Promise<Check> {
  try {
    const ends = await Promise.all(files.map(async (path) => new X509Certificate(await readFile(path)).validToDate))
    const days = Math.floor((Math.min(...ends.map((end) => end.getTime())) - clock.now()) / DAY_MS)
    const text = days < 0 ? `ended ${counted(-days, 'day')} ago` : `${counted(days, 'day')} left`
    if (days < 0) return check('certificates', 'fail', text, fix)
    return days < CERTIFICATE_DAYS_LOW ? check('certificates', 'warn', text, fix) : check('certificates', 'ok', text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const places = [...new Set(files.map((file) => dirname(file)))].join('" and "')
    return check('certificates', 'fail', `cannot be read (${why})`, `look into "${places}": ${fix}`)
  }
}
