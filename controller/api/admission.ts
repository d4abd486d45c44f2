/** Admission: the cross-object check of a write, after defaulting and validation. Pure. */
import type { KindDefinition, ObjectOf } from './define-kind.ts'
import type { Key, KubeObject } from './object.ts'
import { formatKey } from './object.ts'

/** What a write does. */
export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

/** Who asks. The control plane itself is `system:controller`. */
export type Actor = {
  readonly name: string
  readonly groups: readonly string[]
  readonly uid?: string
  /** What else its credential says of it, as authentication.k8s.io UserInfo. */
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** The group of those who may do everything. */
export const PLATFORM_ADMINS = 'system:masters'

/** The control plane's own actor: reconcilers and the Coordinator. */
export const CONTROLLER_ACTOR: Actor = { name: 'system:controller', groups: [PLATFORM_ADMINS] }

/** Another object, or all of a kind in a namespace, that a check has to see. */
export type Need =
  | { readonly kind: KindDefinition; readonly key: Key }
  | { readonly kind: KindDefinition; readonly namespace: string }

/** The objects that were asked for by `needs`; an absent one is undefined, a list is empty. */
export type Related = {
  get<K extends KindDefinition>(kind: K, key: Key): ObjectOf<K> | undefined
  list<K extends KindDefinition>(kind: K, namespace: string): readonly ObjectOf<K>[]
}

/** One write that admission judges. */
export type AdmissionRequest<O extends KubeObject = KubeObject> = {
  readonly operation: Operation
  /** After defaulting; for DELETE the object that is to go. */
  readonly object: O
  /** Before the write; absent on CREATE. */
  readonly old?: O
  readonly actor: Actor
  /** ms since 1970. */
  readonly nowMs: number
  /** Agent types that have a built-in persona. */
  readonly builtinAgentTypes: ReadonlySet<string>
}

/** Why a write is refused. Forbidden for limits of a plan (403, as ResourceQuota), Invalid for a bad field (422). */
export type Violation = {
  readonly reason: 'Forbidden' | 'Invalid' | 'Conflict'
  readonly field: string
  readonly message: string
}

/** The admission of one kind: what it has to see, and its verdict. */
export type Admission<O extends KubeObject = KubeObject> = {
  /** Whether it is also asked about writes of the status, and about updates that change nothing that is declared. */
  readonly judgesStatus?: boolean
  /** What `admit` has to see; the registry reads it beforehand. */
  needs(object: O, old: O | undefined, operation: Operation): readonly Need[]
  /** Empty when the write may go on. */
  admit(request: AdmissionRequest<O>, related: Related): readonly Violation[]
}

/** Related objects from plain lists, for tests and for offline validation of a folder. Pure. */
export function relatedFrom(objects: readonly KubeObject[]): Related {
  const byKey = new Map(
    objects.map((object) => [
      `${object.kind}|${formatKey({ namespace: object.metadata.namespace ?? '', name: object.metadata.name })}`,
      object,
    ]),
  )
  return {
    // The kind in the key makes the type right.
    get: (kind, key) => byKey.get(`${kind.kind}|${formatKey(key)}`) as never,
    list: (kind, namespace) =>
      objects.filter((object) => object.kind === kind.kind && (object.metadata.namespace ?? '') === namespace) as never,
  }
}
