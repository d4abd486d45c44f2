/** How many objects of each kind a tenant may have. */
import { describe, expect, test } from 'vitest'
import { objectLimits } from './object-limits.ts'

describe('object limits', () => {
  test('QT7 an operator sets others; what names no limit is refused with those that there are', () => {
    const limits = objectLimits('work=7, secrets=0,bytes=123456789012')
    expect(limits.ok && limits.value.counts.get('work.sprites.highera.com')).toBe(7)
    expect(limits.ok && limits.value.counts.get('secrets')).toBe(0)
    expect(limits.ok && limits.value.counts.get('users.sprites.highera.com')).toBe(5_000)
    expect(limits.ok && limits.value.bytesMax).toBe(123_456_789_012)
    for (const bad of ['work', 'plans=1', 'work=-1', 'work=1e3', 'work=99999999', '__proto__=1', 'work=1;users=2'])
      expect(objectLimits(bad), bad).toMatchObject({ ok: false, error: expect.stringContaining('accesstokens') })
  })
})
