/** Tests of what Kubernetes says of the numbers that a scale reads. */
import { expect, test } from 'vitest'
import type { Json } from '../object.ts'
import { scaleCauses } from './scale.ts'

const PATHS = { specReplicasPath: '.spec.config.max', statusReplicasPath: '.status.running' }

const FITS: readonly Json[] = [
  {},
  { spec: null },
  { spec: { config: {} } },
  { spec: { config: { max: 0 } }, status: { running: 3 } },
]
test.each(FITS)('SC60 %j is fine', (object) => {
  expect(scaleCauses(PATHS, object)).toEqual([])
})

test.each<readonly [Json, string, string]>([
  [{ spec: { config: { max: -1 } } }, '.spec.config.max', 'Invalid value: -1: should be a non-negative integer'],
  [
    { spec: { config: { max: 2_147_483_648 } } },
    '.spec.config.max',
    'Invalid value: 2147483648: should be less than or equal to 2147483647',
  ],
  [
    { spec: { config: { max: null } } },
    '.spec.config.max',
    'Invalid value: 0: .spec.config.max accessor error: <nil> is of the type <nil>, expected int64',
  ],
  [
    { status: [1.5] },
    '.status.running',
    'Invalid value: 0: .status.running accessor error: [1.5] is of the type []interface {}, expected map[string]interface{}',
  ],
])('SC60 %j is not', (object, field, message) => {
  expect(scaleCauses(PATHS, object)).toEqual([{ reason: 'FieldValueInvalid', field, message }])
})
