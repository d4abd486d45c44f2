/** Who comes in by a token, what roles give, and that rights follow every change at once. */
import { afterEach, describe, expect, test } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import { PLATFORM_ADMINS, type Actor } from '../api/admission.ts'
import type { Access } from './access.ts'
import { accessRoom } from './testing.ts'

const running: Access[] = []
afterEach(async () => {
  for (const access of running.splice(0)) await access.close()
})

/** Two tenants, started. */
async function room(options: Parameters<typeof accessRoom>[0] = {}) {
  const made = accessRoom(options)
  await made.tenant('acme')
  await made.tenant('beta')
  await made.put('Namespace', { name: 'sprites-system' })
  running.push(made.access)
  await made.access.start()
  return made
}

const key = (digit: string, rest = 'x'): string => `${digit.repeat(16)}-${rest}`
const person = (name: string): Actor => ({ name, groups: ['system:authenticated'] })

describe('a token', () => {
  test('AX20 of a role acts on its tenant alone', async () => {
    const { access, token } = await room()
    await token('acme', 'ci', key('1'), { role: 'member' })
    const actor = access.authenticate(key('1'))
    expect(actor).toMatchObject({
      name: 'system:accesstoken:acme:ci',
      groups: ['system:authenticated'],
      extra: { 'sprites.highera.com/access-token': ['acme/ci'] },
    })
    if (actor === undefined) return
    expect(access.roleIn(actor, 'acme')).toBe('member')
    expect(access.roleIn(actor, 'beta')).toBeUndefined()
  })

  test('AX20 with another secret, or no form, is nobody’s', async () => {
    const { access, token } = await room()
    await token('acme', 'ci', key('1'), { role: 'member' })
    expect(access.authenticate(key('1', 'y'))).toBeUndefined()
    expect(access.authenticate(key('2'))).toBeUndefined()
    expect(access.authenticate('')).toBeUndefined()
  })

  test('AX21 of a User is that person in that tenant alone, even where the same person has more elsewhere', async () => {
    const { access, user, token } = await room()
    await user('acme', 'ada', { email: 'Ada@acme.test', role: 'viewer' })
    await user('beta', 'ada', { email: 'ada@acme.test', role: 'admin' })
    await token('acme', 'ada', key('1'), { user: 'ada' })
    const actor = access.authenticate(key('1'))
    expect(actor?.name).toBe('Ada@acme.test')
    if (actor === undefined) return
    expect(access.roleIn(actor, 'acme')).toBe('viewer')
    expect(access.roleIn(actor, 'beta')).toBeUndefined()
    expect(access.roleIn(person('ADA@acme.test'), 'beta')).toBe('admin')
  })

  test('AX21 of a User who is not there, is going, or has not the address is nobody’s', async () => {
    const { access, user, token, put, remove } = await room()
    await token('acme', 'ada', key('1'), { user: 'ada' })
    expect(access.authenticate(key('1'))).toBeUndefined()
    await put('User', { namespace: 'acme', name: 'ada', finalizers: ['example.com/hold'] } as never, {
      spec: { email: 'ada@acme.test', role: 'admin' },
    })
    expect(access.authenticate(key('1'))).toBeDefined()
    await user('acme', 'zoe', { email: 'ADA@acme.test', role: 'admin' })
    await token('acme', 'zoe', key('2'), { user: 'zoe' })
    expect(access.authenticate(key('2'))).toBeUndefined()
    await remove('User', 'acme', 'ada')
    expect(access.authenticate(key('1'))).toBeUndefined()
    expect(access.roleIn(person('ada@acme.test'), 'acme')).toBeUndefined()
  })

  test('AX22 of the platform lies in sprites-system alone, whatever else is stored', async () => {
    const { access, token } = await room()
    await token('sprites-system', 'op', key('1'), { role: 'platform-admin' })
    await token('acme', 'fake', key('2'), { role: 'platform-admin' })
    await token('sprites-system', 'odd', key('3'), { role: 'admin' })
    expect(access.authenticate(key('1'))?.groups).toContain(PLATFORM_ADMINS)
    expect(access.authenticate(key('2'))).toBeUndefined()
    expect(access.authenticate(key('3'))).toBeUndefined()
  })

  test('AX23 counts no more from its end or its deletion on, for what began before too', async () => {
    const { access, token, remove, clock } = await room()
    await token('sprites-system', 'op', key('1'), { role: 'platform-admin', expireTime: '2026-01-15T12:01:00Z' })
    await token('acme', 'ci', key('2'), { role: 'admin' })
    let changes = 0
    access.authorizer.onChange(() => changes++)
    const [op, ci] = [access.authenticate(key('1')), access.authenticate(key('2'))]
    expect(op && access.roleIn(op, 'beta')).toBe('admin')
    await clock.advance(60_000)
    expect(changes).toBe(1)
    expect(access.authenticate(key('1'))).toBeUndefined()
    expect(op && access.roleIn(op, 'beta')).toBeUndefined()
    await remove('AccessToken', 'acme', 'ci')
    expect(changes).toBe(2)
    expect(access.authenticate(key('2'))).toBeUndefined()
    expect(ci && access.roleIn(ci, 'acme')).toBeUndefined()
  })

  test('AX24 that is stored twice acts as the older one', async () => {
    const { access, token, clock } = await room()
    await token('beta', 'older', key('1'), { role: 'viewer' })
    await clock.advance(1_000)
    await token('acme', 'copy', key('1'), { role: 'admin' })
    await token('acme', 'other', `${'1'.repeat(16)}-other`, { role: 'admin' })
    expect(access.authenticate(key('1'))?.name).toBe('system:accesstoken:beta:older')
    expect(access.authenticate(`${'1'.repeat(16)}-other`)?.name).toBe('system:accesstoken:acme:other')
  })
})

