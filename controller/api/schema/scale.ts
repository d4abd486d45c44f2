/** Says what is wrong with the numbers that a kind's scale reads, as Kubernetes does besides the schema. Pure. */
import type { Cause } from '../errors.ts'
import type { Json } from '../object.ts'
import type { ScalePaths } from '../resource.ts'
import { isList, isObject, own } from './json.ts'
import { cause } from './validate.ts'

const REPLICAS_MAX = 2_147_483_647

/** Each number of replicas must be an int32 ≥ 0; one that is not there is fine. The field has a dot in front, as there. */
export const scaleCauses = (paths: ScalePaths, object: unknown): readonly Cause[] =>
  [paths.specReplicasPath, paths.statusReplicasPath].flatMap((path) => {
    const wrong = wrongReplicas(path, object)
    return wrong === undefined ? [] : [cause('FieldValueInvalid', path, `Invalid value: ${wrong}`)]
  })

function wrongReplicas(path: string, object: unknown): string | undefined {
  const names = path.split('.').slice(1)
  // A parsed body or a stored object: JSON.
  let value = object as Json | undefined
  for (const [at, name] of names.entries()) {
    if (value === undefined || value === null) return undefined
    if (!isObject(value))
      return `0: .${names.slice(0, at + 1).join('.')} accessor error: ${sayValue(value)} is of the type ${goType(value)}, expected map[string]interface{}`
    value = own(value, name)
  }
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isInteger(value))
    return `0: ${path} accessor error: ${sayValue(value)} is of the type ${goType(value)}, expected int64`
  if (value < 0) return `${value}: should be a non-negative integer`
  return value > REPLICAS_MAX ? `${value}: should be less than or equal to ${REPLICAS_MAX}` : undefined
}

const VALUE_CHARS_MAX = 100

const sayValue = (value: Json): string =>
  value === null ? '<nil>' : (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, VALUE_CHARS_MAX)

function goType(value: Json): string {
  if (value === null) return '<nil>'
  if (isList(value)) return '[]interface {}'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  if (typeof value === 'boolean') return 'bool'
  return typeof value === 'string' ? 'string' : 'map[string]interface {}'
}
