/** Tests of the rules that a sprite's Redis user gets. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { channelsOf, DIALECTS, isAddressable, isPrefix, rulesOf, userPrefix, usernameOf } from './acl.ts'

const who = { tenant: 'acme', sprite: 'ed', uid: 'u-1', incarnation: 3 }

describe('rules of a user', () => {
  it('RB10 who has a name that means something in a rule gets none', () => {
    for (const evil of [
      '*',
      'a*',
      'ac?',
      '[a]',
      'a b',
      'a)',
      '(a',
      '>a',
      '&a',
      '~a',
      '',
      'A',
      'a/b',
      'a:b',
      'a_b',
      'a\n',
    ]) {
      expect(isAddressable({ ...who, tenant: evil }), evil).toBe(false)
      expect(isAddressable({ ...who, sprite: evil }), evil).toBe(false)
    }
    for (const uid of ['', 'a b', '*', 'x_y', 'u'.repeat(65)]) expect(isAddressable({ ...who, uid }), uid).toBe(false)
    for (const incarnation of [0, -1, 1.5, NaN, 2 ** 53]) expect(isAddressable({ ...who, incarnation })).toBe(false)
    for (const prefix of ['*', 'a*:', 'cp-1', 'a:b:', ' :']) expect(isPrefix(prefix), prefix).toBe(false)
    expect([isPrefix(''), isPrefix('cp-0123456789ab:')]).toEqual([true, true])
  })

  it('RB7 only its own three channels stand in the rules, whole, and no key', () => {
    for (const dialect of DIALECTS) {
      const rules = rulesOf(dialect, channelsOf('', who), 'secret')
      const channels = rules.join(' ').match(/&[^\s)]+/g)
      expect(channels?.toSorted()).toEqual([
        '&sprite:acme/ed:heartbeat',
        '&sprite:acme/ed:inbox',
        '&tenant:acme:broadcasts',
      ])
      expect(rules.join(' ')).not.toMatch(/~|\*|\+@|allkeys|allchannels|allcommands|nopass|#|\|/)
      expect(rules.indexOf('resetchannels')).toBeLessThan(rules.findIndex((rule) => rule.includes('&')))
    }
  })

  it('RB9 no two incarnations share a user, whatever their names', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,8}[a-z0-9])?$/)
    const one = fc.record({ tenant: label, sprite: label, uid: label, incarnation: fc.integer({ min: 1, max: 20 }) })
    fc.assert(
      fc.property(one, one, (a, b) => {
        const isSame = (Object.keys(a) as (keyof typeof a)[]).every((key) => a[key] === b[key])
        expect(usernameOf('cp:', a) === usernameOf('cp:', b)).toBe(isSame)
      }),
    )
    expect(usernameOf('cp:', who).startsWith(userPrefix('cp:'))).toBe(true)
    expect(usernameOf('cp:', who).startsWith(userPrefix('c:'))).toBe(false)
  })
})