describe('roles', () => {
  test('AX25 of Users with one address the oldest of each tenant holds, whatever its case', async () => {
    const { access, user, clock } = await room()
    await user('acme', 'zoe', { email: 'Ada@Acme.test', role: 'viewer' })
    await clock.advance(1_000)
    await user('acme', 'ada', { email: 'ada@acme.test', role: 'admin' })
    await user('beta', 'ada', { email: 'ada@acme.test', role: 'member' })
    const ada = person('ada@acme.test')
    expect([access.roleIn(ada, 'acme'), access.roleIn(ada, 'beta')]).toEqual(['viewer', 'member'])
  })

  test('AX26 go with the tenant, not with the beginning of its deletion', async () => {
    const { access, user, put, remove } = await room()
    await put('Namespace', { name: 'gone' })
    await user('gone', 'ada', { email: 'ada@acme.test', role: 'admin' })
    const ada = person('ada@acme.test')
    expect(access.roleIn(ada, 'gone')).toBeUndefined()
    const tenant = { spec: { displayName: 'g', plan: 'growth' } }
    await put('Tenant', { name: 'gone', finalizers: ['example.com/hold'] } as never, tenant)
    expect(access.roleIn(ada, 'gone')).toBe('admin')
    await remove('Tenant', '', 'gone')
    expect(access.roleIn(ada, 'gone')).toBe('admin')
    await remove('Tenant', '', 'beta')
    expect(access.roleIn(person('nobody@acme.test'), 'beta')).toBeUndefined()
  })

  test('AX27 follow a change of role, and a change that is none tells nobody', async () => {
    const { access, user, registry, resourceNamed, context } = await room()
    await user('acme', 'ada', { email: 'ada@acme.test', role: 'viewer' })
    let changes = 0
    access.authorizer.onChange(() => changes++)
    const patch = async (body: object) => {
      const at = { namespace: 'acme', name: 'ada' }
      await registry.patch(resourceNamed('User'), at, { type: 'merge', body }, context)
      await settle()
    }
    await patch({ metadata: { labels: { a: 'b' } }, spec: { displayName: 'Ada' } })
    expect(changes).toBe(0)
    await patch({ spec: { role: 'admin' } })
    expect(changes).toBe(1)
    expect(access.roleIn(person('ada@acme.test'), 'acme')).toBe('admin')
    await patch({ spec: { email: 'eva@acme.test' } })
    expect(access.roleIn(person('ada@acme.test'), 'acme')).toBeUndefined()
    expect(access.roleIn(person('eva@acme.test'), 'acme')).toBe('admin')
  })

  test('AX28 survive a watch that ends: what was missed is listed anew', async () => {
    let breaking = new AbortController()
    let isBroken = false
    const made = accessRoom({
      wrap: (registry) => ({
        ...registry,
        watch: (resource, options, signal) =>
          // A revision that was never reached is Expired, as one is that was forgotten.
          registry.watch(
            resource,
            isBroken ? { ...options, resourceVersion: '999999' } : options,
            AbortSignal.any([signal, breaking.signal]),
          ),
      }),
    })
    await made.tenant('acme')
    await made.user('acme', 'ada', { email: 'ada@acme.test', role: 'admin' })
    running.push(made.access)
    await made.access.start()
    const ada = person('ada@acme.test')
    expect(made.access.roleIn(ada, 'acme')).toBe('admin')
    isBroken = true
    breaking.abort()
    breaking = new AbortController()
    await settle()
    await made.remove('User', 'acme', 'ada')
    expect(made.access.roleIn(ada, 'acme')).toBe('admin')
    await made.clock.advance(500)
    await settle()
    expect(made.access.roleIn(ada, 'acme')).toBeUndefined()
    isBroken = false
    await made.clock.advance(500)
    await made.user('acme', 'ada', { email: 'ada@acme.test', role: 'viewer' })
    expect(made.access.roleIn(ada, 'acme')).toBe('viewer')
  })
})
