/** The labels, annotations and finalizers of the product, and how they are read. Pure. */
import { GROUP } from '../api/define-kind.ts'
import type { KubeObject, OwnerReference } from '../api/object.ts'

/** Label: the project that an object belongs to. */
export const PROJECT_LABEL = `${GROUP}/project`
/** Label: the agent type of a sprite or of work. */
export const AGENT_TYPE_LABEL = `${GROUP}/agent-type`
/** Label: the controller that made an object. */
export const MANAGED_BY_LABEL = `${GROUP}/managed-by`
/** Annotation: "true" means hands off; nothing is created, changed or deleted for the object. */
export const PAUSED_ANNOTATION = `${GROUP}/paused`
/**
 * Annotation of a Tenant, or of our own namespace for everything: "true" means that no machine is created, started,
 * stopped or destroyed.
 */
export const FROZEN_ANNOTATION = `${GROUP}/frozen`
/** Annotation: "true" means that deletion is refused while work is in progress. */
export const PROTECTED_ANNOTATION = `${GROUP}/protected`
/** Annotation: when the machine of a sprite was asked to start, or to stay, although there is no work. */
export const WAKE_AT_ANNOTATION = `${GROUP}/wake-at`
/** Annotation: when the machine of a sprite was asked to finish its task and stop. */
export const DRAIN_AT_ANNOTATION = `${GROUP}/drain-at`
/** Finalizer of a Tenant: held before its namespace is made, released when all it owned is gone. */
export const TENANT_FINALIZER = `${GROUP}/tenant`

type Marked = Pick<KubeObject, 'metadata'>

/** Whether an annotation of the object says "true". */
const says = (object: Marked, annotation: string): boolean => object.metadata.annotations?.[annotation] === 'true'

/** Whether somebody asked for hands off. */
export const isPaused = (object: Marked): boolean => says(object, PAUSED_ANNOTATION)

/** Whether machines are to stay as they are. */
export const isFrozen = (object: Marked): boolean => says(object, FROZEN_ANNOTATION)

/** Whether deletion is to be refused while work is in progress. */
export const isProtected = (object: Marked): boolean => says(object, PROTECTED_ANNOTATION)

/** Whether `owner` is the one that manages `object`. */
export const isControlledBy = (object: Marked, owner: Marked): boolean =>
  object.metadata.ownerReferences?.some((ref) => ref.controller === true && ref.uid === owner.metadata.uid) ?? false

/** The reference that makes `owner` the manager of a new object. */
export const controllerReference = (owner: Pick<KubeObject, 'apiVersion' | 'kind' | 'metadata'>): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
})
