/** Decides whether a change of another object is worth a wake. Pure. */
import type { KubeObject } from '../api/object.ts'
import { sameJson } from './status.ts'

/**
 * Whether a change is the object's end. A write that changes nothing makes no change, so one in which nothing but the
 * resourceVersion moved is a deletion; one of an object that was held by finalizers is seen by their being gone.
 */
export function isRemoval(object: KubeObject, previous: KubeObject | undefined): boolean {
  if (previous === undefined) return false
  const { metadata } = object
  if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0) return true
  return (
    sameJson({ ...metadata, resourceVersion: '' }, { ...previous.metadata, resourceVersion: '' }) &&
    sameJson(object.spec, previous.spec) &&
    sameJson(object.status, previous.status)
  )
}

/** Whether an object came, went, began to be deleted, or changed in what `look` sees of it. */
export function moved<O extends KubeObject>(object: O, previous: O | undefined, look: (object: O) => unknown): boolean {
  return (
    previous === undefined ||
    previous.metadata.uid !== object.metadata.uid ||
    previous.metadata.deletionTimestamp !== object.metadata.deletionTimestamp ||
    !sameJson(look(object), look(previous)) ||
    isRemoval(object, previous)
  )
}
