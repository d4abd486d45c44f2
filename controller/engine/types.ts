/** The engine's contract with reconcilers: keys in, outcomes out. Pure: types only. */
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import type { Key, KubeObject } from '../api/object.ts'

/** What a pass says when it went well. An error thrown instead means back-off; TerminalError means wait for a change. */
export type Outcome = {
  /** Look again after so long; absent: only when something changes. */
  readonly requeueAfterMs?: number
  /** Why it looks again, for the log and the metric; a word of the reconciler's own. */
  readonly requeueReason?: string
}

/** Nothing more to do until something changes. */
export const DONE: Outcome = {}

/** One pass for one key: level-triggered, idempotent, bounded by the signal. */
export type Reconciler = (key: Key, signal: AbortSignal) => Promise<Outcome>

/** A failure that trying again will not mend; the key waits for a change of its object. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}

/** Urgency of a queue entry: higher is served first within a tenant. */
export const PRIORITY = { change: 3, retry: 2, resync: 1, startup: 0 } as const
/** Which keys of a tenant go first. */
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

/** Another kind whose changes wake keys of this controller. */
export type SecondaryWatch = {
  readonly kind: KindDefinition
  /** The keys to wake; `previous` is the object before the change, undefined when it is new and when it was deleted. */
  readonly map: (object: KubeObject, previous: KubeObject | undefined) => readonly Key[]
}

/** A kind whose changes wake keys of a controller, with the object's own type. */
export const watchOf = <K extends KindDefinition>(
  kind: K,
  map: (object: ObjectOf<K>, previous: ObjectOf<K> | undefined) => readonly Key[],
): SecondaryWatch => ({ kind, map: map as SecondaryWatch['map'] })

/** What a controller is made from. */
export type ControllerOptions = {
  readonly name: string
  /** The kind that this controller reconciles. */
  readonly kind: KindDefinition
  /** The key of this controller for an object of `kind`; default its own key. */
  readonly watches?: readonly SecondaryWatch[]
  /** Whether a change of the kind itself wakes its key; default: spec, metadata or deletion changed, not status alone. */
  readonly wakes?: (object: KubeObject, previous: KubeObject | undefined) => boolean
  readonly reconcile: Reconciler
  /** Keys worked on at once; never two workers on one key. */
  readonly concurrency: number
  /** Ms between re-enqueues of every key; 0 for none. */
  readonly resyncMs: number
  /** Ms after which a pass's signal is aborted. */
  readonly timeoutMs: number
}

/** Reads from the informers' caches: no call leaves the process. Objects are shared and must not be changed. */
export interface Cache {
  get<K extends KindDefinition>(kind: K, key: Key): ObjectOf<K> | undefined
  list<K extends KindDefinition>(kind: K, namespace?: string): readonly ObjectOf<K>[]
  /** Takes in an object that this process has just written, so that the next pass sees its own writes. */
  observe<K extends KindDefinition>(kind: K, object: ObjectOf<K>): void
}

/** The name of an event. */
export type EventType = 'Normal' | 'Warning'

/** Records what has happened, for operators; the same event again only counts up. Never throws, never waits. */
export interface Recorder {
  event(object: KubeObject, type: EventType, reason: string, message: string): void
}
