/**
 * The Authorizer port: who may do what, and what of it they may see. Pure: types, a name, and the one authorizer that allows all.
 *
 * Rules (tests in controller/access/):
 *  AZ1 A decision is made from what is known now, without I/O; whoever holds a long answer listens to `onChange` and
 *      asks again.
 *  AZ2 A namespace in which the caller may do nothing does not exist for it: every request there is refused as hidden,
 *      whether the namespace is there or not.
 *  AZ3 A read across namespaces, or of cluster-scoped objects that stand for a tenant, is narrowed by `within` to the
 *      namespaces that the caller may see; it is never refused for seeing only some, and never tells of the others.
 *  AZ4 What nobody allows is refused.
 */
import type { Actor } from '../api/admission.ts'
import type { Scope } from '../api/define-kind.ts'

/** Of an actor that came by an AccessToken: under this key of `extra` stands `namespace/name` of it. */
export const TOKEN_EXTRA = 'sprites.highera.com/access-token'

/** What somebody wants to do with a resource. */
export type AccessRequest = {
  readonly actor: Actor
  /** get, list, watch, create, update, patch, delete, deletecollection, impersonate, or an action such as wake. */
  readonly verb: string
  readonly group: string
  /** Plural, such as `sprites`. */
  readonly resource: string
  readonly scope: Scope
  readonly subresource?: string
  /** Absent: a cluster-scoped resource, or all namespaces. */
  readonly namespace?: string
  /** Absent: the collection. */
  readonly name?: string
}

/** The verdict on a request; `reason` is for the audit log and for `kubectl auth can-i`. */
export type AccessDecision =
  | {
      readonly isAllowed: true
      readonly reason: string
      /** Only objects of these namespaces (of cluster-scoped kinds: of these names); absent is all. */
      readonly within?: ReadonlySet<string>
    }
  | {
      readonly isAllowed: false
      readonly reason: string
      /** The caller is to be told that the namespace, or the object, does not exist. */
      readonly isHidden: boolean
    }

/** One rule of SelfSubjectRulesReview: what the caller may do in a namespace. */
export type AccessRule = {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
}

/** The port; its rules stand above. */
export interface Authorizer {
  decide(request: AccessRequest): AccessDecision
  /** A path outside the resources, such as /metrics: `verb` is the method in lower case. */
  decidePath(actor: Actor, verb: string, path: string): AccessDecision
  rulesFor(actor: Actor, namespace: string): readonly AccessRule[]
  /** Calls back when anybody's rights may have changed; the returned function ends it. */
  onChange(listener: () => void): () => void
}

const ALLOWED: AccessDecision = { isAllowed: true, reason: 'everything is allowed' }

/** Everybody may do everything: for an API server whose callers are all trusted, as in tests of other rooms. */
export const allowAll: Authorizer = {
  decide: () => ALLOWED,
  decidePath: () => ALLOWED,
  rulesFor: () => [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  onChange: () => () => undefined,
}
