/** The composition root of the command line: brings a whole control plane up, applies folders, shows it at work. */
import type { ClusterOptions } from './assembly/cluster.ts'
import { startControlPlane, type ControlPlane } from './assembly/control-plane.ts'
import { dataPaths, openDataFolder } from './assembly/data-folder.ts'
import { stateOf, isAllOver } from './assembly/fleet-state.ts'
import { ConfigError, environmentVariables, readEnvironment } from './config.ts'
import { createProgress, summaryLines } from './cli/progress.ts'
import { applyManifests } from './cli/apply.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { createLog } from '../system/log.ts'
import { openLogFile } from '../system/log-file.ts'

/** What every control plane is run with. */
export type RunOptions = {
  readonly dataFolder: string
  readonly personasFolder: string
  readonly host: string
  readonly httpsPort: number
  readonly httpPort: number
  readonly logLevel: string
  /** Aborted by SIGINT or SIGTERM: stop, gracefully. */
  readonly signal: AbortSignal
}

/** What `spritectl serve` is run with. */
export type ServeOptions = RunOptions & {
  /** Settings that come before those of the environment. */
  readonly variables: Readonly<Record<string, string>>
}

/** What `spritectl up` is run with. */
export type UpOptions = RunOptions & {
  /** Files or folders of manifests to apply once it is up. */
  readonly apply: readonly string[]
  readonly exitWhenDone: boolean
  readonly write: (text: string) => void
  readonly isTty: boolean
  readonly columns: () => number
  readonly rows: () => number
}

/** How often progress is looked at, in ms. */
const LOOK_EVERY_MS = 200

/** Runs until stopped, or until all work is over; gives the exit code. Rejects when it cannot start. */
export async function runUp(options: UpOptions): Promise<number> {
  const environment = readEnvironment()
  if (environment.STORE === 'cluster')
    throw new ConfigError('Use "spritectl serve": STORE is "cluster", whose own API shows the fleet')
  await openDataFolder(options.dataFolder)
  const logFile = openLogFile(dataPaths(options.dataFolder).log)
  const log = createLog({ level: options.logLevel, destination: logFile })
  try {
    const plane = await startControlPlane({ ...options, environment, clock: realClock, entropy: realEntropy, log })
    try {
      return await live(plane, options)
    } finally {
      await plane.stop()
    }
  } finally {
    await logFile.close()
  }
}

/** Runs until stopped, with its log on standard output; gives the exit code. Rejects when it cannot start. */
export async function runServe(options: ServeOptions): Promise<number> {
  const environment = readEnvironment({ ...environmentVariables(), ...options.variables })
  await openDataFolder(options.dataFolder)
  const log = createLog({ level: options.logLevel })
  const ports = { ...options, environment, clock: realClock, entropy: realEntropy, log }
  if (environment.STORE === 'cluster') return await serveCluster(ports)
  const plane = await orAborted(startControlPlane(ports), options.signal)
  try {
    await untilAborted(options.signal)
  } finally {
    await plane.stop()
  }
  return 0
}

/** The same over a cluster; ends with 1 when another process leads, so that it is started again and stands by. */
async function serveCluster(
  options: Omit<ClusterOptions, 'onLost'> & { readonly signal: AbortSignal },
): Promise<number> {
  const { startClusterControllers } = await import('./assembly/cluster.ts')
  const lost = new AbortController()
  const plane = await startClusterControllers({ ...options, onLost: () => lost.abort() })
  try {
    await untilAborted(AbortSignal.any([options.signal, lost.signal]))
  } finally {
    await plane.stop()
  }
  return options.signal.aborted ? 0 : 1
}

async function live(plane: ControlPlane, options: UpOptions): Promise<number> {
  const { write } = options
  write(`The control plane is up: ${plane.httpsUrl} (kubeconfig: ${plane.kubeconfig})\n`)
  if (plane.isRehearsal) write('No ANTHROPIC_API_KEY is set: the rehearsal model answers, and says so.\n')
  if (options.apply.length > 0) {
    const { personasFolder, signal } = options
    const sources = { paths: options.apply, kubeconfig: plane.kubeconfig, personasFolder, signal }
    const exitCode = await applyManifests({ ...sources, write, clock: realClock })
    if (exitCode !== 0) return exitCode
  }
  const isOver = await watchProgress(plane, options)
  if (!isOver) return 0
  for (const line of summaryLines(stateOf(plane.manager.cache), plane)) write(`${line}\n`)
  if (options.exitWhenDone) return 0
  write('It stays up; Ctrl-C stops it.\n')
  await untilAborted(options.signal)
  return 0
}

/** Shows progress until all work is over; false when it was stopped before. */
async function watchProgress(plane: ControlPlane, options: UpOptions): Promise<boolean> {
  const read = () => stateOf(plane.manager.cache)
  const progress = createProgress({ ...options, read, clock: realClock })
  try {
    while (!options.signal.aborted) {
      progress.update()
      if (isAllOver(read())) return true
      await realClock.sleep(LOOK_EVERY_MS, options.signal).catch(() => {})
    }
    return false
  } finally {
    progress.finish()
  }
}

/** The same, unless the signal comes first; rejects with its reason then, and who called ends the process. */
const orAborted = <T>(starting: Promise<T>, signal: AbortSignal): Promise<T> =>
  Promise.race([starting, untilAborted(signal).then(() => Promise.reject(signal.reason as Error))])

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
