/** Runs `spritectl up` and `spritectl serve`: the first signal stops it in order, a second one at once. */
import { ListenError } from '../../assembly/door.ts'
import { runServe, runUp } from '../../main.ts'
import { StoreError } from '../../store/store.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { portHolder } from '../port-holder.ts'
import { builtinPersonasFolder } from '../version.ts'
import type { PlaneFlags, ServeFlags, UpFlags } from './up.ts'

/** A signal that follows sooner is the same Ctrl-C: the terminal and the launcher both pass it on. In ms. */
const SAME_SIGNAL_MS = 500
/** A service that stops for longer would be killed in the midst of it: what is left then ends with the process. In ms. */
const SERVICE_STOP_MS = 14_000
/** When all is closed a process ends by itself, or after so long, in ms. */
const LINGER_MS = 1_000
/** As shells say of a process that Ctrl-C ended. */
const INTERRUPTED = 130

/** Runs `spritectl up`. */
export async function runUpCommand(context: CliContext, flags: UpFlags): Promise<void> {
  const { stdout } = context.process
  const refused = { meanwhile: 'sprites give their work back', storeRefused: folderRefused(flags.data) }
  await untilStopped(context, refused, (signal) =>
    runUp({
      ...planeFlags(flags),
      apply: flags.apply ?? [],
      exitWhenDone: flags.exitWhenDone,
      write: (text) => stdout.write(text),
      isTty: stdout.isTTY === true,
      columns: () => stdout.columns ?? 80,
      rows: () => stdout.rows ?? 24,
      signal,
    }),
  )
}

/** Runs `spritectl serve`. */
export async function runServeCommand(context: CliContext, flags: ServeFlags): Promise<void> {
  const variables = flags.roles === undefined ? {} : { ROLES: flags.roles }
  const told = { meanwhile: 'what runs is handed over', storeRefused, withinMs: SERVICE_STOP_MS }
  await untilStopped(context, told, (signal) => runServe({ ...planeFlags(flags), variables, signal }))
}

const planeFlags = (flags: PlaneFlags) => ({
  dataFolder: flags.data,
  personasFolder: flags.personas ?? builtinPersonasFolder,
  host: flags.host,
  httpsPort: flags.port,
  httpPort: flags.httpPort,
  logLevel: flags.logLevel,
})

/** Runs a control plane until a signal stops it, and makes what keeps it from starting a line that helps. */
async function untilStopped(
  context: CliContext,
  told: {
    readonly meanwhile: string
    readonly storeRefused: (error: StoreError) => Error
    /** Then the process ends, whatever has not; absent: a second signal does that. */
    readonly withinMs?: number
  },
  run: (signal: AbortSignal) => Promise<number>,
): Promise<void> {
  const controller = new AbortController()
  let stoppedAt: number | undefined
  const stopListening = context.onStop(() => {
    const now = context.clock.monotonic()
    if (stoppedAt === undefined) {
      stoppedAt = now
      controller.abort()
      context.process.stderr.write(`Stopping: ${told.meanwhile} …\n`)
      if (told.withinMs !== undefined) endWithin(context, told.withinMs)
    } else if (now - stoppedAt > SAME_SIGNAL_MS) context.exit(INTERRUPTED)
  })
  try {
    const code = await run(controller.signal)
    context.process.exitCode = code
    // A call that was sent to a backend that does not answer keeps the process for nothing.
    if (stoppedAt !== undefined) context.clock.after(LINGER_MS, () => context.exit(code), { background: true })
  } catch (error) {
    if (controller.signal.aborted) {
      // Stopped while it started: what broke off because of that is no news.
      // A backend that does not answer would be waited for still; what was begun is safe to kill.
      return context.exit(INTERRUPTED)
    }
    if (error instanceof ListenError) throw await portTaken(error)
    if (error instanceof StoreError) throw told.storeRefused(error)
    throw error
  } finally {
    stopListening()
  }
}

/** Ends the process when its time to stop is over; one that has nothing left to wait for is gone by then. */
function endWithin(context: CliContext, withinMs: number): void {
  const end = (): void => {
    const within = `${withinMs / 1_000} s`
    context.process.stderr.write(`Stopped at once: not all had ended within ${within}; others go on with it\n`)
    context.exit(INTERRUPTED)
  }
  context.clock.after(withinMs, end, { background: true })
}

/** The same failure, with the flag that helps: in use by another control plane, damaged, or not ours. */
const folderRefused =
  (folder: string) =>
  (error: StoreError): Error =>
    new CliFailure('Environment', `Cannot use the data folder "${folder}": ${error.message}; --data names another`, {
      cause: error,
    })

/** The same failure, as one of the environment: in use by another control plane, damaged, not ours, out of reach. */
const storeRefused = (error: StoreError): Error =>
  new CliFailure('Environment', `Cannot use the store: ${error.message}`, { cause: error })

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
