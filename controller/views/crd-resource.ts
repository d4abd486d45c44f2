/** The resource apiextensions.k8s.io/v1 CustomResourceDefinition: what clients look our kinds' definitions up by. Pure. */
import type { ResourceDefinition } from '../api/resource.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'

const text = (description: string): StructuralSchema => ({ type: 'string', description })
const flag = (description: string): StructuralSchema => ({ type: 'boolean', description })
const texts = (description: string): StructuralSchema => ({ type: 'array', description, items: { type: 'string' } })
const list = (description: string, properties: Readonly<Record<string, StructuralSchema>>): StructuralSchema => ({
  type: 'array',
  description,
  items: { type: 'object', properties },
})
const open = (description: string): StructuralSchema => ({
  type: 'object',
  description,
  'x-kubernetes-preserve-unknown-fields': true,
})

const NAMES: StructuralSchema = {
  type: 'object',
  description: 'The names by which the kind goes.',
  properties: {
    categories: texts('Groups of resources that it belongs to, such as fleet.'),
    kind: text('The name of the kind, in CamelCase.'),
    listKind: text('The name of the kind of its lists.'),
    plural: text('The name in paths.'),
    shortNames: texts('Abbreviations.'),
    singular: text('The name of one.'),
  },
}

const VERSION: Readonly<Record<string, StructuralSchema>> = {
  name: text('The version, such as v1alpha1.'),
  served: flag('Whether it is served.'),
  storage: flag('Whether objects are stored in it.'),
  additionalPrinterColumns: list('What kubectl get prints.', {
    name: text('The head of the column.'),
    type: text('The type of its values.'),
    jsonPath: text('Where in an object the value is.'),
    description: text('What it shows.'),
    priority: { type: 'integer', description: 'From 1 on it is shown with -o wide alone.' },
  }),
  selectableFields: list('Fields that a field selector may name.', { jsonPath: text('Where in an object it is.') }),
  subresources: open('Which subresources it has.'),
  schema: {
    type: 'object',
    description: 'What its objects look like.',
    properties: { openAPIV3Schema: open('The schema, as in OpenAPI v3.') },
  },
}

const SPEC: StructuralSchema = {
  type: 'object',
  description: 'What the definition says.',
  properties: {
    group: text('The API group of the kind.'),
    names: NAMES,
    scope: text('Namespaced or Cluster.'),
    conversion: {
      type: 'object',
      description: 'How objects of one version become those of another.',
      properties: { strategy: text('None: there is one version.') },
    },
    versions: list('The versions of the kind.', VERSION),
  },
}

const STATUS: StructuralSchema = {
  type: 'object',
  description: 'What has become of the definition.',
  properties: {
    acceptedNames: NAMES,
    storedVersions: texts('Versions in which objects may be stored.'),
    conditions: list('Whether its names are taken and whether it is served.', {
      type: text('NamesAccepted or Established.'),
      status: text('True, False or Unknown.'),
      reason: text('Why, as one word.'),
      message: text('Why, as a sentence.'),
      lastTransitionTime: { type: 'string', format: 'date-time', description: 'Since when.' },
    }),
  },
}

/** Read and watched; what is created or applied is compared with what is there and not taken. */
export const crdResource: ResourceDefinition = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  scope: 'Cluster',
  description: 'The definition of a kind that this control plane serves. All of them are built in.',
  schema: {
    type: 'object',
    description: 'The definition of a kind that this control plane serves. All of them are built in.',
    properties: { spec: SPEC, status: STATUS },
  },
  hasStatus: false,
  columns: [
    {
      name: 'Created At',
      type: 'string',
      jsonPath: '.metadata.creationTimestamp',
      description: 'When it was created.',
    },
  ],
  selectableFields: [],
  verbs: ['create', 'get', 'list', 'patch', 'watch'],
}
