/** Makes the served resource, and its CustomResourceDefinition, out of a kind's definition. Pure. */
import { SCALE } from './actions.ts'
import type { Admission } from './admission.ts'
import type { CelRule, KindDefinition } from './define-kind.ts'
import { resourceName } from './define-kind.ts'
import type { ResourceDefinition } from './resource.ts'
import { fromZod } from './schema/from-zod.ts'
import type { StructuralSchema, ValidationRule } from './schema/structural.ts'

/** Schemas are the same for each use of a kind, and dear to make. */
const schemas = new WeakMap<KindDefinition, StructuralSchema>()

/** The resource of a kind: its schema is made once a kind, admission is added as given. */
export function resourceOf(kind: KindDefinition, admission?: Admission): ResourceDefinition {
  return {
    group: kind.group,
    version: kind.version,
    kind: kind.kind,
    plural: kind.plural,
    singular: kind.singular,
    shortNames: kind.shortNames ?? [],
    categories: kind.categories,
    scope: kind.scope,
    description: kind.description,
    schema: schemaOf(kind),
    hasStatus: true,
    columns: kind.columns,
    selectableFields: kind.selectableFields ?? [],
    ...subresourcesOf(kind),
    ...(admission === undefined ? {} : { admission }),
  }
}

function subresourcesOf({ actions = [], scale }: KindDefinition): Pick<ResourceDefinition, 'subresources' | 'scale'> {
  const subresources = [...actions, ...(scale === undefined ? [] : [SCALE])]
  return {
    ...(subresources.length === 0 ? {} : { subresources }),
    ...(scale === undefined ? {} : { scale }),
  }
}

/** The structural schema of a kind's whole object; the same value each time. */
export function schemaOf(kind: KindDefinition): StructuralSchema {
  const known = schemas.get(kind)
  if (known !== undefined) return known
  const made = objectSchema(kind)
  schemas.set(kind, made)
  return made
}

function objectSchema(kind: KindDefinition): StructuralSchema {
  const spec = fromZod(kind.spec)
  const isEmptySpec = spec.properties === undefined
  const rules = kind.rules ?? []
  return {
    type: 'object',
    description: kind.description,
    ...(isEmptySpec ? {} : { required: ['spec'] }),
    properties: {
      apiVersion: { type: 'string', description: 'Group and version of the schema that the object follows.' },
      kind: { type: 'string', description: `The kind of the object: ${kind.kind}.` },
      // A rule's fieldPath must name a declared field, and of metadata only the name may be declared.
      metadata: { type: 'object', properties: { name: { type: 'string' } } },
      spec: {
        description: 'What is declared; the control plane never writes it.',
        ...spec,
        ...(isEmptySpec ? { default: {} } : {}),
        ...validations(rules, 'spec'),
      },
      status: {
        description: 'What the control plane has found and done; users never write it.',
        ...fromZod(kind.status),
        // A new object must not pass for ready: kstatus compares this with metadata.generation.
        default: { observedGeneration: -1 },
      },
    },
    ...validations(rules, ''),
  }
}

function validations(rules: readonly CelRule[], at: CelRule['at']): StructuralSchema {
  const here = rules.filter((rule) => rule.at === at).map(ruleOf)
  return here.length === 0 ? {} : { 'x-kubernetes-validations': here }
}

const ruleOf = (rule: CelRule): ValidationRule => ({
  rule: rule.rule,
  message: rule.message,
  ...(rule.fieldPath === undefined ? {} : { fieldPath: rule.fieldPath }),
})

/**
 * The CustomResourceDefinition (apiextensions.k8s.io/v1) of a resource with a schema. `reasons` is the kind's
 * catalogue: it becomes the text of `kubectl explain KIND.status.conditions.reason`.
 */
export function crdOf(resource: ResourceDefinition, reasons: Readonly<Record<string, string>>) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: resourceName(resource) },
    spec: {
      group: resource.group,
      names: {
        categories: resource.categories,
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
        singular: resource.singular,
      },
      scope: resource.scope === 'Cluster' ? 'Cluster' : 'Namespaced',
      versions: [crdVersion(resource, reasons)],
    },
  }
}

function crdVersion(resource: ResourceDefinition, reasons: Readonly<Record<string, string>>) {
  return {
    name: resource.version,
    served: true,
    storage: true,
    additionalPrinterColumns: resource.columns.map((column) => ({ ...column })),
    ...(resource.selectableFields.length === 0
      ? {}
      : { selectableFields: resource.selectableFields.map((field) => ({ jsonPath: `.${field}` })) }),
    subresources: {
      ...(resource.hasStatus ? { status: {} } : {}),
      ...(resource.scale === undefined ? {} : { scale: resource.scale }),
    },
    schema: { openAPIV3Schema: withReasons(resource.schema ?? { type: 'object' }, reasons) },
  }
}

/** Writes the catalogue of reasons where `kubectl explain` shows it. */
function withReasons(schema: StructuralSchema, reasons: Readonly<Record<string, string>>): StructuralSchema {
  const status = schema.properties?.['status']
  const conditions = status?.properties?.['conditions']
  const reason = conditions?.items?.properties?.['reason']
  const lines = Object.entries(reasons).map(([name, text]) => `${name}: ${text}`)
  if (status === undefined || conditions?.items === undefined || reason === undefined || lines.length === 0)
    return schema
  const explained = { ...reason, description: [reason.description ?? '', ...lines].join('\n') }
  const items = { ...conditions.items, properties: { ...conditions.items.properties, reason: explained } }
  const conditionsExplained = { ...conditions, items }
  return {
    ...schema,
    properties: {
      ...schema.properties,
      status: { ...status, properties: { ...status.properties, conditions: conditionsExplained } },
    },
  }
}
