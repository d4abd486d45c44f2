/** core/v1 Secret: what it is, how its body is read, and what is wrong with one. Pure. */
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
  requiredField,
  storedBag,
  tooLongField,
  type Bag,
  type Faults,
} from './bags.ts'

const TYPE_TEXT =
  'What the secret is for: Opaque (the default), kubernetes.io/tls, kubernetes.io/basic-auth and so on. It cannot be changed.'

/** core/v1 Secret: keys and other confidences, encrypted where they are stored. */
export const secretResource: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  shortNames: [],
  categories: [],
  scope: 'Namespaced',
  description: 'Secret holds confidential data, at most 1 MiB; it is encrypted where it is stored.',
  shape: {
    type: 'object',
    properties: {
      data: {
        type: 'object',
        description: 'The secret data: values in base64 by key. A key has letters, digits, “-”, “_” and “.”.',
        additionalProperties: { type: 'string', format: 'byte' },
      },
      immutable: {
        type: 'boolean',
        description: 'If true, data cannot be changed any more, nor can this; only metadata can.',
      },
      stringData: {
        type: 'object',
        description:
          'Values as plain text, for writing alone: they are merged into data, over what is there, and never given out.',
        additionalProperties: { type: 'string' },
      },
      type: { type: 'string', description: TYPE_TEXT },
    },
  },
  hasStatus: false,
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.type', description: TYPE_TEXT },
    { name: 'Data', type: 'integer', jsonPath: '.data', counts: ['.data'], description: 'How many keys it has.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  selectableFields: ['type'],
}

/** The content of a body as its Go type would have it: stringData in data, base64 in its canonical form. */
export function readSecret(content: JsonObject, faults: Faults): JsonObject {
  const { data, stringData, type, immutable, ...rest } = content
  const bytes = readBytes(data, 'Secret.data', faults)
  const text = readText(stringData, 'Secret.stringData', faults)
  const typeName = readScalar(type, { name: 'Secret.type', type: 'string', goType: 'v1.SecretType' }, faults)
  const locked = readScalar(immutable, { name: 'Secret.immutable', type: 'boolean', goType: 'bool' }, faults)
  const encoded = [...text].map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const)
  return {
    ...rest,
    ...bagMember('data', new Map([...bytes, ...encoded])),
    ...(locked === undefined ? {} : { immutable: locked }),
    ...(typeName === undefined || typeName === '' ? {} : { type: typeName }),
  }
}

/** The secret with its default type. */
export const withSecretType = (object: KubeObject): KubeObject => {
  const typed = { type: 'Opaque', ...object }
  return typed
}

/** What is wrong with a secret, or with a change of one. */
export function secretCauses(object: KubeObject, live: KubeObject | undefined): readonly Cause[] {
  const content = asJson(object)
  const data = storedBag(content['data'])
  const type = typeOf(content)
  return [
    ...(live === undefined ? [] : changeFaults(asJson(live), content)),
    ...keyCauses('data', data),
    ...(bagBytes(data, 'base64') > BAG_BYTES_MAX ? [tooLongField('data')] : []),
    ...missingKeys(type, data),
    ...jsonFaults(type, data),
    ...accountFaults(type, object),
  ]
}

const typeOf = ({ type }: JsonObject): string => (typeof type === 'string' ? type : '')

function changeFaults(live: JsonObject, content: JsonObject): readonly Cause[] {
  const isSame = (field: string): boolean => jsonEqual(live[field], content[field])
  const type = isSame('type') ? [] : [invalidField('type', typeOf(content), 'field is immutable')]
  return [...type, ...immutableCauses(live, content, isSame, ['data'])]
}

/** The keys that a type needs. */
function missingKeys(type: string, data: Bag): readonly Cause[] {
  const without = (...keys: readonly string[]): readonly Cause[] =>
    keys.filter((key) => !data.has(key)).map((key) => requiredField(`data[${key}]`))
  switch (type) {
    case 'kubernetes.io/tls':
      return without('tls.crt', 'tls.key')
    case 'kubernetes.io/dockercfg':
      return without('.dockercfg')
    case 'kubernetes.io/dockerconfigjson':
      return without('.dockerconfigjson')
    case 'kubernetes.io/ssh-auth':
      return (data.get('ssh-privatekey') ?? '') === '' ? [requiredField('data[ssh-privatekey]')] : []
    case 'kubernetes.io/basic-auth':
      return data.has('username') || data.has('password') ? [] : without('username', 'password')
    default:
      return []
  }
}

const JSON_KEYS: ReadonlyMap<string, string> = new Map([
  ['kubernetes.io/dockercfg', '.dockercfg'],
  ['kubernetes.io/dockerconfigjson', '.dockerconfigjson'],
])

function jsonFaults(type: string, data: Bag): readonly Cause[] {
  const key = JSON_KEYS.get(type)
  const value = key === undefined ? undefined : data.get(key)
  if (value === undefined || isJsonMap(Buffer.from(value, 'base64').toString())) return []
  // What a parser says of it would quote it.
  return [invalidField(`data[${key}]`, '<secret contents redacted>', 'it is not a JSON object')]
}

function isJsonMap(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && !Array.isArray(value)
  } catch {
    return false
  }
}

const ACCOUNT = 'kubernetes.io/service-account.name'

const accountFaults = (type: string, object: KubeObject): readonly Cause[] =>
  type === 'kubernetes.io/service-account-token' && (object.metadata.annotations?.[ACCOUNT] ?? '') === ''
    ? [requiredField(`metadata.annotations[${ACCOUNT}]`)]
    : []
