/** Tests of the decisions of Plan, User and Persona, of names and of changes. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCondition } from '../api/conditions.ts'
import { moved } from './changes.ts'
import { faultsOf } from './decision-checks.ts'
import { boundedName, hashedName, shortHash, suggestion } from './names.ts'
import { personaOf, planOf, TEST_NOW, userOf, workOf } from './object-builders.ts'
import { decidePersona } from './persona/decide.ts'
import { personaKind } from './persona/schema.ts'
import { decidePlan } from './plan/decide.ts'
import { planKind } from './plan/schema.ts'
import { statusPatch } from './status.ts'
import { decideUser } from './user/decide.ts'
import { userKind } from './user/schema.ts'

describe('a plan', () => {
  test('PL1 is in force and counts its tenants, and a second pass changes nothing', () => {
    const world = { plan: planOf('growth'), now: TEST_NOW, tenants: 3 }
    const { status } = decidePlan(world)
    expect(status).toMatchObject({ tenants: 3, observedGeneration: 1 })
    expect(faultsOf(planKind, status)).toEqual([])
    const later = decidePlan({ ...world, plan: planOf('growth', { status }), now: '2027-01-01T00:00:00Z' })
    expect(statusPatch(status, later.status)).toBeUndefined()
  })
})

describe('a user', () => {
  const at = (name: string, second: number) =>
    userOf(name, {
      metadata: { creationTimestamp: `2026-01-01T00:00:0${second}Z` },
      spec: { email: 'ada@acme.test' },
    })
  test('US1 of several with one address exactly the oldest is active', () => {
    const seconds = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(seconds, (drawn) => {
        const users = drawn.map((second, index) => at(`u${index}`, second))
        const decisions = users.map((user) =>
          decideUser({ user, now: TEST_NOW, namesakes: users.filter((other) => other !== user) }),
        )
        const reasons = decisions.map(({ status }) => findCondition(status.conditions, 'Ready')?.reason)
        expect(reasons.filter((reason) => reason === 'Active')).toHaveLength(1)
        expect(drawn[reasons.indexOf('Active')]).toBe(Math.min(...drawn))
        for (const { status } of decisions) expect(faultsOf(userKind, status)).toEqual([])
      }),
    )
  })
})

describe('a persona', () => {
  const decide = (isPlanned: boolean | undefined, mayHandOffTo: string[] = []) =>
    decidePersona({
      persona: personaOf('poet', { spec: { mayHandOffTo } }),
      now: TEST_NOW,
      digest: '0123456789abcdef0123',
      isPlanned,
      agentTypes: new Set(['editor', 'poet']),
    })
  const rows: Record<string, [ReturnType<typeof decide>, string]> = {
    'PE1 is in force where the plan has custom personas': [decide(true, ['editor']), 'True InForce'],
    'PE2 is stalled where it has not': [decide(false), 'False PlanForbids'],
    'PE3 is stalled when it may hand off to nobody': [decide(true, ['editor', 'nobody']), 'False UnknownHandOff'],
    'PE4 waits while tenant or plan are not there': [decide(undefined), 'False TenantNotReady'],
  }
  test.each(Object.entries(rows))('%s', (_, [{ status }, expected]) => {
    const ready = findCondition(status.conditions, 'Ready')
    expect(`${ready?.status} ${ready?.reason}`).toBe(expected)
    expect(status.revision).toBe('0123456789ab')
    expect(faultsOf(personaKind, status)).toEqual([])
  })
})

describe('names', () => {
  const labels = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,68}[a-z0-9])?$/)
  test('NM1 a bounded name is a DNS label within its bound, the same each time, and as given when it fits', () => {
    fc.assert(
      fc.property(labels, fc.integer({ min: 12, max: 63 }), (text, charsMax) => {
        const name = boundedName(text, charsMax)
        expect(name.length).toBeLessThanOrEqual(charsMax)
        expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
        expect(boundedName(text, charsMax)).toBe(name)
        if (text.length <= charsMax) expect(name).toBe(text)
        expect(hashedName(text, 'seed', charsMax)).toMatch(/-[0-9a-f]{8}$/)
      }),
    )
  })
  test('NM2 the hash is FNV-1a', () => {
    expect([shortHash(''), shortHash('a'), shortHash('foobar')]).toEqual(['811c9dc5', 'e40c292c', 'bf9cf968'])
  })
  test('NM3 a suggestion names at most three near names, or a few of what there is', () => {
    expect(suggestion('editr', ['editor', 'edit', 'director'])).toBe('did you mean "edit", "editor"?')
    expect(suggestion('zzz', [])).toBe('there is none')
    expect(suggestion('zzzzzz', ['a1', 'b', 'c', 'd', 'e', 'f'])).toBe('there is "a1", "b", "c", "d", "e" and 1 more')
  })
})

describe('changes', () => {
  const before = workOf('w', { status: { phase: 'Pending' } })
  const bump = { ...before, metadata: { ...before.metadata, resourceVersion: '2' } }
  test('NM4 what is new or gone has nothing before it, and wakes; so does the beginning of a deletion', () => {
    expect(moved(before, undefined, () => 0)).toBe(true)
    const going = workOf('w', { metadata: { ...before.metadata, deletionTimestamp: TEST_NOW, finalizers: ['x'] } })
    expect(moved(going, before, () => 0)).toBe(true)
    expect(moved(going, going, () => 0)).toBe(false)
  })
  test('NM5 only what is looked at wakes', () => {
    const phase = (work: typeof before) => work.status?.phase
    expect(moved(before, undefined, phase)).toBe(true)
    expect(moved({ ...bump, status: { phase: 'Assigned' } }, before, phase)).toBe(true)
    expect(moved({ ...bump, status: { phase: 'Pending', progress: 'x' } }, before, phase)).toBe(false)
    expect(moved(bump, before, phase)).toBe(false)
  })
})
