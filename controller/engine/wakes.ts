/** Pure: which change of an object wakes its own key, and which of two versions is the newer. */
import type { KubeObject } from '../api/object.ts'

/**
 * The default wake rule: the object is new, is another one of the same name, or its generation, labels, annotations,
 * finalizers or deletionTimestamp changed. A change of status alone wakes nobody: most of them are the reconciler's own.
 */
export function wakesOwnKey(object: KubeObject, previous: KubeObject | undefined): boolean {
  if (previous === undefined) return true
  const now = object.metadata
  const before = previous.metadata
  return (
    now.uid !== before.uid ||
    now.generation !== before.generation ||
    now.deletionTimestamp !== before.deletionTimestamp ||
    recordsDiffer(now.labels, before.labels) ||
    recordsDiffer(now.annotations, before.annotations) ||
    recordsDiffer(now.finalizers, before.finalizers)
  )
}

/** Whether something is yet to be done about it, as far as it says itself: at a start such objects go first. */
export function isBehind({ metadata, status }: KubeObject): boolean {
  if (metadata.deletionTimestamp !== undefined) return true
  const observed = typeof status === 'object' && status !== null ? observedOf(status) : undefined
  return metadata.generation !== undefined && observed !== metadata.generation
}

const observedOf = (status: object): unknown => ('observedGeneration' in status ? status.observedGeneration : undefined)

type StringRecord = Readonly<Record<string, string>> | readonly string[] | undefined

function recordsDiffer(a: StringRecord = {}, b: StringRecord = {}): boolean {
  if (a === b) return false
  const entries = Object.entries(a)
  const others = new Map(Object.entries(b))
  return entries.length !== others.size || entries.some(([name, value]) => others.get(name) !== value)
}

/** Orders two resourceVersions as the decimal integers that they are: negative when `a` is older, 0 when equal. */
export function compareRevisions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  if (a === b) return 0
  return a < b ? -1 : 1
}
