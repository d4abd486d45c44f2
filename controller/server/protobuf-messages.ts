/** The field numbers of the protobuf messages that we read, from Kubernetes' generated.proto files. Pure. */

/** A scalar, a message by name, a list of either, or a map from text. */
export type FieldType = string

type Message = Readonly<Record<number, readonly [name: string, type: FieldType]>>

const metadata = ['metadata', 'ObjectMeta'] as const

/** Messages by name; top-level kinds are looked up by `kind`. */
export const MESSAGES = {
  Unknown: { 1: ['typeMeta', 'TypeMeta'], 2: ['raw', 'bytes'] },
  TypeMeta: { 1: ['apiVersion', 'text'], 2: ['kind', 'text'] },
  Timestamp: { 1: ['seconds', 'int'], 2: ['nanos', 'int'] },
  TextEntry: { 1: ['key', 'text'], 2: ['value', 'text'] },
  BytesEntry: { 1: ['key', 'text'], 2: ['value', 'bytes'] },
  ObjectMeta: {
    1: ['name', 'text'],
    2: ['generateName', 'text'],
    3: ['namespace', 'text'],
    5: ['uid', 'text'],
    6: ['resourceVersion', 'text'],
    7: ['generation', 'int'],
    8: ['creationTimestamp', 'time'],
    9: ['deletionTimestamp', 'time'],
    10: ['deletionGracePeriodSeconds', 'int'],
    11: ['labels', 'map:text'],
    12: ['annotations', 'map:text'],
    13: ['ownerReferences', 'OwnerReference[]'],
    14: ['finalizers', 'text[]'],
    17: ['managedFields', 'ManagedFieldsEntry[]'],
  },
  OwnerReference: {
    1: ['kind', 'text'],
    3: ['name', 'text'],
    4: ['uid', 'text'],
    5: ['apiVersion', 'text'],
    6: ['controller', 'bool'],
    7: ['blockOwnerDeletion', 'bool'],
  },
  ManagedFieldsEntry: {
    1: ['manager', 'text'],
    2: ['operation', 'text'],
    3: ['apiVersion', 'text'],
    4: ['time', 'time'],
    6: ['fieldsType', 'text'],
    7: ['fieldsV1', 'FieldsV1'],
    8: ['subresource', 'text'],
  },
  FieldsV1: { 1: ['raw', 'json'] },
  Namespace: { 1: metadata, 2: ['spec', 'NamespaceSpec'], 3: ['status', 'NamespaceStatus'] },
  NamespaceSpec: { 1: ['finalizers', 'text[]'] },
  NamespaceStatus: { 1: ['phase', 'text'] },
  ConfigMap: {
    1: metadata,
    2: ['data', 'map:text'],
    3: ['binaryData', 'map:bytes'],
    4: ['immutable', 'bool'],
  },
  Secret: {
    1: metadata,
    2: ['data', 'map:bytes'],
    3: ['type', 'text'],
    4: ['stringData', 'map:text'],
    5: ['immutable', 'bool'],
  },
  Event: {
    1: metadata,
    2: ['involvedObject', 'ObjectReference'],
    3: ['reason', 'text'],
    4: ['message', 'text'],
    5: ['source', 'EventSource'],
    6: ['firstTimestamp', 'time'],
    7: ['lastTimestamp', 'time'],
    8: ['count', 'int'],
    9: ['type', 'text'],
    10: ['eventTime', 'microTime'],
    11: ['series', 'EventSeries'],
    12: ['action', 'text'],
    13: ['related', 'ObjectReference'],
    14: ['reportingComponent', 'text'],
    15: ['reportingInstance', 'text'],
  },
  ObjectReference: {
    1: ['kind', 'text'],
    2: ['namespace', 'text'],
    3: ['name', 'text'],
    4: ['uid', 'text'],
    5: ['apiVersion', 'text'],
    6: ['resourceVersion', 'text'],
    7: ['fieldPath', 'text'],
  },
  EventSource: { 1: ['component', 'text'], 2: ['host', 'text'] },
  EventSeries: { 1: ['count', 'int'], 2: ['lastObservedTime', 'microTime'] },
  Lease: { 1: metadata, 2: ['spec', 'LeaseSpec'] },
  LeaseSpec: {
    1: ['holderIdentity', 'text'],
    2: ['leaseDurationSeconds', 'int'],
    3: ['acquireTime', 'microTime'],
    4: ['renewTime', 'microTime'],
    5: ['leaseTransitions', 'int'],
    6: ['strategy', 'text'],
    7: ['preferredHolder', 'text'],
  },
  SelfSubjectAccessReview: { 1: metadata, 2: ['spec', 'SelfSubjectAccessReviewSpec'] },
  SelfSubjectAccessReviewSpec: {
    1: ['resourceAttributes', 'ResourceAttributes'],
    2: ['nonResourceAttributes', 'NonResourceAttributes'],
  },
  ResourceAttributes: {
    1: ['namespace', 'text'],
    2: ['verb', 'text'],
    3: ['group', 'text'],
    4: ['version', 'text'],
    5: ['resource', 'text'],
    6: ['subresource', 'text'],
    7: ['name', 'text'],
  },
  NonResourceAttributes: { 1: ['path', 'text'], 2: ['verb', 'text'] },
  SelfSubjectRulesReview: { 1: metadata, 2: ['spec', 'SelfSubjectRulesReviewSpec'] },
  SelfSubjectRulesReviewSpec: { 1: ['namespace', 'text'] },
  SelfSubjectReview: { 1: metadata },
  DeleteOptions: {
    1: ['gracePeriodSeconds', 'int'],
    2: ['preconditions', 'Preconditions'],
    3: ['orphanDependents', 'bool'],
    4: ['propagationPolicy', 'text'],
    5: ['dryRun', 'text[]'],
  },
  Preconditions: { 1: ['uid', 'text'], 2: ['resourceVersion', 'text'] },
} as const satisfies Readonly<Record<string, Message>>

/** A protobuf message that we can read. */
export type MessageName = keyof typeof MESSAGES
