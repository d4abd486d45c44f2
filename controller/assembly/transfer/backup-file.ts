/** A backup file as a place: a line of JSON for each object, Secrets encrypted, and a last line that proves it whole. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { resourceName } from '../../api/define-kind.ts'
import type { JsonObject } from '../../api/object.ts'
import { secretResource } from '../../registry/secrets.ts'
import { keyIdOf, open as openSealed, seal, type SealingKey } from '../../store/envelope.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { titleOf, TransferError, type Carried, type Source, type Spent, type Target } from './carried.ts'

/** What reading and writing a backup needs. */
export type BackupPorts = {
  readonly path: string
  /** The first one encrypts Secrets, all decrypt. */
  readonly keys: readonly [SealingKey, ...SealingKey[]]
  readonly controlPlaneId: string
  readonly clock: Clock
  readonly entropy: Entropy
}

const FORMAT = 'sprites.highera.com/backup.v1'
const MODE = 0o600
/** A line is an object and its place; no object of the API is larger. */
const LINE_CHARS_MAX = 16 * 1024 * 1024
const SECRETS = resourceName(secretResource)

const headerLine = z.object({ format: z.literal(FORMAT), controlPlaneId: z.string(), madeAt: z.string() })
const placeSchema = { collection: z.string().min(1), namespace: z.string(), name: z.string().min(1) }
const objectLine = z.object({ ...placeSchema, object: z.record(z.string(), z.json()) })
const sealedLine = z.object({ ...placeSchema, sealed: z.string() })
const spentLine = z.object({ tenant: z.string().min(1), period: z.string(), spent: z.number().int().min(0) })
const endLine = z.object({ end: z.object({ lines: z.number().int(), sha256: z.string() }) })

/** The header of a backup. */
export type BackupHeader = z.infer<typeof headerLine>

/** What writing one needs, wherever it goes. */
export type BackupWriterPorts = Omit<BackupPorts, 'path'>

/** Writes the lines of a backup, one after the other, whoever gives them. */
export type BackupWriter = {
  readonly put: (carried: Carried) => Promise<void>
  readonly setSpent: (spent: Spent) => Promise<void>
  /** All was given: writes the last line, which proves it whole. */
  readonly end: () => Promise<void>
}

/** A writer whose lines `write` takes, each once the one before it was taken. */
export function backupWriter(ports: BackupWriterPorts, write: (line: string) => Promise<void>): BackupWriter {
  const { clock, entropy, controlPlaneId } = ports
  const digest = createHash('sha256')
  let lines = -1
  const append = (value: object): Promise<void> => {
    const line = `${JSON.stringify(value)}\n`
    digest.update(line)
    lines++
    return write(line)
  }
  const header: BackupHeader = { format: FORMAT, controlPlaneId, madeAt: timestamp(clock.now()) }
  let last = Promise.resolve()
  const inTurn = (run: () => Promise<void>): Promise<void> => (last = last.then(run))
  const begun = (): Promise<void> => (lines < 0 ? append(header) : Promise.resolve())
  const put = (value: object): Promise<void> => inTurn(() => begun().then(() => append(value)))
  const sealed = ({ object, ...place }: Carried): object =>
    place.collection === SECRETS
      ? { ...place, sealed: seal(JSON.stringify(object), ports.keys[0], { ...place, revision: 0, entropy }) }
      : { ...place, object }
  return {
    put: (carried) => put(sealed(carried)),
    setSpent: put,
    end: () =>
      inTurn(async () => {
        await begun()
        await write(`${JSON.stringify({ end: { lines, sha256: digest.digest('hex') } })}\n`)
      }),
  }
}

/** Writes all of a source, in the order in which it comes; the signal ends it. Rejects with TransferError. */
export async function writeBackup(source: Source, writer: BackupWriter, signal: AbortSignal): Promise<void> {
  for await (const carried of source.objects()) {
    signal.throwIfAborted()
    await writer.put(carried)
  }
  for await (const spent of source.spent()) await writer.setSpent(spent)
  signal.throwIfAborted()
  await writer.end()
}

/** The file to be written: at `seal` it takes its name, before that there is none. */
export function backupTarget(ports: BackupPorts): Target {
  const file = partialFile(ports.path)
  const writer = backupWriter(ports, file.write)
  return {
    name: `"${ports.path}"`,
    isNew: true,
    put: async (carried) => {
      await writer.put(carried)
      return 'Written'
    },
    setSpent: writer.setSpent,
    seal: async () => {
      await writer.end()
      await file.finish(checkWhole)
    },
    objects: () => backupSource(ports).objects(),
    spent: () => backupSource(ports).spent(),
    close: file.close,
  }
}

