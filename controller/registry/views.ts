/** Adds resources to a registry that are in no store of their own: each is a view that somebody else answers. */
import { ApiError } from '../api/errors.ts'
import type { ResourceDefinition, ResourceVerb } from '../api/resource.ts'
import type { Registry } from './registry.ts'

type WithoutResource<F> = F extends (resource: ResourceDefinition, ...rest: infer A) => infer R
  ? (...rest: A) => R
  : never

type Calls = { readonly [M in Exclude<keyof Registry, 'resources'>]: WithoutResource<Registry[M]> }

/**
 * A resource that is answered from elsewhere, as Pods are from Sprites. The calls follow the Registry's rules; one that
 * is left out is refused with MethodNotAllowed. `resource.verbs` must say the same.
 */
export type View = { readonly resource: ResourceDefinition } & Pick<Calls, 'get' | 'list'> & Partial<Calls>

/** The registry with the views among its resources, each after the resources that are stored. */
export function withViews(registry: Registry, views: readonly View[]): Registry {
  const byResource = new Map(views.map((view) => [view.resource, view]))

  /** Calls the view of the resource, or the registry when it has none. */
  function route<M extends keyof Calls>(method: M): Registry[M] {
    const routed = (resource: ResourceDefinition, ...rest: readonly unknown[]): unknown => {
      const view = byResource.get(resource)
      // Both take what the port says of this method: the map only moves the first argument.
      if (view === undefined) return (registry[method] as (...args: readonly unknown[]) => unknown)(resource, ...rest)
      const call = view[method] as ((...args: readonly unknown[]) => unknown) | undefined
      if (call === undefined) throw notOffered(resource, method)
      return call(...rest)
    }
    return routed as Registry[M]
  }

  return {
    resources: [...registry.resources, ...byResource.keys()],
    get: route('get'),
    list: route('list'),
    watch: route('watch'),
    create: route('create'),
    update: route('update'),
    patch: route('patch'),
    apply: route('apply'),
    delete: route('delete'),
  }
}

const VERB_OF: Readonly<Record<keyof Calls, ResourceVerb>> = {
  get: 'get',
  list: 'list',
  watch: 'watch',
  create: 'create',
  update: 'update',
  patch: 'patch',
  apply: 'patch',
  delete: 'delete',
}

const notOffered = (resource: ResourceDefinition, method: keyof Calls): ApiError =>
  new ApiError('MethodNotAllowed', `${resource.plural} cannot be served with ${VERB_OF[method]}: they are a view`, {
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
  })
