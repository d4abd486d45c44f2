/** Shows the machine of a sprite as a core/v1 Pod with one container. Pure. */
import { API_VERSION } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import { spriteKind, type Sprite, type SpriteMachine } from '../kinds/sprite/schema.ts'
import { derivedUid } from './derived-uid.ts'
import { containerOf, imageOf, type ContainerState, type ContainerStatus } from './pod-container.ts'

/** The one container of each pod. */
export const CONTAINER = 'sprite'

/** Where a pod stands, as core/v1 has it. */
export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

/** A condition of a pod. */
export type PodCondition = {
  readonly type: 'PodScheduled' | 'Initialized' | 'ContainersReady' | 'Ready'
  readonly status: 'True' | 'False'
  readonly lastTransitionTime: string
  readonly reason?: string
  readonly message?: string
}

/** What a pod declares. */
export type PodSpec = {
  readonly containers: readonly object[]
  readonly nodeName?: string
  readonly restartPolicy: 'Always'
  /** Empty, as kube-apiserver defaults it: kubectl looks into it. */
  readonly securityContext: Readonly<Record<string, never>>
}

/** What has become of a pod. */
export type PodStatus = {
  readonly phase: PodPhase
  readonly conditions: readonly PodCondition[]
  readonly containerStatuses: readonly ContainerStatus[]
  readonly startTime: string
  readonly reason?: string
  readonly message?: string
}

/** A projected pod. */
export type Pod = KubeObject<PodSpec, PodStatus>

/** The machine of a sprite as a pod: the current one, else the last one; undefined when it never had one. */
export function podOf(sprite: Sprite): Pod | undefined {
  const { machine, lastMachineId } = sprite.status ?? {}
  if (machine === undefined && lastMachineId === undefined) return undefined
  const machines = machinesOf(sprite)
  const incarnation = machine?.incarnation ?? sprite.status?.incarnation ?? 1
  const container = containerOf(sprite, incarnation)
  const createdTime = createdTimeOf(sprite)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadataOf(sprite, { incarnation, createdTime, machines }),
    spec: specOf(sprite, machine),
    status: statusOf(sprite, container, createdTime),
  }
}

const MACHINE = 'sprites.highera.com/machine'
const PREVIOUS_MACHINE = 'sprites.highera.com/previous-machine'

/** The machines whose logs a pod has, by id. */
export type PodMachines = { readonly current?: string; readonly previous?: string }

/** The machines of a pod that this projection made. */
export function machineOf(pod: KubeObject): PodMachines {
  const { [MACHINE]: current, [PREVIOUS_MACHINE]: previous } = pod.metadata.annotations ?? {}
  return { ...(current === undefined ? {} : { current }), ...(previous === undefined ? {} : { previous }) }
}

/** Whether the machine of a pod has ended. */
export const isOver = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'

/** While a create is unanswered the last machine is the one before. */
function machinesOf({ status: { machine, lastMachineId, previousMachineId } = {} }: Sprite): PodMachines {
  const isUnanswered = machine !== undefined && machine.id === undefined
  const current = machine === undefined ? lastMachineId : machine.id
  const previous = isUnanswered ? lastMachineId : previousMachineId
  return { ...(current === undefined ? {} : { current }), ...(previous === undefined ? {} : { previous }) }
}

function annotationsOf({ current, previous }: PodMachines): { readonly annotations?: Record<string, string> } {
  const annotations = {
    ...(current === undefined ? {} : { [MACHINE]: current }),
    ...(previous === undefined ? {} : { [PREVIOUS_MACHINE]: previous }),
  }
  return Object.keys(annotations).length === 0 ? {} : { annotations }
}

/** A machine that is gone has left no time but that of its end; a projection has none of its own. */
const createdTimeOf = ({ metadata, status }: Sprite): string =>
  status?.machine?.createdTime ??
  status?.machine?.since ??
  status?.lastExit?.createdTime ??
  status?.lastExit?.time ??
  metadata.creationTimestamp

