/** Tests of what a machine is made from, and when it counts as another. */
import { expect, test } from 'vitest'
import { spriteOf } from '../object-builders.ts'
import { machineConfig } from './machine-spec.ts'
import { TEST_LIMITS } from './world-builder.ts'

const DEFAULTS = { image: 'sprite:1', regions: ['iad'] }
const hashOf = (spec: Parameters<typeof spriteOf>[1], limits = TEST_LIMITS): string =>
  machineConfig(spriteOf('a', spec), limits, DEFAULTS).specHash

test('SPR14 image, guest and regions make another machine, a plan with other retention does not', () => {
  const guest = { cpuKind: 'shared' as const, cpus: 1, memoryMb: 256 }
  const before = hashOf({})
  expect(hashOf({ spec: { guest } })).not.toBe(before)
  expect(hashOf({ spec: { image: 'sprite:2' } })).not.toBe(before)
  expect(hashOf({ spec: { regions: ['ams'] } })).not.toBe(before)
  expect(hashOf({}, { ...TEST_LIMITS, guest })).not.toBe(before)
  expect(hashOf({}, { ...TEST_LIMITS, stoppedMachineRetentionSeconds: 3_600 })).toBe(before)
})

test('SPR14 a plan that keeps no stopped machines has the provider destroy them', () => {
  const kept = { ...TEST_LIMITS, stoppedMachineRetentionSeconds: 60 }
  expect(machineConfig(spriteOf('a'), TEST_LIMITS, DEFAULTS).autoDestroy).toBe(true)
  expect(machineConfig(spriteOf('a'), kept, DEFAULTS).autoDestroy).toBe(false)
})
