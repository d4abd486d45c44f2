/** The built-in Kubernetes resources that we serve: Namespace, Event and Lease, kept as they are sent, Secret, ConfigMap. Pure. */
import type { Admission } from '../api/admission.ts'
import { OWN_NAMESPACES } from '../api/namespaces.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { configMapResource } from './config-maps.ts'
import { secretResource } from './secrets.ts'

/** AD95: with those of its own the control plane would lose events and the tokens of its admins until its next start. */
const namespaceAdmission: Admission = {
  needs: () => [],
  admit: ({ operation, object }) =>
    operation === 'DELETE' && OWN_NAMESPACES.has(object.metadata.name)
      ? [{ reason: 'Forbidden', field: 'metadata.name', message: 'this namespace may not be deleted' }]
      : [],
}

/** core/v1 Namespace: one a tenant. Deleting it deletes what is in it. */
export const namespaceResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  scope: 'Cluster',
  description: 'A tenant’s room: everything that it owns lies in the namespace of its name.',
  hasStatus: true,
  columns: [
    {
      name: 'Status',
      type: 'string',
      jsonPath: '.status.phase',
      description: 'Active, or Terminating while its contents go.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  selectableFields: ['status.phase'],
  admission: namespaceAdmission,
}

/** core/v1 Event: what has happened, for operators. */
export const eventResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  categories: [],
  scope: 'Namespaced',
  description: 'Something that has happened to an object; kept for an hour.',
  hasStatus: false,
  columns: [
    {
      name: 'Last Seen',
      type: 'date',
      jsonPath: '.lastTimestamp',
      // Those of new-style recorders have no lastTimestamp.
      orPaths: ['.series.lastObservedTime', '.eventTime', '.metadata.creationTimestamp'],
      description: 'When it happened last.',
    },
    { name: 'Type', type: 'string', jsonPath: '.type', description: 'Normal or Warning.' },
    { name: 'Reason', type: 'string', jsonPath: '.reason', description: 'Why, as one word.' },
    {
      name: 'Kind',
      type: 'string',
      jsonPath: '.involvedObject.kind',
      description: 'Kind of the object that it is about.',
    },
    { name: 'Object', type: 'string', jsonPath: '.involvedObject.name', description: 'The object that it is about.' },
    { name: 'Message', type: 'string', jsonPath: '.message', description: 'What happened.' },
    { name: 'Count', type: 'integer', priority: 1, jsonPath: '.count', description: 'How often it happened.' },
  ],
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
}

/** coordination.k8s.io/v1 Lease: who leads. */
export const leaseResource: ResourceDefinition = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  shortNames: [],
  categories: [],
  scope: 'Namespaced',
  description: 'Who holds the lead of something, and until when.',
  hasStatus: false,
  columns: [
    { name: 'Holder', type: 'string', jsonPath: '.spec.holderIdentity', description: 'Who holds it.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  selectableFields: [],
}

/** All built-in resources, in order of discovery. */
export const CORE_RESOURCES: readonly ResourceDefinition[] = [
  namespaceResource,
  eventResource,
  secretResource,
  configMapResource,
  leaseResource,
]