/** Labels of a sprite's own win: tools such as Argo CD keep theirs there. Annotations speak of the sprite alone. */
function metadataOf(
  sprite: Sprite,
  of: { readonly incarnation: number; readonly createdTime: string; readonly machines: PodMachines },
): KubeObject['metadata'] {
  const { name, namespace, uid, labels, resourceVersion, deletionTimestamp } = sprite.metadata
  const { agentType, project } = sprite.spec
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: derivedUid(uid, of.incarnation),
    resourceVersion,
    generation: 1,
    creationTimestamp: of.createdTime,
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp, deletionGracePeriodSeconds: 0 }),
    labels: {
      'app.kubernetes.io/name': 'sprite',
      'app.kubernetes.io/component': agentType,
      'app.kubernetes.io/managed-by': 'sprites-controller',
      ...(project === undefined ? {} : { 'app.kubernetes.io/part-of': project }),
      ...labels,
    },
    ...annotationsOf(of.machines),
    ownerReferences: [
      { apiVersion: API_VERSION, kind: spriteKind.kind, name, uid, controller: true, blockOwnerDeletion: false },
    ],
  }
}

/** Whether a machine is declared to be followed by another: Argo CD takes a pod that runs as healthy only then. */
const RESTARTED = 'Always'

function specOf(sprite: Sprite, machine: SpriteMachine | undefined): PodSpec {
  return {
    containers: [{ name: CONTAINER, image: imageOf(sprite), ...resourcesOf(sprite) }],
    ...(machine?.region === undefined ? {} : { nodeName: machine.region }),
    restartPolicy: RESTARTED,
    securityContext: {},
  }
}

function resourcesOf({ spec: { guest } }: Sprite): object {
  if (guest === undefined) return {}
  const limits = { cpu: String(guest.cpus), memory: `${guest.memoryMb}Mi` }
  return { resources: { limits, requests: limits } }
}

function statusOf(sprite: Sprite, container: ContainerStatus, createdTime: string): PodStatus {
  const { machine } = sprite.status ?? {}
  const phase = phaseOf(container.state)
  const ready = sprite.status?.conditions?.find(({ type }) => type === 'Ready')
  const isLeaving = phase === 'Running' && (machine?.intent === 'Stop' || machine?.intent === 'Destroy')
  return {
    phase,
    conditions: conditionsOf(container, phase, { createdTime, isScheduled: machine?.id !== undefined }),
    containerStatuses: [container],
    startTime: createdTime,
    ...(isLeaving ? { reason: 'Stopping' } : {}),
    ...(ready?.status === 'True' || ready?.message === undefined ? {} : { message: ready.message }),
  }
}

function phaseOf(state: ContainerState): PodPhase {
  if ('running' in state) return 'Running'
  if ('waiting' in state) return 'Pending'
  return state.terminated.reason === 'Completed' ? 'Succeeded' : 'Failed'
}

function conditionsOf(
  container: ContainerStatus,
  phase: PodPhase,
  of: { readonly createdTime: string; readonly isScheduled: boolean },
): readonly PodCondition[] {
  const { state, ready: isReady } = container
  const changedTime = changeOf(state) ?? of.createdTime
  const isEnded = phase === 'Succeeded' || phase === 'Failed'
  const unready = {
    reason: isEnded ? 'PodCompleted' : 'ContainersNotReady',
    message: isEnded ? 'its machine has ended' : `containers with unready status: [${CONTAINER}]`,
  }
  const readiness = { status: isReady ? 'True' : 'False', lastTransitionTime: changedTime } as const
  const whole = { ...readiness, ...(isReady ? {} : unready) }
  return [
    { type: 'PodScheduled', status: of.isScheduled || isEnded ? 'True' : 'False', lastTransitionTime: of.createdTime },
    { type: 'Initialized', status: 'True', lastTransitionTime: of.createdTime },
    { type: 'ContainersReady', ...whole },
    { type: 'Ready', ...whole },
  ]
}

function changeOf(state: ContainerState): string | undefined {
  if ('running' in state) return state.running.startedAt
  return 'terminated' in state ? state.terminated.finishedAt : undefined
}
