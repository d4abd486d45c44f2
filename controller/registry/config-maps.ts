/** core/v1 ConfigMap: what it is, how its body is read, and what is wrong with one. Pure. */
import type { Cause } from '../api/errors.ts'
import { asJson, type JsonObject, type KubeObject } from '../api/object.ts'
import { jsonEqual } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import {
  BAG_BYTES_MAX,
  bagBytes,
  bagMember,
  immutableCauses,
  invalidField,
  keyCauses,
  readBytes,
  readScalar,
  readText,
  storedBag,
  tooLongField,
  type Bag,
  type Faults,
} from './bags.ts'

/** core/v1 ConfigMap: settings by key. */
export const configMapResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  categories: [],
  scope: 'Namespaced',
  description: 'ConfigMap holds settings, at most 1 MiB; what is confidential belongs into a Secret.',
  shape: {
    type: 'object',
    properties: {
      binaryData: {
        type: 'object',
        description: 'Values that are no UTF-8 text, in base64 by key. No key is in data too.',
        additionalProperties: { type: 'string', format: 'byte' },
      },
      data: {
        type: 'object',
        description: 'Values as text by key. A key has letters, digits, “-”, “_” and “.”.',
        additionalProperties: { type: 'string' },
      },
      immutable: {
        type: 'boolean',
        description: 'If true, data and binaryData cannot be changed any more, nor can this; only metadata can.',
      },
    },
  },
  hasStatus: false,
  columns: [
    {
      name: 'Data',
      type: 'integer',
      jsonPath: '.data',
      counts: ['.data', '.binaryData'],
      description: 'How many keys it has.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  selectableFields: [],
}

/** The content of a body as its Go type would have it. */
export function readConfigMap(content: JsonObject, faults: Faults): JsonObject {
  const { data, binaryData, immutable, ...rest } = content
  const locked = readScalar(immutable, { name: 'ConfigMap.immutable', type: 'boolean', goType: 'bool' }, faults)
  return {
    ...rest,
    ...bagMember('data', readText(data, 'ConfigMap.data', faults)),
    ...bagMember('binaryData', readBytes(binaryData, 'ConfigMap.binaryData', faults)),
    ...(locked === undefined ? {} : { immutable: locked }),
  }
}

/** What is wrong with a config map, or with a change of one. */
export function configMapCauses(object: KubeObject, live: KubeObject | undefined): readonly Cause[] {
  const content = asJson(object)
  const data = storedBag(content['data'])
  const binaryData = storedBag(content['binaryData'])
  const size = bagBytes(data, 'utf8') + bagBytes(binaryData, 'base64')
  return [
    ...(live === undefined ? [] : changeFaults(asJson(live), content)),
    ...keyCauses('data', data),
    ...alsoIn('data', data, ['binaryData', binaryData]),
    ...keyCauses('binaryData', binaryData),
    ...alsoIn('binaryData', binaryData, ['data', data]),
    // As in Kubernetes, the size is that of the whole object: the field is empty.
    ...(size > BAG_BYTES_MAX ? [tooLongField('')] : []),
  ]
}

const changeFaults = (live: JsonObject, content: JsonObject): readonly Cause[] =>
  immutableCauses(live, content, (field) => jsonEqual(live[field], content[field]), ['data', 'binaryData'])

const alsoIn = (field: string, bag: Bag, [otherField, other]: readonly [string, Bag]): readonly Cause[] =>
  [...bag.keys()]
    .filter((key) => other.has(key))
    .map((key) => invalidField(`${field}[${key}]`, key, `duplicate of key present in ${otherField}`))
