/** Writes log lines to a file, in order and never ahead of memory; a file that cannot be written costs lines, not the process. */
import { closeSync, openSync, write } from 'node:fs'

/** Lines that wait for the disk at most, in characters; later ones are dropped until there is room. */
const WAITING_CHARS_MAX = 4_194_304

/** The log's file, open for appending. */
export type LogFile = {
  /** Takes a line, ending in a line break; never throws and never waits. */
  write(line: string): void
  /** Resolves when what was taken is written, or cannot be. */
  close(): Promise<void>
}

/** Opens or makes the file, for the owner alone. Throws node's error. */
export function openLogFile(path: string): LogFile {
  const file = openSync(path, 'a', 0o600)
  let waiting = ''
  let dropped = 0
  let writing: Promise<void> | undefined

  const drain = async (): Promise<void> => {
    while (waiting !== '') {
      const text = waiting
      waiting = ''
      // On a full disk each line is tried once: what is dropped then is said when there is room again.
      const told = dropped
      if (await appended(file, `${droppedLine(told)}${text}`)) dropped -= told
      else dropped += text.split('\n').length - 1
    }
    writing = undefined
  }
  return {
    write: (line) => {
      if (waiting.length + line.length > WAITING_CHARS_MAX) dropped++
      else waiting += line
      writing ??= drain()
    },
    close: async () => {
      await writing
      await appended(file, droppedLine(dropped))
      closeSync(file)
    },
  }
}

/** A line of its own, whatever was cut before it. */
const droppedLine = (count: number): string =>
  count === 0 ? '' : `\n${JSON.stringify({ level: 'warn', msg: `${count} log lines could not be written` })}\n`

/** Whether all of the text is in the file. */
async function appended(file: number, text: string): Promise<boolean> {
  for (let rest = Buffer.from(text); rest.length > 0;) {
    const count = await writtenBytes(file, rest)
    if (count === 0) return false
    rest = rest.subarray(count)
  }
  return true
}

/** Bytes that were written of a text: fewer than asked when the disk fills up, none when it is full. */
const writtenBytes = (file: number, text: Buffer): Promise<number> =>
  new Promise((resolve) => write(file, text, (error, count) => resolve(error === null ? count : 0)))
