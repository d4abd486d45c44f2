/** Reads a file that another process appends to: from a place on, as it grows, or its last lines. */
import { EventEmitter, once } from 'node:events'
import { createReadStream, watch } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'

/** From where a file is read, and for how long. */
export type ReadOptions = {
  readonly startBytes: number
  /** Whether what is appended later is read too. */
  readonly isFollowed: boolean
  /** Ends the reading at once. */
  readonly signal: AbortSignal
  /** Nothing more is appended: what is there is read to its end, and no more is waited for. */
  readonly complete?: AbortSignal
}

/** The bytes of a file in chunks, at the reader's pace. Throws node's error when the file cannot be read. */
export async function* readFileFrom(path: string, options: ReadOptions): AsyncGenerator<Buffer, void, undefined> {
  const { signal, complete } = options
  if (!options.isFollowed) {
    yield* readToEnd(path, options)
    return
  }
  const growth = watchGrowth(path, complete === undefined ? [signal] : [signal, complete])
  try {
    let sentBytes = options.startBytes
    while (!signal.aborted) {
      // Asked before the file is: what was appended up to then is read in this round.
      const isLast = complete?.aborted === true
      growth.forget()
      for await (const chunk of readToEnd(path, { startBytes: sentBytes, signal })) {
        sentBytes += chunk.length
        yield chunk
      }
      if (isLast) return
      await growth.next()
    }
  } finally {
    growth.close()
  }
}

/** Notices that a file has grown, or that one of the signals has aborted. */
function watchGrowth(path: string, signals: readonly AbortSignal[]) {
  const changes = new EventEmitter()
  let isChanged = false
  let failure: Error | undefined
  const change = (): void => {
    isChanged = true
    changes.emit('change')
  }
  const watcher = watch(path, { persistent: false }, change)
  watcher.on('error', (error) => {
    failure = error
    change()
  })
  for (const signal of signals) signal.addEventListener('abort', change, { once: true })
  return {
    forget: () => {
      isChanged = false
    },
    next: async (): Promise<void> => {
      if (!isChanged && !signals.some((signal) => signal.aborted)) await once(changes, 'change')
      if (failure !== undefined) throw failure
    },
    close: () => {
      watcher.close()
      for (const signal of signals) signal.removeEventListener('abort', change)
    },
  }
}

async function* readToEnd(
  path: string,
  { startBytes, signal }: { readonly startBytes: number; readonly signal: AbortSignal },
): AsyncGenerator<Buffer, void, undefined> {
  const { size } = await stat(path)
  if (size <= startBytes) return
  const stream = createReadStream(path, { start: startBytes, end: size - 1 })
  for await (const chunk of stream) {
    if (signal.aborted) return
    // Without an encoding a stream of a file gives buffers.
    yield chunk as Buffer
  }
}

const BLOCK_BYTES = 65_536
const NEWLINE = 10

/** Where the last `lines` lines of a file begin, in bytes; a line break at the very end begins none. */
export async function offsetOfLastLines(path: string, lines: number): Promise<number> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    return lines <= 0 ? size : await scanBack(file, size, lines)
  } finally {
    await file.close()
  }
}

async function scanBack(file: FileHandle, size: number, lines: number): Promise<number> {
  const block = Buffer.alloc(Math.min(BLOCK_BYTES, size))
  let found = 0
  for (let end = size; end > 0;) {
    const start = Math.max(0, end - block.length)
    const { bytesRead } = await file.read(block, 0, end - start, start)
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (block[at] !== NEWLINE || start + at === size - 1) continue
      found += 1
      if (found === lines) return start + at + 1
    }
    end = start
  }
  return 0
}
