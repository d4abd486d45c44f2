/** Assembles where machines run: at Fly.io, or on the emulator in this process; the adapter is the same. */
import { fileURLToPath } from 'node:url'
import type { Environment } from '../config.ts'
import { createFlyEmulator, type FlyEmulator } from '../providers/fly-emulator/fly-emulator.ts'
import { createProcessRunner } from '../providers/fly-emulator/process-runner.ts'
import type { AppTokenStore } from '../providers/fly/app-tokens.ts'
import { createFlyProvider, type FlyProviderOptions } from '../providers/fly/fly-provider.ts'
import type { MachineProvider } from '../providers/machines.ts'
import type { Clock } from '../../system/clock.ts'
import { randomHex, type Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { DataPaths } from './data-folder.ts'

/** The machines of this mode: Fly's, or those of the emulator in this process. */
export type Machines = {
  readonly provider: MachineProvider
  /** Where a machine's log lies; undefined where the provider keeps it. */
  readonly logPath: (machineId: string) => string | undefined
  /** Calls back with the tenant's app when one of its machines moved; never at Fly, where the feed must do. */
  readonly onMove: (listener: (app: string) => void) => void
  readonly isEmulated: boolean
  /** Seconds that a sprite has between SIGTERM and SIGKILL. */
  readonly stopTimeoutSeconds: number
  /** Ends every local machine's process (none at Fly). */
  readonly close: () => Promise<void>
}

/** What opening the machines needs of the process. */
export type MachinePorts = {
  readonly environment: Environment
  readonly paths: DataPaths
  readonly controlPlaneId: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  /** Where the tokens of tenants' apps are kept. */
  readonly appTokens: AppTokenStore
  /** What is left of this process's lease, where several share the machines: no change is sent that could outlast it. */
  readonly lease?: FlyProviderOptions['lease']
}

/** A person who stops the whole thing does not wait for long; what a sprite cannot finish by then it gives back. */
const LOCAL_STOP_SECONDS = 5

/** The sprite's entry point: its source in a checkout, the bundle in a package. */
const spriteEntry = (): string => {
  const isSource = import.meta.url.endsWith('.ts')
  return fileURLToPath(new URL(isSource ? '../../sprite/main.ts' : '../sprite/sprite.mjs', import.meta.url))
}

/** Opens the provider; the emulator finds its machines of an earlier run again. */
export async function openMachines(ports: MachinePorts): Promise<Machines> {
  const { environment } = ports
  if (environment.FLY_API_TOKEN === undefined) return await openEmulated(ports)
  const provider = providerOf(ports, {
    baseUrl: environment.FLY_FLAPS_BASE_URL,
    token: environment.FLY_API_TOKEN,
    appTokens: ports.appTokens,
  })
  return {
    provider,
    logPath: () => undefined,
    onMove: () => {},
    isEmulated: false,
    stopTimeoutSeconds: 30,
    close: async () => {},
  }
}

async function openEmulated(ports: MachinePorts): Promise<Machines> {
  const { clock, entropy, paths } = ports
  const log = ports.log.child({ part: 'fly-emulator' })
  const runner = createProcessRunner({
    command: () => ({ file: process.execPath, args: ['--disable-warning=ExperimentalWarning', spriteEntry()] }),
    logFolder: paths.machineLogs,
    graceMs: LOCAL_STOP_SECONDS * 1_000,
    clock,
    log,
  })
  const token = `emulator-${randomHex(entropy, 16)}`
  const emulator: FlyEmulator = createFlyEmulator({
    databasePath: paths.fly,
    clock,
    entropy,
    runner,
    log,
    tokens: [token],
    orgSlug: ports.environment.FLY_ORG,
  })
  const baseUrl = await emulator.listen(0)
  return {
    provider: providerOf(ports, { baseUrl, token }),
    logPath: (machineId) => runner.logPath(machineId),
    onMove: (listener) => {
      emulator.onChange((_id, machine) => {
        if (machine !== undefined) listener(machine.app)
      })
    },
    isEmulated: true,
    stopTimeoutSeconds: LOCAL_STOP_SECONDS,
    close: () => emulator.close({ kill: true }),
  }
}

const providerOf = (
  ports: MachinePorts,
  at: Pick<FlyProviderOptions, 'baseUrl' | 'token' | 'appTokens'>,
): MachineProvider =>
  createFlyProvider({
    ...at,
    ...(ports.lease === undefined ? {} : { lease: ports.lease }),
    orgSlug: ports.environment.FLY_ORG,
    appTemplate: ports.environment.FLY_APP,
    controlPlaneId: ports.controlPlaneId,
    clock: ports.clock,
    log: ports.log.child({ part: 'fly' }),
    metrics: ports.metrics,
  })
