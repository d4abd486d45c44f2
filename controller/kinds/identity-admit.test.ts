/** Tests of admission for names of people: nobody takes, or answers by, a name that is somebody else's. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { admitLines, allPlans, reviewOf, tenantOf, userOf, workOf, type AdmitCase } from './object-builders.ts'
import { ADMISSIONS } from './index.ts'

const admit = (given: AdmitCase<KubeObject>): readonly string[] => {
  const admission = ADMISSIONS.get(given.object.kind)
  return admission === undefined ? ['no admission'] : admitLines(admission, given)
}

const world = [tenantOf(), ...allPlans(), workOf('w1')]
const answeredBy = (by: string | undefined, comment = 'good') =>
  reviewOf('r', { spec: { answer: { verdict: 'Approved', comment, ...(by === undefined ? {} : { by }) } } })
const FORGED = [
  'Forbidden spec.answer.by: Cannot answer as "boss@x.test": you are "ada@acme.test"; write your own name, or leave answer.by out',
]

describe('the name under an answer', () => {
  test('AD72 is not somebody else’s: not of a new review, not of one that is there', () => {
    expect(admit({ object: answeredBy('boss@x.test'), world })).toEqual(FORGED)
    expect(admit({ object: answeredBy('boss@x.test'), old: reviewOf('r'), world })).toEqual(FORGED)
  })

  test('AD72 does not cover another answer than the one that was given under it', () => {
    const given = answeredBy('boss@x.test')
    expect(admit({ object: answeredBy('boss@x.test', 'bad'), old: given, world })).toEqual(FORGED)
    const asked = { ...given, spec: { ...given.spec, question: 'Again?' } }
    expect(admit({ object: asked, old: given, world })).toEqual([])
  })

  test('AD72 AD94 is the writer’s own, or none, or what the control plane says', () => {
    expect(admit({ object: answeredBy('ada@acme.test'), old: reviewOf('r'), world })).toEqual([])
    expect(admit({ object: answeredBy(undefined), old: reviewOf('r'), world })).toEqual([])
    expect(admit({ object: answeredBy('boss@x.test'), old: reviewOf('r'), world, isController: true })).toEqual([])
  })
})

describe('an e-mail address', () => {
  test.each([
    ['a control character', 'a\u001b[31m@x.test', 'characters that are not seen'],
    ['NUL', 'a\u0000@x.test', 'characters that are not seen'],
    ['text turned around', 'a\u202eb@x.test', 'characters that are not seen'],
    ['a space of no width', 'ada\u200b@x.test', 'characters that are not seen'],
    ['half a character', 'a\ud800@x.test', 'characters that are not seen'],
    ['a name of the system', 'System:masters@x.test', 'the control plane’s own'],
    ['a Kelvin sign', '\u212aate@x.test', 'a letter that turns into another'],
  ])('AD21 with %s is refused', (_, email, why) => {
    const lines = admit({ object: userOf('u', { spec: { email } }), world })
    expect(lines).toEqual([expect.stringContaining(why)])
    expect(lines.join()).not.toMatch(/[\p{Cc}\u202e\u200b]/u)
  })

  test('AD21 that is there is not judged again, one that takes its place by case is', () => {
    const odd = userOf('u', { spec: { email: '\u212aate@x.test' } })
    const kept = { ...odd, spec: { ...odd.spec, role: 'viewer' } }
    expect(admit({ object: kept, old: odd, world })).toEqual([])
    const plain = userOf('u', { spec: { email: 'kate@x.test' } })
    expect(admit({ object: odd, old: plain, world })).toHaveLength(1)
  })

  test('AD21 of any script, with a plus or a dot, is taken', () => {
    for (const email of ['a.b+c@x.test', 'günther@bücher.example', '山田@例え.jp'])
      expect(admit({ object: userOf('u', { spec: { email } }), world })).toEqual([])
  })
})
