/** Tells clients which groups, versions and resources there are, in the legacy and the aggregated form. Pure. */
import type { ResourceDefinition } from '../api/resource.ts'

/** What we call ourselves: a Kubernetes 1.33, so that no client warns of version skew. */
export const VERSION_INFO = {
  major: '1',
  minor: '33',
  gitVersion: 'v1.33.0',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
} as const

/** A resource that is not in the registry: a virtual one such as SelfSubjectAccessReview. */
export type DiscoveredResource = Pick<
  ResourceDefinition,
  | 'group'
  | 'version'
  | 'kind'
  | 'plural'
  | 'singular'
  | 'shortNames'
  | 'categories'
  | 'scope'
  | 'hasStatus'
  | 'verbs'
  | 'subresources'
>

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const STATUS_VERBS = ['get', 'patch', 'update']

/** `group/version`, or `version` alone for the core group. */
export const groupVersion = (group: string, version: string): string => (group === '' ? version : `${group}/${version}`)

/** Aggregated discovery of the core group (/api) or of all others (/apis), with the media type that it must carry. */
export function aggregatedDiscovery(
  resources: readonly DiscoveredResource[],
  space: 'core' | 'groups',
  version: 'v2' | 'v2beta1',
): { readonly contentType: string; readonly body: object } {
  const groups = groupsOf(resources).filter((group) => (group.name === '') === (space === 'core'))
  return {
    contentType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    body: {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: groups.map((group) => ({
        metadata: { ...(group.name === '' ? {} : { name: group.name }), creationTimestamp: null },
        versions: group.versions.map((each) => ({
          version: each.version,
          resources: each.resources.map(aggregatedResource),
          freshness: 'Current',
        })),
      })),
    },
  }
}

const kindOf = (resource: DiscoveredResource): object => ({
  group: resource.group,
  version: resource.version,
  kind: resource.kind,
})

const aggregatedResource = (resource: DiscoveredResource): object => ({
  resource: resource.plural,
  responseKind: kindOf(resource),
  scope: resource.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
  singularResource: resource.singular,
  verbs: resource.verbs ?? VERBS,
  ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
  ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
  ...subresourcesOf(resource),
})

function subresourcesOf(resource: DiscoveredResource): { readonly subresources?: readonly object[] } {
  const status = { subresource: 'status', responseKind: kindOf(resource), verbs: statusVerbs(resource) }
  const others = (resource.subresources ?? []).map(({ name, kind, verbs }) => ({
    subresource: name,
    responseKind: kind,
    verbs,
  }))
  const all = [...(resource.hasStatus ? [status] : []), ...others]
  return all.length === 0 ? {} : { subresources: all }
}

/** A resource that can only be read has a status that can only be read. */
const statusVerbs = ({ verbs }: DiscoveredResource): readonly string[] =>
  verbs === undefined ? STATUS_VERBS : STATUS_VERBS.filter((verb) => verbs.some((offered) => offered === verb))

/** metav1.APIVersions: the answer to /api. */
export const coreVersions = (): object => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
})

/** metav1.APIGroupList: the answer to /apis. */
export const groupList = (resources: readonly DiscoveredResource[]): object => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groupsOf(resources)
    .filter((group) => group.name !== '')
    .map(apiGroup),
})

/** metav1.APIGroup: the answer to /apis/GROUP; undefined when there is no such group. */
export function groupNamed(resources: readonly DiscoveredResource[], name: string): object | undefined {
  const group = groupsOf(resources).find((each) => each.name === name && name !== '')
  return group && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) }
}

function apiGroup(group: Group): object {
  const versions = group.versions.map(({ version }) => ({ groupVersion: groupVersion(group.name, version), version }))
  return { name: group.name, versions, preferredVersion: versions[0] }
}

/** metav1.APIResourceList: the answer to /apis/GROUP/VERSION; undefined when there is no such version. */
export function resourceList(
  resources: readonly DiscoveredResource[],
  group: string,
  version: string,
): object | undefined {
  const served = resources.filter((resource) => resource.group === group && resource.version === version)
  if (served.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: groupVersion(group, version),
    resources: served.flatMap(legacyResources),
  }
}

function legacyResources(resource: DiscoveredResource): readonly object[] {
  const namespaced = resource.scope === 'Namespaced'
  const main = {
    name: resource.plural,
    singularName: resource.singular,
    namespaced,
    kind: resource.kind,
    verbs: resource.verbs ?? VERBS,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
  }
  const status = {
    name: `${resource.plural}/status`,
    singularName: '',
    namespaced,
    kind: resource.kind,
    verbs: statusVerbs(resource),
  }
  const others = (resource.subresources ?? []).map(({ name, kind, verbs }) => ({
    name: `${resource.plural}/${name}`,
    singularName: '',
    namespaced,
    group: kind.group,
    version: kind.version,
    kind: kind.kind,
    verbs,
  }))
  return [main, ...(resource.hasStatus ? [status] : []), ...others]
}

type Group = {
  readonly name: string
  readonly versions: { readonly version: string; readonly resources: DiscoveredResource[] }[]
}

/** Groups and their versions in the order in which the resources name them first. */
function groupsOf(resources: readonly DiscoveredResource[]): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const resource of resources) {
    const group = groups.get(resource.group) ?? { name: resource.group, versions: [] }
    groups.set(resource.group, group)
    const version = group.versions.find((each) => each.version === resource.version)
    if (version) version.resources.push(resource)
    else group.versions.push({ version: resource.version, resources: [resource] })
  }
  return [...groups.values()]
}
