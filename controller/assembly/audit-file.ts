/** The files of the audit log: opened, appended to as a whole or not at all, found again, renamed and pruned. */
import {
  closeSync,
  fdatasyncSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** The file that is written, open. */
export type AuditFile = {
  /** How much of it we know of. */
  readonly sizeBytes: number
  /** Appends all of the text; throws node's error, and takes back what was written of it then. */
  readonly append: (text: string) => void
  /** Whether the path still leads to this file, and to all of it. */
  readonly look: () => 'same' | 'gone' | 'cut'
  /** The last bytes, at most so many. */
  readonly tail: (bytesMax: number) => Buffer
  /** Hands it to the disk and closes it. */
  readonly close: () => void
}

/** Writes bytes from an offset on; gives how many, fewer than there are when the disk fills up. Throws node's error. */
export type WriteSome = (file: number, bytes: Buffer, offset: number) => number

/** Opens or makes the file, for the owner alone. Throws node's error. */
export function openAuditFile(path: string, write: WriteSome = writeSync): AuditFile {
  const file = openSync(path, 'a+', 0o600)
  fchmodSync(file, 0o600)
  const opened = fstatSync(file)
  let sizeBytes = opened.size
  return {
    get sizeBytes() {
      return sizeBytes
    },
    append: (text) => {
      const bytes = Buffer.from(text)
      try {
        writeAll(file, bytes, write)
      } catch (error) {
        // A line that the disk had no room for is not left behind in part.
        ftruncateSync(file, sizeBytes)
        throw error
      }
      sizeBytes += bytes.length
    },
    look: () => {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found === undefined || found.ino !== opened.ino || found.dev !== opened.dev) return 'gone'
      const isCut = found.size < sizeBytes
      sizeBytes = found.size
      return isCut ? 'cut' : 'same'
    },
    tail: (bytesMax) => {
      const bytes = Buffer.alloc(Math.min(bytesMax, sizeBytes))
      let filled = 0
      while (filled < bytes.length) {
        const count = readSync(file, bytes, filled, bytes.length - filled, sizeBytes - bytes.length + filled)
        if (count === 0) break
        filled += count
      }
      return bytes.subarray(0, filled)
    },
    close: () => {
      try {
        fdatasyncSync(file)
      } finally {
        closeSync(file)
      }
    },
  }
}

/** Throws node's error when not all of it can be written. */
function writeAll(file: number, bytes: Buffer, write: WriteSome): void {
  let written = 0
  while (written < bytes.length) {
    const count = write(file, bytes, written)
    if (count === 0) throw Object.assign(new Error('The disk takes nothing'), { code: 'ENOSPC' })
    written += count
  }
}

const FULL = /^audit-(\d{4}-\d{2}-\d{2}T\d{2})-(\d{2})-(\d{2})-(\d{3}Z)\.log$/

/** The full files beside the one at `path`, the oldest first. Throws node's error. */
export function fullFiles(path: string): string[] {
  const folder = dirname(path)
  return readdirSync(folder)
    .filter((name) => FULL.test(name))
    .sort()
    .map((name) => join(folder, name))
}

/** Renames the file at `path` to one that sorts after all full ones; gives the new path. Throws node's error. */
export function putAside(path: string, nowMs: number): string {
  const newest = fullFiles(path).at(-1)
  // The clock may have been set back.
  const atMs = newest === undefined ? nowMs : Math.max(nowMs, timeOf(newest) + 1)
  const name = `audit-${new Date(atMs).toISOString().replaceAll(/[:.]/g, '-')}.log`
  const full = join(dirname(path), name)
  renameSync(path, full)
  return full
}

function timeOf(path: string): number {
  const [, hour = '', minute = '', second = '', rest = ''] = FULL.exec(basename(path)) ?? []
  return Date.parse(`${hour}:${minute}:${second}.${rest}`)
}

/** Removes the oldest full files; `kept` stay. Throws node's error. */
export function prune(path: string, kept: number): void {
  const full = fullFiles(path)
  for (const old of full.slice(0, Math.max(0, full.length - kept))) rmSync(old, { force: true })
}
