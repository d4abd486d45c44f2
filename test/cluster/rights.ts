/** Decides whether the rights that the chart asks for allow a request to a kube-apiserver. Pure. */

/** One rule of a Role or ClusterRole. */
export type RightsRule = {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
}

/** A Role or ClusterRole; a Role is of its namespace alone. */
export type RightsRole = {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly rules?: readonly RightsRule[]
}

/** What a request asks for, in the words of RBAC. */
export type Asked = {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly namespace: string
}

const PATH =
  /^\/(?:api|apis\/(?<group>[^/]+))\/v[^/]+(?:\/namespaces\/(?<namespace>[^/]+)(?=\/))?\/(?<resource>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<sub>[^/]+))?)?$/

/** What `METHOD path` asks for; undefined for what is no resource. */
export function askedOf(line: string): Asked | undefined {
  const [method = '', target = ''] = line.split(' ')
  const url = new URL(target, 'http://server.invalid')
  const found = PATH.exec(url.pathname)?.groups
  if (found === undefined) return undefined
  const { group = '', namespace = '', resource = '', name, sub } = found
  const isWatch = url.searchParams.get('watch') === 'true' || url.searchParams.get('watch') === '1'
  const reading = name !== undefined ? 'get' : isWatch ? 'watch' : 'list'
  const verbs: Readonly<Record<string, string>> = { GET: reading, POST: 'create', PUT: 'update', PATCH: 'patch' }
  const verb = verbs[method] ?? (name === undefined ? 'deletecollection' : 'delete')
  return { verb, group, resource: sub === undefined ? resource : `${resource}/${sub}`, namespace }
}

/** Whether one of the roles allows it. */
export const isAllowedBy = (roles: readonly RightsRole[], asked: Asked): boolean =>
  roles.some(
    ({ kind, metadata, rules = [] }) =>
      (kind === 'ClusterRole' || metadata.namespace === asked.namespace) &&
      rules.some(
        (rule) =>
          rule.apiGroups.includes(asked.group) &&
          rule.resources.includes(asked.resource) &&
          rule.verbs.includes(asked.verb),
      ),
  )
