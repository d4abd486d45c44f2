/** What a built-in kind does on top of the common write path: a Namespace's phase, a Secret's bytes, what is wrong. Pure. */
import { resourceName } from '../api/define-kind.ts'
import type { Cause } from '../api/errors.ts'
import type { JsonObject, KubeObject } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Faults } from './bags.ts'
import { configMapCauses, readConfigMap } from './config-maps.ts'
import { readSecret, secretCauses, withSecretType } from './secrets.ts'

/** The label that every namespace carries with its own name. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name'

/** How objects of a resource are read, completed, judged and compared on writes. */
export type Strategy = {
  /** The content of a body as the kind's type has it; what cannot be read goes into `faults`. */
  read(content: JsonObject, faults: Faults): JsonObject
  /** What is wrong with an object that is to be created, or to replace `live`, besides metadata and schema. */
  causes(object: KubeObject, live: KubeObject | undefined): readonly Cause[]
  /** Bytes of an object's text at most. */
  readonly sizeBytesMax: number
  /** Completes an object that is about to be created. */
  prepareCreate(object: KubeObject): KubeObject
  /** Completes an object that is about to replace `live`. */
  prepareUpdate(object: KubeObject, live: KubeObject): KubeObject
  /** Completes an object that has just got its deletionTimestamp. */
  prepareDelete(object: KubeObject): KubeObject
  /** Whether something beside metadata.finalizers holds the object back from going. */
  isHeld(object: KubeObject): boolean
}

/** Bytes of an object's text at most. */
const OBJECT_BYTES_MAX = 1024 * 1024
/** A bag of 1 MiB grows by a third as base64, and its keys are told once more in managedFields. */
const BAG_OBJECT_BYTES_MAX = 2 * 1024 * 1024

const COMMON: Strategy = {
  read: (content) => content,
  causes: () => [],
  sizeBytesMax: OBJECT_BYTES_MAX,
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
  ...COMMON,
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

const SECRET: Strategy = {
  ...COMMON,
  read: readSecret,
  causes: secretCauses,
  sizeBytesMax: BAG_OBJECT_BYTES_MAX,
  prepareCreate: withSecretType,
  prepareUpdate: withSecretType,
}

const CONFIG_MAP: Strategy = {
  ...COMMON,
  read: readConfigMap,
  causes: configMapCauses,
  sizeBytesMax: BAG_OBJECT_BYTES_MAX,
}

const STRATEGIES: ReadonlyMap<string, Strategy> = new Map([
  ['namespaces', NAMESPACE],
  ['secrets', SECRET],
  ['configmaps', CONFIG_MAP],
])

/** The strategy of a resource. */
export const strategyOf = (resource: ResourceDefinition): Strategy => STRATEGIES.get(resourceName(resource)) ?? COMMON

/** Whether nothing holds a deleting object any more, so that it goes. */
export const mayGo = (resource: ResourceDefinition, object: KubeObject): boolean =>
  (object.metadata.finalizers ?? []).length === 0 && !strategyOf(resource).isHeld(object)
