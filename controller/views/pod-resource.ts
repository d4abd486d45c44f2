/** The resource core/v1 Pod as we serve it: read-only, with the log of its machine. Pure. */
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition, SubresourceDefinition } from '../api/resource.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'

const text = (description: string): StructuralSchema => ({ type: 'string', description })
const time = (description: string): StructuralSchema => ({ type: 'string', format: 'date-time', description })
const flag = (description: string): StructuralSchema => ({ type: 'boolean', description })
const count = (description: string): StructuralSchema => ({ type: 'integer', format: 'int32', description })
const object = (description: string, properties: Readonly<Record<string, StructuralSchema>>): StructuralSchema => ({
  type: 'object',
  description,
  properties,
})
const list = (description: string, properties: Readonly<Record<string, StructuralSchema>>): StructuralSchema => ({
  type: 'array',
  description,
  items: { type: 'object', properties },
})
const amounts = (description: string): StructuralSchema => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
})

const SPEC = object('The machine as it is declared; change the Sprite to change it.', {
  containers: list('One: the sprite.', {
    name: text('Always sprite.'),
    image: text('The image that it runs.'),
    resources: object('What the machine has, where the Sprite says it.', {
      limits: amounts('CPUs and memory.'),
      requests: amounts('As the limits: a machine has all of it.'),
    }),
  }),
  nodeName: text('The region that the machine runs in.'),
  restartPolicy: text('Always: a machine that ends is followed by another while there is work.'),
  securityContext: { type: 'object', description: 'Empty: whatever the image says.' },
})

const TERMINATED = object('How it ended.', {
  startedAt: time('When it first reported.'),
  exitCode: count('Exit code; 137 when it ran out of memory, 255 when nothing is known.'),
  reason: text('Completed, Error or OOMKilled.'),
  finishedAt: time('When it ended.'),
  containerID: text('machine:// and the id of the machine.'),
})

const STATUS = object('The machine as it is.', {
  phase: text('Pending, Running, Succeeded or Failed.'),
  reason: text('Stopping while a machine that runs is to go.'),
  message: text('Why the Sprite is not ready.'),
  startTime: time('When the machine’s present step began.'),
  conditions: list('PodScheduled, Initialized, ContainersReady and Ready.', {
    type: text('Which one.'),
    status: text('True or False.'),
    reason: text('Why, as one word.'),
    message: text('Why, as a sentence.'),
    lastTransitionTime: time('Since when.'),
  }),
  containerStatuses: list('One: the sprite.', {
    name: text('Always sprite.'),
    image: text('The image that it runs.'),
    imageID: text('The image that it runs.'),
    containerID: text('machine:// and the id of the machine.'),
    ready: flag('Whether it runs and has reported.'),
    started: flag('Whether it has reported.'),
    restartCount: count('Machines that the Sprite had before this one.'),
    state: object('One of waiting, running and terminated.', {
      waiting: object('Not there yet.', { reason: text('ContainerCreating.'), message: text('What it waits for.') }),
      running: object('There.', { startedAt: time('When it first reported.') }),
      terminated: TERMINATED,
    }),
    lastState: object('How the machine before this one ended.', { terminated: TERMINATED }),
  }),
})

/** pods/log: what the machine wrote. */
export const podLog: SubresourceDefinition = {
  name: 'log',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  verbs: ['get'],
  description: 'What the machine wrote, as text.',
}

const DESCRIPTION = 'The machine of a Sprite, shown as a Pod. Read-only: change the Sprite.'

/** Its verbs are those of whoever only looks. */
export const podResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  scope: 'Namespaced',
  description: DESCRIPTION,
  schema: { type: 'object', description: DESCRIPTION, properties: { spec: SPEC, status: STATUS } },
  hasStatus: false,
  columns: [
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.containerStatuses[0].ready',
      cell: (pod) => `${statusesOf(pod).filter(({ ready }) => ready === true).length}/1`,
      description: 'Containers that are ready, of all.',
    },
    {
      name: 'Status',
      type: 'string',
      jsonPath: '.status.phase',
      cell: (pod) => statusWord(pod),
      description: 'What it does, as one word.',
    },
    {
      name: 'Restarts',
      type: 'string',
      jsonPath: '.status.containerStatuses[0].restartCount',
      cell: (pod) => String(statusesOf(pod)[0]?.restartCount ?? 0),
      description: 'Machines before this one.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since it began.' },
    {
      name: 'IP',
      type: 'string',
      priority: 1,
      jsonPath: '.status.podIP',
      cell: () => '<none>',
      description: 'None: nothing reaches a sprite from outside.',
    },
    {
      name: 'Node',
      type: 'string',
      priority: 1,
      jsonPath: '.spec.nodeName',
      description: 'The region that it runs in.',
    },
  ],
  selectableFields: ['spec.nodeName', 'spec.restartPolicy', 'status.phase'],
  verbs: ['get', 'list', 'watch'],
  instead: 'nobody enters a sprite’s machine: read its log, and wake, drain, change or delete the Sprite',
  subresources: [podLog],
}

type Worded = { readonly reason?: string }
type Status = {
  readonly ready?: boolean
  readonly restartCount?: number
  readonly state?: { readonly waiting?: Worded; readonly terminated?: Worded }
}
type Rendered = {
  readonly phase?: string
  readonly reason?: string
  readonly containerStatuses?: readonly Status[]
}

/** A pod is made here alone, and its status is of this form. */
const renderedOf = ({ status }: KubeObject): Rendered => (status ?? {}) as Rendered
const statusesOf = (pod: KubeObject): readonly Status[] => renderedOf(pod).containerStatuses ?? []

/** The word that kubectl prints: of a container that waits or has ended its reason, else the pod's own. */
function statusWord(pod: KubeObject): string {
  const { phase = 'Unknown', reason } = renderedOf(pod)
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating'
  const [state] = statusesOf(pod).map((status) => status.state)
  return state?.waiting?.reason ?? state?.terminated?.reason ?? reason ?? phase
}
