/** Answers "who am I" and "may I": reviews are created, answered and forgotten. Pure. */
import type { Actor } from '../api/admission.ts'
import type { DiscoveredResource } from './discovery.ts'

const review = (group: string, version: string, kind: string): DiscoveredResource => ({
  group,
  version,
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  scope: 'Cluster',
  hasStatus: false,
  verbs: ['create'],
})

/** The reviews that we answer; kubectl 1.27 knows SelfSubjectReview only in its beta version. */
export const REVIEWS: readonly DiscoveredResource[] = [
  review('authorization.k8s.io', 'v1', 'SelfSubjectAccessReview'),
  review('authorization.k8s.io', 'v1', 'SelfSubjectRulesReview'),
  review('authentication.k8s.io', 'v1', 'SelfSubjectReview'),
  review('authentication.k8s.io', 'v1beta1', 'SelfSubjectReview'),
]

/** The answer to a review of one of these kinds. Everyone who holds a token may do everything, as authorization is now. */
export function answerReview(of: DiscoveredResource, body: unknown, actor: Actor): object {
  // The body is an object of the reviewed kind or nothing: only its spec is echoed.
  const spec = ((body ?? {}) as { readonly spec?: object }).spec ?? {}
  return {
    kind: of.kind,
    apiVersion: `${of.group}/${of.version}`,
    metadata: {},
    ...(of.kind === 'SelfSubjectReview' ? {} : { spec }),
    status: statusOf(of.kind, actor),
  }
}

function statusOf(kind: string, actor: Actor): object {
  if (kind === 'SelfSubjectReview') return { userInfo: { username: actor.name, groups: actor.groups } }
  if (kind === 'SelfSubjectAccessReview') return { allowed: true, reason: 'every holder of a token may do everything' }
  return {
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
    nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    incomplete: false,
  }
}
