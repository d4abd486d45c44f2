/** Shows core/v1 Service as a collection that stays empty: clients list it, and would fail without. */
import type { Clock } from '../../system/clock.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { View } from '../registry/views.ts'
import { fixedCollection } from './fixed-collection.ts'

/** `kubectl cluster-info` lists those of kube-system. */
export const serviceResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  scope: 'Namespaced',
  description: 'A name for a set of Pods. There are none: nothing reaches a sprite from outside.',
  hasStatus: false,
  columns: [
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  selectableFields: [],
  verbs: ['get', 'list', 'watch'],
}

/** The view of no Services. */
export const serviceView = (clock: Clock): View => fixedCollection({ resource: serviceResource, objects: [], clock })
