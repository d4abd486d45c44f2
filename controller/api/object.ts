/** The shape of every object of the API: what Kubernetes calls TypeMeta, ObjectMeta and the rest. Pure. */

/** A JSON value, as it comes off the wire. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
/** A JSON object; its keys may be anything a user sends. */
export type JsonObject = { readonly [key: string]: Json }

/** A link from a dependent to its owner, for garbage collection. Owner and dependent share a namespace, or the owner is cluster-scoped. */
export type OwnerReference = {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  /** The one owner that manages the dependent. */
  readonly controller?: boolean
  /** Under foreground deletion the owner waits until this dependent is gone. */
  readonly blockOwnerDeletion?: boolean
}

/** Who set which fields under server-side apply, as Kubernetes' metav1.ManagedFieldsEntry. */
export type ManagedFieldsEntry = {
  readonly manager?: string
  readonly operation?: 'Apply' | 'Update'
  readonly apiVersion?: string
  readonly time?: string
  readonly fieldsType?: 'FieldsV1'
  readonly fieldsV1?: JsonObject
  readonly subresource?: string
}

/** Instants are RFC 3339 in whole seconds. */
export type ObjectMeta = {
  readonly name: string
  /** Absent on cluster-scoped kinds. A tenant's namespace has the tenant's name. */
  readonly namespace?: string
  readonly generateName?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
  readonly managedFields?: readonly ManagedFieldsEntry[]
  // What follows is set by the registry alone.
  readonly uid: string
  /** Opaque to reconcilers; on our own server a decimal integer ≥ 1. */
  readonly resourceVersion: string
  /** 1 at creation, +1 on any change outside metadata and status, +1 when deletionTimestamp is set. */
  readonly generation: number
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
}

/** Any object of the API as stored: metadata is trusted, spec and status are as the kind's schema says. */
export type KubeObject<Spec = unknown, Status = unknown> = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: Spec
  readonly status?: Status
}

/** The object as JSON, which it is on the wire and in the store, though its type names no further members. */
export const asJson = (object: KubeObject): JsonObject => object as unknown as JsonObject

/** What a user or a reconciler sends to create an object: the registry fills the rest. */
export type NewObject<Spec = unknown> = {
  readonly metadata: Partial<ObjectMeta> & ({ readonly name: string } | { readonly generateName: string })
  readonly spec: Spec
}

/** The name of an object within its kind; `namespace` is '' for cluster-scoped kinds. The only thing in a queue. */
export type Key = { readonly namespace: string; readonly name: string }

/** The key of an object. */
export const keyOf = (object: { readonly metadata: Pick<ObjectMeta, 'name' | 'namespace'> }): Key => ({
  namespace: object.metadata.namespace ?? '',
  name: object.metadata.name,
})

/** `namespace/name`, or `name` alone for cluster-scoped kinds: as logs and queues print a key. */
export const formatKey = (key: Key): string => (key.namespace === '' ? key.name : `${key.namespace}/${key.name}`)

/** Whether deletion has begun: finalizers are being worked off. */
export const isDeleting = (object: { readonly metadata: Pick<ObjectMeta, 'deletionTimestamp'> }): boolean =>
  object.metadata.deletionTimestamp !== undefined
