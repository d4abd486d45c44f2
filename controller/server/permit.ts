/** Asks whether a caller may do what a request asks for, and words the refusal as kube-apiserver does. Pure. */
import type { AccessDecision, AccessRequest, Authorizer } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import { resourceName } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { ResourcePath } from './route.ts'

/** A decision that lets the request through. */
export type Permission = Extract<AccessDecision, { isAllowed: true }>

/** What is known of a request for a resource once it is allowed. */
export type PermittedCall = {
  readonly actor: Actor
  readonly permission: Permission
  readonly resource: Pick<ResourceDefinition, 'group' | 'plural' | 'scope'>
  readonly path: ResourcePath
}

/** What a request for a resource wants, for the authorizer. */
export const accessRequestOf = (
  actor: Actor,
  verb: string,
  of: { readonly resource: Pick<ResourceDefinition, 'group' | 'plural' | 'scope'>; readonly path: ResourcePath },
): AccessRequest => ({
  actor,
  verb,
  group: of.resource.group,
  resource: of.resource.plural,
  scope: of.resource.scope,
  ...(of.path.subresource === undefined ? {} : { subresource: of.path.subresource }),
  ...(of.path.namespace === undefined ? {} : { namespace: of.path.namespace }),
  ...(of.path.name === undefined ? {} : { name: of.path.name }),
})

/** The permission; throws Forbidden, or NotFound where the caller is not to know that there is something. */
export function permit(authorizer: Authorizer, request: AccessRequest): Permission {
  const decision = authorizer.decide(request)
  if (decision.isAllowed) return decision
  throw decision.isHidden ? hidden(request) : forbidden(request, decision.reason)
}

/** Throws Forbidden when what is to be created, cluster-scoped, has a name that the permission does not reach. */
export function permitName(call: PermittedCall, body: unknown): void {
  const { within, reason } = call.permission
  if (within === undefined || call.resource.scope !== 'Cluster') return
  const metadata = isJsonObject(body) ? body['metadata'] : undefined
  const name = isJsonObject(metadata) ? metadata['name'] : undefined
  if (typeof name !== 'string' || !within.has(name))
    throw forbidden(accessRequestOf(call.actor, 'create', call), reason)
}

/** Watches over a permission while a long answer lasts. */
export type PermissionGuard = {
  /** Aborts when the caller's rights are no longer what they were. */
  readonly signal: AbortSignal
  /** What the caller is told then: a new list shows what it may see now. */
  readonly verdict: () => ApiError | undefined
  readonly end: () => void
}

/** Judges a call anew at every change of rights; ends with the first change that concerns it. */
export function guardPermission(authorizer: Authorizer, call: PermittedCall): PermissionGuard {
  const changed = new AbortController()
  const request = accessRequestOf(call.actor, 'watch', call)
  const end = authorizer.onChange(() => {
    if (!isSame(call.permission, authorizer.decide(request))) changed.abort()
  })
  const verdict = (): ApiError | undefined =>
    changed.signal.aborted ? new ApiError('Expired', 'What you may see has changed: list again') : undefined
  return { signal: changed.signal, verdict, end }
}

function isSame(permission: Permission, decision: AccessDecision): boolean {
  if (!decision.isAllowed) return false
  const [was, is] = [permission.within, decision.within]
  if (was === undefined || is === undefined) return was === is
  return was.size === is.size && [...was].every((name) => is.has(name))
}

/**
 * A call whose signal also aborts when its caller may no longer do it, for an answer that lasts and has no word for that.
 * It listens until the request's own signal aborts.
 */
export function heldToRights<C extends PermittedCall & { readonly request: { readonly signal: AbortSignal } }>(
  authorizer: Authorizer,
  verb: string,
  call: C,
): C {
  const { signal } = call.request
  const request = accessRequestOf(call.actor, verb, call)
  const changed = new AbortController()
  const end = authorizer.onChange(() => {
    if (!authorizer.decide(request).isAllowed) changed.abort()
  })
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  return { ...call, request: { ...call.request, signal: AbortSignal.any([signal, changed.signal]) } }
}

/** Refuses a path outside the resources that the caller may not have. */
export function permitPath(
  authorizer: Authorizer,
  actor: Actor,
  of: { readonly verb: string; readonly path: string },
): void {
  const decision = authorizer.decidePath(actor, of.verb, of.path)
  if (decision.isAllowed) return
  throw new ApiError(
    'Forbidden',
    `forbidden: User "${actor.name}" cannot ${of.verb} path "${of.path}": ${decision.reason}`,
  )
}

/** What a namespace, or a cluster-scoped object, that does not exist is told as. */
function hidden(request: AccessRequest): ApiError {
  if (request.namespace !== undefined)
    return new ApiError('NotFound', `namespaces "${request.namespace}" not found`, {
      name: request.namespace,
      kind: 'namespaces',
    })
  const name = request.name ?? ''
  return new ApiError(
    'NotFound',
    `${resourceName({ group: request.group, plural: request.resource })} "${name}" not found`,
    {
      name,
      kind: request.resource,
      ...(request.group === '' ? {} : { group: request.group }),
    },
  )
}

function forbidden(request: AccessRequest, reason: string): ApiError {
  const { actor, verb, group, resource, subresource, namespace, name } = request
  const what = subresource === undefined ? resource : `${resource}/${subresource}`
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const which = `${resourceName({ group, plural: resource })}${name === undefined ? '' : ` "${name}"`}`
  return new ApiError(
    'Forbidden',
    `${which} is forbidden: User "${actor.name}" cannot ${verb} resource "${what}" in API group "${group}" ${where}: ${reason}`,
    { ...(name === undefined ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource },
  )
}
