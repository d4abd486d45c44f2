/** The nearest known name of a misspelt one. */
import { describe, expect, it } from 'vitest'
import { editDistance, nearestName } from './nearest.ts'

describe('nearestName', () => {
  it.each([
    ['regionz', 'regions'],
    ['runpolicy', 'runPolicy'],
    ['agnetType', 'agentType'],
    ['idleTimeout', undefined],
    ['x', undefined],
    ['a'.repeat(100_000), undefined],
  ])('SC14 %.20s is nearest to %s', (name, expected) => {
    expect(nearestName(name, ['agentType', 'runPolicy', 'regions', 'idleTimeoutSeconds'])).toBe(expected)
  })

  it('SC14 counts a swap of neighbours as one edit', () => {
    expect(editDistance('agnet', 'agent')).toBe(1)
    expect(editDistance('', 'abc')).toBe(3)
    expect(editDistance('same', 'same')).toBe(0)
  })
})
