/** Pure: what a core/v1 Event of ours looks like. */
import { keyOf, type KubeObject } from '../api/object.ts'
import type { EventType } from './types.ts'

/** A core/v1 Event as it is sent. */
export type EventBody = {
  readonly apiVersion: 'v1'
  readonly kind: 'Event'
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly involvedObject: {
    readonly apiVersion: string
    readonly kind: string
    readonly name: string
    /** Absent for cluster-scoped objects: `kubectl describe` looks for it so. */
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
  }
  readonly type: EventType
  /** Why, as one CamelCase word of the kind's catalogue. */
  readonly reason: string
  readonly message: string
  readonly count: number
  readonly firstTimestamp: string
  readonly lastTimestamp: string
  readonly source: { readonly component: string }
  readonly reportingComponent: string
  readonly reportingInstance: string
}

/** What is said of an object. */
export type Saying = { readonly type: EventType; readonly reason: string; readonly message: string }

/** Who reports the events that we record. */
export const EVENT_COMPONENT = 'sprites-controller'
/** Kubernetes' own limit for the message of an event. */
const MESSAGE_CHARS_MAX = 1_024
/** Leaves room for the dot and 16 hexadecimal digits within the 253 characters of a name. */
const NAME_CHARS_MAX = 236
/** Events of cluster-scoped objects go here, as Kubernetes does it. */
const CLUSTER_EVENTS_NAMESPACE = 'default'

/** The message as it is stored: cut with an ellipsis past the limit. */
export const cutMessage = (message: string): string =>
  message.length <= MESSAGE_CHARS_MAX ? message : `${message.slice(0, MESSAGE_CHARS_MAX - 1)}…`

/** What makes two events the same: the object, and everything that is said. */
export const sameness = (object: KubeObject, { type, reason, message }: Saying): string =>
  JSON.stringify([object.metadata.uid, type, reason, message])

/** The event's first form. `suffix` makes its name unique, `at` is its time. */
export function firstEvent(
  object: KubeObject,
  saying: Saying,
  stamp: { readonly at: string; readonly suffix: string; readonly instance: string },
): EventBody {
  const { namespace, name } = keyOf(object)
  const { uid, resourceVersion } = object.metadata
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${name.slice(0, NAME_CHARS_MAX)}.${stamp.suffix}`,
      namespace: namespace === '' ? CLUSTER_EVENTS_NAMESPACE : namespace,
    },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace === '' ? {} : { namespace }),
      uid,
      resourceVersion,
    },
    ...saying,
    count: 1,
    firstTimestamp: stamp.at,
    lastTimestamp: stamp.at,
    source: { component: EVENT_COMPONENT },
    reportingComponent: EVENT_COMPONENT,
    reportingInstance: stamp.instance,
  }
}

/** The event after it has happened once more. */
export const eventAgain = (body: EventBody, at: string): EventBody => ({
  ...body,
  count: body.count + 1,
  lastTimestamp: at,
})
