/** Built-in collections that we have nothing in, but that clients list and would fail without. Pure. */
import type { DiscoveredResource } from './discovery.ts'
import { groupVersion } from './discovery.ts'

/** core/v1 Service: `kubectl cluster-info` lists those of kube-system. Not watchable, so that nobody mirrors it. */
export const EMPTY_COLLECTIONS: readonly DiscoveredResource[] = [
  {
    group: '',
    version: 'v1',
    kind: 'Service',
    plural: 'services',
    singular: 'service',
    shortNames: ['svc'],
    categories: [],
    scope: 'Namespaced',
    hasStatus: false,
    verbs: ['get', 'list'],
  },
]

/** The list of such a collection at a revision of the store. */
export const emptyList = (of: DiscoveredResource, resourceVersion: string): object => ({
  kind: `${of.kind}List`,
  apiVersion: groupVersion(of.group, of.version),
  metadata: { resourceVersion },
  items: [],
})
