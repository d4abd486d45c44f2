/** What a kind is: names, scope, schemas, columns and rules in one value, from which everything else is generated. Pure. */
import type { z } from 'zod'
import type { KubeObject } from './object.ts'
import type { ScalePaths, SubresourceDefinition } from './resource.ts'

/** The API group of every kind of the product. */
export const GROUP = 'sprites.highera.com'
/** The version of that group. */
export const VERSION = 'v1alpha1'
/** Group and version, as objects carry it. */
export const API_VERSION = `${GROUP}/${VERSION}`

/** Whether objects of a kind lie in a tenant's namespace. */
export type Scope = 'Namespaced' | 'Cluster'

/** A printer column, as in a CustomResourceDefinition: `priority` ≥ 1 only shows with `-o wide`. */
export type Column = {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly jsonPath: string
  /** Paths that are tried in order where jsonPath meets nothing; for built-in kinds, a CustomResourceDefinition has none. */
  readonly orPaths?: readonly string[]
  /** Paths whose members are counted together instead of printing a value; for built-in kinds too. */
  readonly counts?: readonly string[]
  /** Makes the value of objects that no path can tell; for views too. */
  readonly cell?: (object: KubeObject) => string
  readonly priority?: number
  readonly description: string
}

/** A CEL rule on the whole object or on a part of the spec; see `x-kubernetes-validations`. */
export type CelRule = {
  /** Where the rule sits: '' is the object itself, 'spec' its spec. */
  readonly at: '' | 'spec'
  readonly rule: string
  readonly message: string
  /** The field that the error names, relative to `at`, such as '.agentType'. */
  readonly fieldPath?: string
}

/** What a kind is declared with. */
export type KindOptions<Spec extends z.ZodType, Status extends z.ZodType> = {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames?: readonly string[]
  readonly scope: Scope
  /** One sentence: what the kind declares. */
  readonly description: string
  readonly spec: Spec
  readonly status: Status
  readonly columns: readonly Column[]
  /** Field selectors beyond metadata.name and metadata.namespace, such as 'spec.agentType'. At most 8. */
  readonly selectableFields?: readonly string[]
  readonly rules?: readonly CelRule[]
  /** Actions that can be asked of an object, such as wake. */
  readonly actions?: readonly SubresourceDefinition[]
  /** Where its number of replicas stands, in its sense of the word. */
  readonly scale?: ScalePaths
  /** Every reason that a condition or event of the kind may carry, with the sentence for its documentation. */
  readonly reasons: Readonly<Record<string, string>>
}

/** A kind: what `defineKind` returns. Group and version are the product's own unless said otherwise. */
export type KindDefinition<Spec extends z.ZodType = z.ZodType, Status extends z.ZodType = z.ZodType> = Readonly<
  KindOptions<Spec, Status>
> & {
  readonly group: string
  readonly version: string
  readonly apiVersion: string
  readonly categories: readonly string[]
}

/** The object type of a kind. */
export type ObjectOf<K extends KindDefinition> = KubeObject<z.infer<K['spec']>, z.infer<K['status']>>
/** The spec type of a kind, after defaulting. */
export type SpecOf<K extends KindDefinition> = z.infer<K['spec']>
/** The status type of a kind. */
export type StatusOf<K extends KindDefinition> = z.infer<K['status']>

/** Declares a kind of the product's API group. All kinds are in the category `fleet`. */
export function defineKind<Spec extends z.ZodType, Status extends z.ZodType>(
  options: KindOptions<Spec, Status>,
): KindDefinition<Spec, Status> {
  return { ...options, group: GROUP, version: VERSION, apiVersion: API_VERSION, categories: ['fleet'] }
}

/** A kind of another group that we serve too, such as core/v1 Event; it has no schema of ours. */
export type ResourceIdentity = {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly scope: Scope
}

/** `plural.group`, or `plural` for the core group: the name of a collection in the store and of a CRD. */
export const resourceName = (kind: Pick<ResourceIdentity, 'group' | 'plural'>): string =>
  kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
