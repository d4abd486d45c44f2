/** Answers "who am I", "may I" and "may they": reviews are created, answered and forgotten. Pure. */
import type { AccessDecision, AccessRequest, Authorizer } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import type { Scope } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import type { DiscoveredResource } from './discovery.ts'
import { present } from './present.ts'
import { bodyOf, specOfReview, type ReviewedAccess, type ReviewSpec } from './review-spec.ts'

const review = (group: string, version: string, kind: string, scope: Scope = 'Cluster'): DiscoveredResource => ({
  group,
  version,
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  scope,
  hasStatus: false,
  verbs: ['create'],
})

/** The reviews that we answer; kubectl 1.27 knows SelfSubjectReview only in its beta version. */
export const REVIEWS: readonly DiscoveredResource[] = [
  review('authorization.k8s.io', 'v1', 'SelfSubjectAccessReview'),
  review('authorization.k8s.io', 'v1', 'SelfSubjectRulesReview'),
  review('authorization.k8s.io', 'v1', 'SubjectAccessReview'),
  review('authorization.k8s.io', 'v1', 'LocalSubjectAccessReview', 'Namespaced'),
  review('authentication.k8s.io', 'v1', 'SelfSubjectReview'),
  review('authentication.k8s.io', 'v1beta1', 'SelfSubjectReview'),
]

/** What answering reviews needs to know. */
export type ReviewPorts = {
  readonly authorizer: Authorizer
  /** The scope of a served resource. */
  readonly scopeOf: (group: string, resource: string) => Scope | undefined
}

/** The answer to a review of one of these kinds. Throws BadRequest and Invalid for a spec that asks nothing. */
export function answerReview(
  ports: ReviewPorts,
  of: DiscoveredResource,
  asked: { readonly body: unknown; readonly actor: Actor; readonly namespace: string | undefined },
): object {
  const body = bodyOf(asked.body)
  const status = ANSWERS[of.kind]?.(ports, specOfReview(of.kind, body), asked)
  const { spec } = body
  return {
    kind: of.kind,
    apiVersion: `${of.group}/${of.version}`,
    metadata: present({ namespace: asked.namespace }),
    ...(of.kind === 'SelfSubjectReview' ? {} : { spec: spec ?? {} }),
    status,
  }
}

type Answer = (
  ports: ReviewPorts,
  spec: ReviewSpec,
  asked: { readonly actor: Actor; readonly namespace: string | undefined },
) => object

const ANSWERS: Readonly<Record<string, Answer>> = {
  SelfSubjectReview: (_ports, _spec, { actor }) => ({ userInfo: userInfoOf(actor) }),
  SelfSubjectRulesReview: ({ authorizer }, { namespace }, { actor }) => ({
    resourceRules: authorizer.rulesFor(actor, namespace),
    nonResourceRules: pathRulesOf(authorizer, actor),
    incomplete: false,
  }),
  SelfSubjectAccessReview: (ports, spec, { actor }) => verdictOn(ports, actor, spec.access),
  SubjectAccessReview: (ports, spec) => verdictOn(ports, spec.subject, spec.access),
  LocalSubjectAccessReview: (ports, spec, { namespace }) => {
    if (!('resource' in spec.access) || spec.access.namespace !== namespace)
      throw new ApiError('BadRequest', 'Ask for a resource of the namespace that the review is created in')
    return verdictOn(ports, spec.subject, spec.access)
  },
}

const userInfoOf = ({ name, groups, uid, extra }: Actor): object => present({ username: name, uid, groups, extra })

function verdictOn(ports: ReviewPorts, actor: Actor, access: ReviewedAccess): object {
  const decision =
    'path' in access
      ? ports.authorizer.decidePath(actor, access.verb, access.path)
      : ports.authorizer.decide(requestOf(ports, actor, access))
  // Nothing is named that could be created: only the names within may be.
  const isVague =
    decision.isAllowed && decision.within !== undefined && 'resource' in access && access.verb === 'create'
  return { allowed: decision.isAllowed && !isVague, reason: reasonOf(decision, isVague) }
}

const reasonOf = ({ reason }: AccessDecision, isVague: boolean): string =>
  isVague ? `only by a name that is yours: ${reason}` : reason

/** Clients send the namespace of their context with cluster-scoped resources too; there it means nothing. */
function requestOf(
  { scopeOf }: ReviewPorts,
  actor: Actor,
  { verb, group, resource, subresource, namespace, name }: Extract<ReviewedAccess, { resource: string }>,
): AccessRequest {
  const scope = scopeOf(group, resource) ?? (namespace === undefined ? 'Cluster' : 'Namespaced')
  return {
    actor,
    verb,
    group,
    resource,
    scope,
    ...present({ subresource, name, namespace: scope === 'Cluster' ? undefined : namespace }),
  }
}

/** The paths that a client may ask about, as Kubernetes' own roles name them. */
const PATHS = [
  '/api',
  '/api/*',
  '/apis',
  '/apis/*',
  '/healthz',
  '/livez',
  '/metrics',
  '/openapi',
  '/openapi/*',
  '/readyz',
  '/version',
  '/version/',
]

function pathRulesOf(authorizer: Authorizer, actor: Actor): readonly object[] {
  if (authorizer.decidePath(actor, '*', '*').isAllowed) return [{ verbs: ['*'], nonResourceURLs: ['*'] }]
  const nonResourceURLs = PATHS.filter((path) => authorizer.decidePath(actor, 'get', path).isAllowed)
  return nonResourceURLs.length === 0 ? [] : [{ verbs: ['get'], nonResourceURLs }]
}