/** A file that takes its name when it is finished; closed before that, it leaves nothing. */
export type PartialFile = {
  /** Rejects with TransferError. */
  readonly write: (text: string) => Promise<void>
  /** Gives it its name, once `check` has looked at what was written. */
  readonly finish: <T>(check: (path: string) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** The file under another name, made at the first write. */
export function partialFile(path: string): PartialFile {
  const temporary = `${path}.part`
  let file: FileHandle | undefined
  const inWords = (run: () => Promise<void>): Promise<void> =>
    run().catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error)) throw error
      throw new TransferError(`Cannot write "${path}" (${String(error.code)}): make room, or name another file`, {
        cause: error,
      })
    })
  return {
    write: (text) =>
      inWords(async () => {
        file ??= await open(temporary, 'w', MODE)
        await file.writeFile(text)
      }),
    finish: async (check) => {
      await inWords(async () => await file?.sync())
      const checked = await check(temporary)
      await inWords(() => rename(temporary, path))
      await file?.close()
      file = undefined
      return checked
    },
    close: async () => {
      if (file === undefined) return
      await file.close().catch(() => {})
      await rm(temporary, { force: true })
    },
  }
}

/** A backup to read; each reading checks that it is whole before it gives the first object. */
export function backupSource(ports: BackupPorts): Source {
  const { path } = ports
  let isWhole = false
  async function* values(): AsyncGenerator<{ readonly at: number; readonly value: unknown }, void, undefined> {
    if (!isWhole) await checkWhole(path)
    isWhole = true
    for await (const { at, text } of linesOf(path)) if (at > 1) yield { at, value: jsonOf(text, path, at) }
  }
  return {
    name: `"${path}"`,
    async *objects() {
      for await (const { at, value } of values()) {
        const carried = carriedOf(value, ports, at)
        if (carried !== undefined) yield carried
      }
    },
    async *spent(): AsyncGenerator<Spent, void, undefined> {
      for await (const { value } of values()) {
        const read = spentLine.safeParse(value)
        if (read.success) yield read.data
      }
    },
    close: () => Promise.resolve(),
  }
}

/** The header of a backup file. Rejects with TransferError when it is none. */
export async function backupHeader(path: string): Promise<BackupHeader> {
  for await (const { text } of linesOf(path)) {
    const read = headerLine.safeParse(jsonOf(text, path, 1))
    if (read.success) return read.data
    break
  }
  throw new TransferError(`Cannot read "${path}": it is no backup of a control plane`)
}

function carriedOf(value: unknown, { path, keys }: BackupPorts, at: number): Carried | undefined {
  const plain = objectLine.safeParse(value)
  // JSON maps of JSON values.
  if (plain.success) return plain.data as Carried
  const read = sealedLine.safeParse(value)
  if (!read.success) {
    if (spentLine.safeParse(value).success || endLine.safeParse(value).success) return undefined
    throw new TransferError(`Cannot read line ${at} of "${path}": it is neither an object nor a balance`)
  }
  const { sealed, ...place } = read.data
  const opened = openSealed(sealed, new Map(keys.map((key) => [key.id, key])), { ...place, revision: 0 })
  // What was sealed is an object's JSON.
  if ('text' in opened) return { ...place, object: JSON.parse(opened.text) as JsonObject }
  throw new TransferError(
    `Cannot read ${titleOf(place)} in "${path}": ${opened.fault} (key "${keyIdOf(sealed) ?? ''}"); set MASTER_KEY or SECRETS_ENCRYPTION_KEYS as they were when it was made`,
  )
}

/** Rejects with TransferError when the file is no backup, cut off, or changed. */
export async function checkWhole(path: string): Promise<{ readonly lines: number }> {
  await backupHeader(path)
  const digest = createHash('sha256')
  let pending: string | undefined
  let lines = -1
  for await (const { text } of linesOf(path)) {
    if (pending !== undefined) {
      digest.update(`${pending}\n`)
      lines++
    }
    pending = text
  }
  const end = endLine.safeParse(pending === undefined ? undefined : jsonOf(pending, path, lines + 2))
  if (end.success && end.data.end.lines === lines && end.data.end.sha256 === digest.digest('hex')) return { lines }
  throw new TransferError(`Cannot use "${path}": it is cut off or was changed; take another backup`)
}

async function* linesOf(path: string): AsyncGenerator<{ readonly at: number; readonly text: string }, void, undefined> {
  const stream = createReadStream(path, { encoding: 'utf8' })
  let at = 0
  try {
    for await (const text of createInterface({ input: stream, crlfDelay: Infinity })) {
      at++
      if (text.length > LINE_CHARS_MAX) throw new TransferError(`Cannot read line ${at} of "${path}": it is too long`)
      yield { at, text }
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new TransferError(`Cannot read "${path}" (${String(error.code)})`, { cause: error })
  } finally {
    stream.destroy()
  }
}

function jsonOf(text: string, path: string, at: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TransferError(
      `Cannot read line ${at} of "${path}": it is not JSON, so cut off, damaged or no backup; take another`,
    )
  }
}
