/** Decides the container status of a projected pod: waiting, running or ended, and how the one before ended. Pure. */
import type { Sprite, SpriteMachine, SpriteStatus } from '../kinds/sprite/schema.ts'

/** How a container ended. */
export type Terminated = {
  readonly exitCode: number
  readonly reason: 'Completed' | 'Error' | 'OOMKilled'
  readonly startedAt?: string
  readonly finishedAt?: string
  readonly containerID?: string
}

/** The state of a container: exactly one of the three. */
export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAt: string } }
  | { readonly terminated: Terminated }

/** core/v1 ContainerStatus. */
export type ContainerStatus = {
  readonly name: 'sprite'
  readonly image: string
  readonly imageID: string
  readonly containerID?: string
  readonly ready: boolean
  readonly started: boolean
  readonly restartCount: number
  readonly state: ContainerState
  readonly lastState: { readonly terminated?: Terminated }
}

/** The status of the container that is a sprite's machine of this incarnation. */
export function containerOf(sprite: Sprite, incarnation: number): ContainerStatus {
  const { machine, lastMachineId, lastExit } = sprite.status ?? {}
  const state = stateOf(sprite, incarnation)
  const isRunning = 'running' in state
  const id = machine === undefined ? lastMachineId : machine.id
  const image = imageOf(sprite)
  return {
    name: 'sprite',
    image,
    imageID: image,
    ...(id === undefined ? {} : { containerID: containerId(id) }),
    ready: isRunning && isUp(machine),
    started: isRunning && machine?.readyTime !== undefined,
    restartCount: Math.max(0, incarnation - 1),
    state,
    lastState:
      lastExit === undefined || lastExit.incarnation >= incarnation ? {} : { terminated: terminatedOf(lastExit) },
  }
}

/** The image of a sprite's machine, or of the one that it had last. */
export const imageOf = ({ spec, status: { machine, lastExit } = {} }: Sprite): string =>
  machine?.image ?? lastExit?.image ?? spec.image ?? ''

/** In the form TYPE://ID that clients split. */
const containerId = (machineId: string): string => `machine://${machineId}`

const isUp = (machine: SpriteMachine | undefined): boolean =>
  machine?.readyTime !== undefined && machine.state === 'started' && machine.intent === 'Run'

/** States in which its process is over, and those in which it still runs. All others come before. */
const ENDED: ReadonlySet<string> = new Set(['stopped', 'suspended', 'destroyed', 'failed', 'launch_failed'])
const ALIVE: ReadonlySet<string> = new Set(['started', 'stopping', 'suspending', 'restarting', 'destroying'])
const BROKEN: ReadonlySet<string> = new Set(['failed', 'launch_failed'])

function stateOf(sprite: Sprite, incarnation: number): ContainerState {
  const { machine, lastMachineId } = sprite.status ?? {}
  if (machine === undefined) return ended(sprite, incarnation, { machineId: lastMachineId, isBroken: false })
  const state = machine.state ?? 'unknown'
  const isStartedAgain = machine.intent === 'Start'
  if (ENDED.has(state) && !isStartedAgain)
    return ended(sprite, incarnation, { machineId: machine.id, isBroken: BROKEN.has(state) })
  if (ALIVE.has(state)) return { running: { startedAt: machine.readyTime ?? machine.since } }
  return { waiting: waitingOf(sprite) }
}

/** kubectl, k9s and Argo CD know this word for what is on its way; why it is not there yet is the sprite's own word. */
function waitingOf({ status }: Sprite): { readonly reason: string; readonly message?: string } {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return { reason: 'ContainerCreating', ...(ready?.message === undefined ? {} : { message: ready.message }) }
}

function ended(
  { status }: Sprite,
  incarnation: number,
  of: { readonly machineId: string | undefined; readonly isBroken: boolean },
): ContainerState {
  const lastExit = status?.lastExit
  const containerID = of.machineId === undefined ? {} : { containerID: containerId(of.machineId) }
  if (lastExit?.incarnation === incarnation) return { terminated: { ...terminatedOf(lastExit), ...containerID } }
  const untold = of.isBroken
    ? ({ exitCode: UNKNOWN_CODE, reason: 'Error' } as const)
    : ({ exitCode: 0, reason: 'Completed' } as const)
  return { terminated: { ...untold, ...containerID } }
}

/** Exit codes that stand for what the provider does not tell: killed for memory, and anything else. */
const OOM_CODE = 137
const UNKNOWN_CODE = 255

function terminatedOf(exit: NonNullable<SpriteStatus['lastExit']>): Terminated {
  const finished = {
    ...(exit.startTime === undefined ? {} : { startedAt: exit.startTime }),
    finishedAt: exit.time,
  }
  if (exit.oomKilled === true) return { exitCode: exit.code ?? OOM_CODE, reason: 'OOMKilled', ...finished }
  // A stop that was asked for is no failure, whatever signal it took.
  if (exit.requested === true) return { exitCode: exit.code ?? 0, reason: 'Completed', ...finished }
  const exitCode = exit.code ?? UNKNOWN_CODE
  return { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', ...finished }
}
