/** Runs `spritectl up`: the first signal stops it in order, a second one at once. */
import { ListenError } from '../../assembly/door.ts'
import { runUp } from '../../main.ts'
import { StoreError } from '../../store/store.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { portHolder } from '../port-holder.ts'
import { builtinPersonasFolder } from '../version.ts'
import type { UpFlags } from './up.ts'

/** A signal that follows sooner is the same Ctrl-C: the terminal and the launcher both pass it on. In ms. */
const SAME_SIGNAL_MS = 500
/** As shells say of a process that Ctrl-C ended. */
const INTERRUPTED = 130

/** Runs `spritectl up`. */
export async function runUpCommand(context: CliContext, flags: UpFlags): Promise<void> {
  const { stdout, stderr } = context.process
  const controller = new AbortController()
  let stoppedAt: number | undefined
  const stopListening = context.onStop(() => {
    const now = context.clock.monotonic()
    if (stoppedAt === undefined) {
      stoppedAt = now
      controller.abort()
      stderr.write('Stopping: sprites give their work back …\n')
    } else if (now - stoppedAt > SAME_SIGNAL_MS) context.exit(INTERRUPTED)
  })
  try {
    context.process.exitCode = await runUp({
      dataFolder: flags.data,
      personasFolder: flags.personas ?? builtinPersonasFolder,
      host: flags.host,
      httpsPort: flags.port,
      httpPort: flags.httpPort,
      apply: flags.apply ?? [],
      exitWhenDone: flags.exitWhenDone,
      logLevel: flags.logLevel,
      write: (text) => stdout.write(text),
      isTty: stdout.isTTY === true,
      columns: () => stdout.columns ?? 80,
      rows: () => stdout.rows ?? 24,
      signal: controller.signal,
    })
  } catch (error) {
    if (controller.signal.aborted) {
      // Stopped while it started: what broke off because of that is no news.
      context.process.exitCode = INTERRUPTED
      return
    }
    if (error instanceof ListenError) throw await portTaken(error)
    if (error instanceof StoreError) throw storeRefused(error, flags.data)
    throw error
  } finally {
    stopListening()
  }
}

/** The same failure, with the flag that helps: in use by another control plane, damaged, or not ours. */
const storeRefused = (error: StoreError, folder: string): Error =>
  new CliFailure('Environment', `Cannot use the data folder "${folder}": ${error.message}; --data names another`, {
    cause: error,
  })

/** The same failure, with who has the port. */
async function portTaken(error: ListenError): Promise<Error> {
  if (error.code !== 'EADDRINUSE') return error
  const holder = await portHolder(error.port)
  const by = holder === undefined ? 'another process' : `process ${holder.pid} (${holder.command})`
  return new CliFailure(
    'Environment',
    `Port ${error.port} is taken by ${by}: choose another with ${error.flag}, 0 takes a free one`,
    { cause: error },
  )
}
