/** Writes the chained lines of the audit log, file after file, and takes the chain up where it ended. */
import type { Clock } from '../../system/clock.ts'
import { CHAIN_START, chainedLine, hashOf, linksOf, TORN } from './audit-chain.ts'
import { fullFiles, openAuditFile, prune, putAside, type AuditFile } from './audit-file.ts'

/** What the writer is opened with. */
export type AuditWriterOptions = {
  readonly path: string
  /** Size at which it goes on in a new file. */
  readonly fileBytesMax: number
  /** Full files that are kept besides it. */
  readonly filesKept: number
  readonly clock: Clock
  /** Told when a full file cannot be put aside: it is written on then. */
  readonly onRotateError: (error: unknown) => void
  /** Opens the file; tests give one that fails. */
  readonly open?: (path: string) => AuditFile
}

/** Something that the log has to say of itself. */
export type Remark = { readonly what: string; readonly annotations?: Readonly<Record<string, string>> }

/** The open end of the chain. */
export type AuditWriter = {
  /** What was found at the end of the file when it was opened; to be written first. */
  readonly found: Remark | undefined
  /** Appends a line, in a new file when this one is full. Throws node's error, and nothing is written then. */
  readonly append: (openLine: string) => void
  /** Whether the file is still there and whole; one that is gone is begun anew. Throws node's error. */
  readonly look: () => Remark | undefined
  /** Throws node's error. */
  readonly close: () => void
}

/** So much of the end of a file is searched for its last good line. */
const TAIL_BYTES = 1_048_576

/** Opens or makes the file. Throws node's error. */
export function openAuditWriter(options: AuditWriterOptions): AuditWriter {
  const { path, clock, open = openAuditFile } = options
  let file: AuditFile | undefined = open(path)
  let rotateAtBytes = options.fileBytesMax
  const { head, found } = takeUp(file, path)
  let last = head

  function rotate(full: AuditFile): void {
    try {
      putAside(path, clock.now())
      file = undefined
      rotateAtBytes = options.fileBytesMax
      full.close()
      prune(path, options.filesKept)
    } catch (error) {
      // It tries again when the file has grown by as much.
      rotateAtBytes += options.fileBytesMax
      options.onRotateError(error)
    }
  }

  return {
    found,
    append: (openLine) => {
      if (file !== undefined && file.sizeBytes >= rotateAtBytes) rotate(file)
      const current = (file ??= open(path))
      const { line, hash } = chainedLine(openLine, last)
      current.append(`${line}\n`)
      last = hash
    },
    look: () => {
      const state = file?.look() ?? 'same'
      if (state === 'same') return undefined
      if (state === 'cut') return { what: 'the file was cut before this line' }
      const gone = file
      file = undefined
      gone?.close()
      return { what: 'the file was removed; this one goes on' }
    },
    close: () => file?.close(),
  }
}

/** Where the chain goes on, and what has to be said of a crash, or of lines that were changed. */
function takeUp(file: AuditFile, path: string): { readonly head: string; readonly found: Remark | undefined } {
  const tail = file.tail(TAIL_BYTES)
  const end = tail.lastIndexOf(10) + 1
  const rest = tail.subarray(end)
  if (rest.length > 0) file.append('\n')
  const links = linksOf(rest.toString())
  // Only its line break was missing.
  if (links !== undefined) return { head: links.hash, found: undefined }
  const head = lastHashOf(tail.subarray(0, end)) ?? (end === 0 ? hashOfNewestFull(path) : undefined)
  const torn = { what: `a line of ${rest.length} bytes was cut off by a crash`, annotations: { [TORN]: hashOf(rest) } }
  const changed = head === undefined ? { what: 'the lines before this one were changed' } : undefined
  return { head: head ?? CHAIN_START, found: rest.length > 0 ? torn : changed }
}

/** The hash of the last line; undefined when it is none of the log's. */
const lastHashOf = (lines: Buffer): string | undefined => linksOf(lines.toString().split('\n').at(-2) ?? '')?.hash

function hashOfNewestFull(path: string): string {
  const newest = fullFiles(path).at(-1)
  if (newest === undefined) return CHAIN_START
  const file = openAuditFile(newest)
  try {
    return lastHashOf(file.tail(TAIL_BYTES)) ?? CHAIN_START
  } finally {
    file.close()
  }
}
