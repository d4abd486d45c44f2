/** What a built-in kind does on top of the common write path: a Namespace's phase and its spec.finalizers. Pure. */
import { resourceName } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'

/** The label that every namespace carries with its own name. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name'

/** How objects of a resource are completed and compared on writes. */
export type Strategy = {
  /** Completes an object that is about to be created. */
  prepareCreate(object: KubeObject): KubeObject
  /** Completes an object that is about to replace `live`. */
  prepareUpdate(object: KubeObject, live: KubeObject): KubeObject
  /** Completes an object that has just got its deletionTimestamp. */
  prepareDelete(object: KubeObject): KubeObject
  /** Whether something beside metadata.finalizers holds the object back from going. */
  isHeld(object: KubeObject): boolean
}

const COMMON: Strategy = {
  prepareCreate: (object) => object,
  prepareUpdate: (object) => object,
  prepareDelete: (object) => object,
  isHeld: () => false,
}

const specOf = (object: KubeObject): object => (isJsonObject(object.spec) ? object.spec : {})

/** spec.finalizers of a namespace: its contents hold it. */
export const namespaceFinalizers = (object: KubeObject): readonly unknown[] => {
  const finalizers = isJsonObject(object.spec) ? object.spec['finalizers'] : undefined
  return Array.isArray(finalizers) ? finalizers : []
}

const labelled = (object: KubeObject): KubeObject => ({
  ...object,
  metadata: {
    ...object.metadata,
    labels: { ...object.metadata.labels, [NAMESPACE_NAME_LABEL]: object.metadata.name },
  },
})

const NAMESPACE: Strategy = {
  prepareCreate: (object) => ({
    ...labelled(object),
    spec: { ...specOf(object), finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }),
  prepareUpdate: (object, live) => ({
    ...labelled(object),
    spec: { ...specOf(object), finalizers: namespaceFinalizers(live) },
  }),
  prepareDelete: (object) => ({ ...object, status: { ...statusOf(object), phase: 'Terminating' } }),
  isHeld: (object) => namespaceFinalizers(object).length > 0,
}

const statusOf = (object: KubeObject): object => (isJsonObject(object.status) ? object.status : {})

/** The strategy of a resource. */
export const strategyOf = (resource: ResourceDefinition): Strategy =>
  resourceName(resource) === 'namespaces' ? NAMESPACE : COMMON

/** Whether nothing holds a deleting object any more, so that it goes. */
export const mayGo = (resource: ResourceDefinition, object: KubeObject): boolean =>
  (object.metadata.finalizers ?? []).length === 0 && !strategyOf(resource).isHeld(object)
