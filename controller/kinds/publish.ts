/** Writes what a decision says of an object: one status patch, and only when something changes. */
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import { findCondition, isTrue, type Condition } from '../api/conditions.ts'
import { keyOf, type KubeObject } from '../api/object.ts'
import type { Client } from '../client/client.ts'
import type { Cache, Outcome, Recorder } from '../engine/types.ts'
import type { Clock } from '../../system/clock.ts'
import { statusPatch } from './status.ts'

/** What every reconciler of a kind needs. */
export type KindPorts = {
  readonly client: Client
  readonly cache: Cache
  readonly clock: Clock
  /** Where changes of Ready are recorded as events; absent: nowhere. */
  readonly recorder?: Recorder
}

/**
 * Patches the status of `object` to `next`, at the resourceVersion that the decision was made from; true when there
 * was something to write. Throws ApiError Conflict when another write came between: the pass is made anew.
 */
export async function publishStatus<K extends KindDefinition>(
  ports: Pick<KindPorts, 'client' | 'cache' | 'recorder'>,
  kind: K,
  object: ObjectOf<K>,
  next: { readonly status: Conditioned; readonly signal: AbortSignal },
): Promise<boolean> {
  const patch = statusPatch(object.status as object | undefined, next.status) // every status is a JSON object
  if (patch === undefined) return false
  const { resourceVersion } = object.metadata
  const written = await ports.client.patchStatus(kind, keyOf(object), patch, { resourceVersion }, next.signal)
  ports.cache.observe(kind, written)
  recordReady(ports.recorder, object, next.status)
  return true
}

type Conditioned = { readonly conditions?: readonly Condition[] | undefined }

/** An event for each new reason of Ready: what a person reads in `kubectl describe` as the object's history. */
function recordReady(recorder: Recorder | undefined, object: KubeObject, next: Conditioned): void {
  const before = findCondition((object.status as Conditioned | undefined)?.conditions, 'Ready') // as every kind has it
  const now = findCondition(next.conditions, 'Ready')
  if (recorder === undefined || now === undefined) return
  if (now.reason === before?.reason && now.status === before.status) return
  const isStalled = isTrue(next.conditions, 'Stalled')
  recorder.event(object, isStalled ? 'Warning' : 'Normal', now.reason, now.message)
}

/** The outcome of a decision: when to look again, and why. */
export const outcomeOf = (decision: {
  readonly requeueAfterMs?: number
  readonly requeueReason?: string
}): Outcome => ({
  ...(decision.requeueAfterMs === undefined ? {} : { requeueAfterMs: decision.requeueAfterMs }),
  ...(decision.requeueReason === undefined ? {} : { requeueReason: decision.requeueReason }),
})

/** How controllers of small kinds run: few keys at once, a slow resync as a safety net, short passes. */
export const SMALL_KIND = { concurrency: 2, resyncMs: 600_000, timeoutMs: 30_000 } as const
