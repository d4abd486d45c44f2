/** The OpenAPI models of the served kinds and of the metadata that they share. Pure. */
import type { StructuralSchema } from '../api/schema/structural.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** The package of the shared metadata models; Terraform looks ObjectMeta up by this very name. */
export const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'

/** The model name of a kind: its group with the labels reversed. Never with a slash: Argo CD dies of one. */
export function modelName(resource: Pick<ResourceDefinition, 'group' | 'version' | 'kind'>): string {
  if (resource.group === '') return `io.k8s.api.core.${resource.version}.${resource.kind}`
  if (!resource.group.includes('.')) return `io.k8s.api.${resource.group}.${resource.version}.${resource.kind}`
  const reversed = resource.group.split('.').reverse().join('.')
  return `${reversed}.${resource.version}.${resource.kind}`
}

const API_VERSION_TEXT =
  'APIVersion defines the versioned schema of this representation of an object: the group and version of its kind.'
const KIND_TEXT = 'Kind is the name of the kind that this object is of, in CamelCase.'

/** The model of a kind, with metadata as a reference and its group, version and kind. `prefix` is where models lie. */
export function kindModel(
  resource: Pick<ResourceDefinition, 'group' | 'version' | 'kind' | 'description' | 'schema' | 'shape'>,
  prefix: string,
): object {
  const schema = resource.schema ?? resource.shape
  return {
    type: 'object',
    description: resource.description,
    ...(schema ? {} : { 'x-kubernetes-preserve-unknown-fields': true }),
    ...(schema?.required ? { required: schema.required } : {}),
    properties: {
      apiVersion: { type: 'string', description: API_VERSION_TEXT },
      kind: { type: 'string', description: KIND_TEXT },
      metadata: reference(prefix, 'ObjectMeta', 'Name, namespace, labels and what the server notes of the object.'),
      ...restOf(schema),
    },
    ...(schema?.['x-kubernetes-validations'] ? { 'x-kubernetes-validations': schema['x-kubernetes-validations'] } : {}),
    'x-kubernetes-group-version-kind': [gvk(resource)],
  }
}

const OWN_MEMBERS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

const restOf = (schema: StructuralSchema | undefined): object =>
  Object.fromEntries(Object.entries(schema?.properties ?? {}).filter(([name]) => !OWN_MEMBERS.has(name)))

/** The model of a list of a kind. */
export const listModel = (resource: ResourceDefinition, prefix: string): object => ({
  type: 'object',
  description: `${resource.kind}List is a list of ${resource.kind}.`,
  required: ['items'],
  properties: {
    apiVersion: { type: 'string', description: API_VERSION_TEXT },
    kind: { type: 'string', description: KIND_TEXT },
    metadata: reference(prefix, 'ListMeta', 'What the server notes of the list.'),
    items: { type: 'array', description: 'The objects.', items: { $ref: `${prefix}${modelName(resource)}` } },
  },
  'x-kubernetes-group-version-kind': [{ ...gvk(resource), kind: `${resource.kind}List` }],
})

/** {group, version, kind}, as OpenAPI extensions want it. */
export const gvk = (
  resource: Pick<ResourceDefinition, 'group' | 'version' | 'kind'>,
): { group: string; kind: string; version: string } => ({
  group: resource.group,
  kind: resource.kind,
  version: resource.version,
})

const reference = (prefix: string, name: string, description: string): object =>
  // OpenAPI v2 knows no siblings of $ref, so its models carry the bare reference.
  prefix.startsWith('#/definitions')
    ? { $ref: `${prefix}${META}.${name}`, description }
    : { description, allOf: [{ $ref: `${prefix}${META}.${name}` }], default: {} }

const text = (description: string): object => ({ type: 'string', description })
const time = (description: string): object => ({ type: 'string', format: 'date-time', description })
const textMap = (description: string): object => ({
  type: 'object',
  description,
  additionalProperties: { type: 'string' },
})

/** The shared metadata models, by full name; every reference in them resolves among them. */
export const metaModels = (prefix: string): Readonly<Record<string, object>> => ({
  [`${META}.ObjectMeta`]: {
    type: 'object',
    description: 'ObjectMeta is the metadata that every stored object has.',
    properties: {
      annotations: textMap('Notes of tools and people; not for selecting.'),
      creationTimestamp: time('When the object was created; set by the server.'),
      deletionGracePeriodSeconds: { type: 'integer', format: 'int64', description: 'Set by the server on deletion.' },
      deletionTimestamp: time('When deletion was asked for; set by the server.'),
      finalizers: {
        type: 'array',
        description: 'What must be done before the object may go; the last one removed lets it go.',
        items: { type: 'string' },
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-patch-strategy': 'merge',
      },
      generateName: text('A prefix from which the server makes a unique name when name is empty.'),
      generation: { type: 'integer', format: 'int64', description: 'Counts changes of the desired state.' },
      labels: textMap('Keys and values by which objects are selected.'),
      managedFields: {
        type: 'array',
        description: 'Who set which fields; kept by the server.',
        items: { $ref: `${prefix}${META}.ManagedFieldsEntry` },
        'x-kubernetes-list-type': 'atomic',
      },
      name: text('Name, unique within its namespace and kind; it cannot be changed.'),
      namespace: text('The namespace that holds the object: its tenant; it cannot be changed.'),
      ownerReferences: {
        type: 'array',
        description: 'Objects that this one depends on; it goes when all of them are gone.',
        items: { $ref: `${prefix}${META}.OwnerReference` },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['uid'],
        'x-kubernetes-patch-merge-key': 'uid',
        'x-kubernetes-patch-strategy': 'merge',
      },
      resourceVersion: text('Moves with every change; send it back to be refused when someone else wrote meanwhile.'),
      selfLink: text('Not used any more.'),
      uid: text('Unique in time and space; set by the server.'),
    },
  },
  [`${META}.ListMeta`]: {
    type: 'object',
    description: 'ListMeta is the metadata of a list.',
    properties: {
      continue: text('Token for the next page; absent on the last one.'),
      remainingItemCount: { type: 'integer', format: 'int64', description: 'How many objects follow this page.' },
      resourceVersion: text('The version of the snapshot; a watch may start from it.'),
      selfLink: text('Not used any more.'),
    },
  },
  [`${META}.OwnerReference`]: {
    type: 'object',
    description: 'OwnerReference names an object that this one depends on.',
    required: ['apiVersion', 'kind', 'name', 'uid'],
    properties: {
      apiVersion: text('Group and version of the owner.'),
      blockOwnerDeletion: {
        type: 'boolean',
        description: 'Whether the owner waits for this object on foreground deletion.',
      },
      controller: { type: 'boolean', description: 'Whether this owner manages the object.' },
      kind: text('Kind of the owner.'),
      name: text('Name of the owner.'),
      uid: text('Uid of the owner.'),
    },
    'x-kubernetes-map-type': 'atomic',
  },
  [`${META}.ManagedFieldsEntry`]: {
    type: 'object',
    description: 'ManagedFieldsEntry says which fields one manager set.',
    properties: {
      apiVersion: text('Version that the fields belong to.'),
      fieldsType: text('FieldsV1.'),
      fieldsV1: { type: 'object', description: 'The set of fields.' },
      manager: text('Who set them.'),
      operation: text('Apply or Update.'),
      subresource: text('Through which subresource.'),
      time: time('When the entry last changed.'),
    },
  },
})
