/** What a command may touch of the process that it runs in, as a value, so that tests give it another. */
import type { CommandContext } from '@stricli/core'
import { realClock, type Clock } from '../../system/clock.ts'
import { realEntropy, type Entropy } from '../../system/entropy.ts'

/** A stream that a command writes to. */
export type Output = {
  readonly write: (text: string) => void
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** What a command may touch of its process. */
export type CliContext = CommandContext & {
  readonly process: {
    readonly stdout: Output
    readonly stderr: Output
    readonly env: Readonly<Record<string, string | undefined>>
    exitCode?: number | string | null | undefined
  }
  /** Reads all of standard input as text. */
  readonly readStdin: () => Promise<string>
  readonly clock: Clock
  readonly entropy: Entropy
  /** Calls `stop` at SIGINT, SIGTERM and SIGHUP; gives what ends the listening. */
  readonly onStop: (stop: () => void) => () => void
  /** Ends the process at once. */
  readonly exit: (code: number) => void
}

/** The function that stricli calls, whose `this` is the context. */
export const withContext = <Flags, Args extends readonly unknown[]>(
  run: (context: CliContext, flags: Flags, ...args: Args) => void | Promise<void>,
) =>
  function (this: CliContext, flags: Flags, ...args: Args): void | Promise<void> {
    return run(this, flags, ...args)
  }

/** The longest standard input that is read, in bytes. */
const STDIN_BYTES_MAX = 32 * 1024 * 1024

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The context of a real process. */
export function processContext(): CliContext {
  // A reader that goes away, such as head, is no fault.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  return {
    process,
    readStdin,
    clock: realClock,
    entropy: realEntropy,
    onStop: (stop) => {
      for (const signal of STOP_SIGNALS) process.on(signal, stop)
      return () => {
        for (const signal of STOP_SIGNALS) process.off(signal, stop)
      }
    },
    exit: (code) => process.exit(code),
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > STDIN_BYTES_MAX) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
