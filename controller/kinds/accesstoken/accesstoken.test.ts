/** Tests of what an AccessToken may be, and of what its status says. */
import { describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { faultsOf } from '../decision-checks.ts'
import { accessTokenOf, admitLines, allPlans, tenantOf, TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import { tenantAdmission } from '../tenant/admit.ts'
import { accessTokenAdmission } from './admit.ts'
import { decideAccessToken } from './decide.ts'
import { accessTokenKind } from './schema.ts'

const admit = (object: ReturnType<typeof accessTokenOf>, old?: ReturnType<typeof accessTokenOf>) =>
  admitLines(accessTokenAdmission, {
    object,
    ...(old === undefined ? {} : { old }),
    world: [tenantOf(), ...allPlans(), accessTokenOf('first')],
  })
const SYSTEM = { namespace: 'sprites-system' }
const OTHER_KEY = { keyId: 'a'.repeat(16) }

describe('where a token may lie', () => {
  test('AX1 a role of a tenant in the tenant’s namespace, platform-admin in the system’s', () => {
    expect(admit(accessTokenOf('ci', { spec: { ...OTHER_KEY, role: 'admin' } }))).toEqual([])
    expect(admit(accessTokenOf('op', { metadata: SYSTEM, spec: { role: 'platform-admin' } }))).toEqual([])
  })
  test('AX1 platform-admin in a tenant’s namespace is refused, also by a change of role', () => {
    const object = accessTokenOf('ci', { spec: { ...OTHER_KEY, role: 'platform-admin' } })
    const refusal =
      'Forbidden spec.role: Cannot give role "platform-admin" in namespace "acme": it acts on every tenant; create the token in namespace "sprites-system"'
    expect(admit(object)).toEqual([refusal])
    expect(admit(object, accessTokenOf('ci', { spec: OTHER_KEY }))).toEqual([refusal])
  })
  test('AX1 nothing but platform-admin in the system’s namespace', () => {
    expect(admit(accessTokenOf('op', { metadata: SYSTEM }))).toEqual([
      'Invalid spec.role: Cannot give role "member" in namespace "sprites-system": tokens there are of role platform-admin; create the token in the namespace of its tenant',
    ])
  })
  test('AX1 no tenant has the name of the system’s namespace', () => {
    const object = tenantOf({ metadata: { name: 'sprites-system' } })
    expect(admitLines(tenantAdmission, { object, world: allPlans() })).toEqual([
      'Invalid metadata.name: Cannot name a tenant "sprites-system": a namespace of the control plane has this name; choose another',
    ])
  })
  test('AX2 a key id is one token’s', () => {
    expect(admit(accessTokenOf('second'))).toEqual([
      'Invalid spec.keyId: Cannot use keyId "0000000000000000": AccessToken "first" has it; make another token',
    ])
  })
})

describe('the status of a token', () => {
  const at = (expireTime: string | undefined, hasUser = true) =>
    decideAccessToken({
      token: accessTokenOf('t', { spec: expireTime === undefined ? {} : { expireTime } }),
      nowMs: TEST_NOW_MS,
      now: TEST_NOW,
      hasUser,
    })
  const rows: Record<string, [ReturnType<typeof decideAccessToken>, string, number | undefined]> = {
    'AX3 without an end it is active': [at(undefined), 'True Active', undefined],
    'AX3 until its end it is active, and looked at then': [at('2026-01-15T12:00:10Z'), 'True Active', 10_000],
    'AX3 an end that is far is looked at every day': [at('2027-01-15T12:00:10Z'), 'True Active', 86_400_000],
    'AX3 at its end it is expired': [at('2026-01-15T12:00:00Z'), 'False Expired', undefined],
    'AX3 without its User it is stalled': [at(undefined, false), 'False UserNotFound', undefined],
  }
  test.each(Object.entries(rows))('%s', (_, [{ status, requeueAfterMs }, expected, requeued]) => {
    const ready = findCondition(status.conditions, 'Ready')
    expect(`${ready?.status} ${ready?.reason}`).toBe(expected)
    expect(requeueAfterMs).toBe(requeued)
    expect(faultsOf(accessTokenKind, status)).toEqual([])
  })
})
