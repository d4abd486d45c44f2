/** Decides whether a change of another object is worth a wake. Pure. */
import type { KubeObject } from '../api/object.ts'
import { sameJson } from './status.ts'

/**
 * Whether an object came, went, began to be deleted, or changed in what `look` sees of it. The engine tells both what
 * is new and what is gone with nothing before it.
 */
export function moved<O extends KubeObject>(object: O, previous: O | undefined, look: (object: O) => unknown): boolean {
  return (
    previous === undefined ||
    previous.metadata.uid !== object.metadata.uid ||
    previous.metadata.deletionTimestamp !== object.metadata.deletionTimestamp ||
    !sameJson(look(object), look(previous))
  )
}
