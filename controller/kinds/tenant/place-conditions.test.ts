/** How a tenant stands at its provider, in conditions: app, token, freeze, paused calls; and stories of it on the engine. */
import { afterEach, describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { settle } from '../../../system/test-clock.ts'
import { ProviderError, type TenantStanding } from '../../providers/machines.ts'
import { TENANT_FINALIZER } from '../marks.ts'
import { planOf, tenantOf } from '../object-builders.ts'
import { planKind } from '../plan/schema.ts'
import { createFleet } from '../test-fleet.ts'
import { placeConditions, placeProblems, type PlaceWorld } from './place-conditions.ts'
import { tenantKind } from './schema.ts'

const STANDING: TenantStanding = { app: 'highera-acme', isShared: false, paused: [] }
const refused = (id: string) =>
  new ProviderError('CredentialsInvalid', `Cannot list: Fly answered 401 (fly-request-id ${id}) "unauthorized"`)
const full = new ProviderError('QuotaExceeded', 'Cannot create: Fly answered 422 (fly-request-id 01J) "machine limit"')
const made = { last: 'Made', isDue: false } as const

const worldOf = (over: Partial<PlaceWorld>): PlaceWorld => ({
  tenant: tenantOf({ metadata: { finalizers: [TENANT_FINALIZER] } }),
  standing: STANDING,
  app: made,
  frozenBy: undefined,
  ...over,
})
const told = (over: Partial<PlaceWorld>): readonly string[] =>
  placeConditions(worldOf(over)).map(({ type, status, reason }) => `${type} ${status} ${reason}`)

describe('conditions of a tenant’s place', () => {
  const rows: Record<string, [Partial<PlaceWorld>, readonly string[]]> = {
    'TN50 an app that is there': [{}, ['AppReady True AppMade']],
    'TN50 an app that all share': [{ standing: { ...STANDING, isShared: true } }, ['AppReady True AppShared']],
    'TN50 an app on its way': [{ app: { last: undefined, isDue: true } }, ['AppReady Unknown AppPending']],
    'TN52 an app that is somebody else’s': [
      { app: { last: new ProviderError('NameConflict', 'theirs'), isDue: false } },
      ['AppReady False NameConflict'],
    ],
    'TN52 an app that Fly does not answer for': [
      { app: { last: new ProviderError('OutcomeUnknown', '502'), isDue: false } },
      ['AppReady False ProviderUnavailable'],
    ],
    'TN50 a provider without apps': [{ standing: undefined, app: undefined }, []],
    'TN54 a token of its own': [
      { standing: { ...STANDING, token: { is: 'Own' } } },
      ['AppReady True AppMade', 'TokenReady True TokenOwn'],
    ],
    'TN54 a token that cannot be made': [
      { standing: { ...STANDING, token: { is: 'Missing', message: 'Fly answered 403' } } },
      ['AppReady True AppMade', 'TokenReady False TokenMissing'],
    ],
    'TN54 a token that is refused': [
      { standing: { ...STANDING, token: { is: 'Refused' } } },
      ['AppReady True AppMade', 'TokenReady False TokenRefused'],
    ],
    'TN55 a freeze': [{ frozenBy: 'the setting FREEZE' }, ['Frozen True Frozen', 'AppReady True AppMade']],
    'TN55 a freeze before the app is made': [
      { frozenBy: 'the setting FREEZE', app: { last: undefined, isDue: true } },
      ['Frozen True Frozen', 'AppReady Unknown Frozen'],
    ],
    'TN56 paused calls': [
      { standing: { ...STANDING, paused: [refused('01J'), full] } },
      [
        'AppReady True AppMade',
        'CredentialsPaused True CredentialsInvalid',
        'OrganizationLimitReached True QuotaExceeded',
      ],
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(over)).toEqual(expected)
  })

  test('TN56 a message begins with what would do and has the request id; another id alone is no news', () => {
    const first = placeConditions(worldOf({ standing: { ...STANDING, paused: [refused('01J-a')] } }))
    const message = first.find(({ type }) => type === 'CredentialsPaused')?.message
    expect(message).toBe(
      'Set a good FLY_API_TOKEN and restart: Cannot list: Fly answered 401 (fly-request-id 01J-a) "unauthorized"',
    )
    const stamp = { observedGeneration: 1, lastTransitionTime: '2026-01-15T12:00:00Z' }
    const tenant = tenantOf({ status: { conditions: first.map((each) => ({ ...each, ...stamp })) } })
    const second = placeConditions(worldOf({ tenant, standing: { ...STANDING, paused: [refused('01J-b')] } }))
    expect(second.find(({ type }) => type === 'CredentialsPaused')?.message).toBe(message)
  })

  test('TN50 what stood before a start of the controller stands until the provider says otherwise', () => {
    const before = { type: 'AppReady', status: 'True', reason: 'AppMade', message: 'm' } as const
    const stamp = { observedGeneration: 1, lastTransitionTime: '2026-01-15T12:00:00Z' }
    const tenant = tenantOf({ status: { conditions: [{ ...before, ...stamp }] } })
    expect(told({ tenant, app: { last: undefined, isDue: true } })).toEqual(['AppReady True AppMade'])
  })

  test('TN56 what a person has to mend is a problem once; what passes by itself is none', () => {
    const reasons = (over: Partial<PlaceWorld>) => placeProblems(worldOf(over)).map(({ blocker }) => blocker.reason)
    expect(reasons({})).toEqual([])
    expect(reasons({ app: { last: new ProviderError('RateLimited', 'm'), isDue: false } })).toEqual([])
    expect(
      reasons({
        app: { last: refused('01J'), isDue: false },
        standing: { ...STANDING, paused: [refused('01J'), full] },
      }),
    ).toEqual(['CredentialsInvalid', 'QuotaExceeded'])
    expect(reasons({ app: { last: new ProviderError('NameConflict', 'm'), isDue: false } })).toEqual(['NameConflict'])
  })
})

describe('a tenant’s app on the engine', () => {
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })

  async function given(ensure: (tenant: string) => Promise<void>) {
    const state = { standing: STANDING }
    const fleet = createFleet(undefined, () => ({ ensureTenant: ensure, standing: () => state.standing }))
    stops.push(() => fleet.manager.stop())
    await fleet.manager.start()
    await fleet.client.create(planKind, planOf('growth'))
    await fleet.client.create(tenantKind, tenantOf())
    await fleet.settle()
    const key = { namespace: '', name: 'acme' }
    const condition = (type: string) => {
      const found = findCondition(fleet.manager.cache.get(tenantKind, key)?.status?.conditions, type)
      return found === undefined ? undefined : `${found.status} ${found.reason}`
    }
    return { ...fleet, key, condition, state }
  }

  test('TN50 it is made with the tenant, before anybody needs a machine', async () => {
    const made: string[] = []
    const { condition } = await given((tenant) => Promise.resolve(void made.push(tenant)))
    expect([made, condition('AppReady'), condition('Ready')]).toEqual([['acme'], 'True AppMade', 'True Active'])
  })

  test('TN51 a provider that does not answer holds nothing else up', async () => {
    const { condition, outside, manager, key } = await given(() => new Promise(() => {}))
    expect([condition('AppReady'), condition('Ready')]).toEqual(['Unknown AppPending', 'True Active'])
    expect([...outside.namespaces]).toEqual(['acme'])
    expect(manager.cache.get(tenantKind, key)?.status?.limits?.concurrentSprites).toBe(4)
  })

  test('TN52 a failure is said, tried again, and taken back', async () => {
    let isDown = true
    const {
      condition,
      clock,
      settle: rest,
    } = await given(() =>
      isDown ? Promise.reject(new ProviderError('Unavailable', 'Cannot getApp: no answer')) : Promise.resolve(),
    )
    expect([condition('AppReady'), condition('Ready')]).toEqual(['False ProviderUnavailable', 'True Active'])
    isDown = false
    await clock.advance(5_000)
    await rest()
    expect(condition('AppReady')).toBe('True AppMade')
  })

  test('TN53 a deletion waits for a try that is under way, then removes', async () => {
    let answer = (): void => {}
    const fleet = await given(() => new Promise((resolve) => (answer = resolve)))
    await fleet.client.delete(tenantKind, fleet.key, {})
    // Its passes get as far as the provider, and wait there.
    for (let turn = 0; turn < 8; turn++) {
      await settle()
      await fleet.clock.advance(5_000)
    }
    expect([...fleet.outside.namespaces, ...fleet.outside.removedAtProvider]).toEqual([])
    answer()
    for (let turn = 0; turn < 5; turn++) {
      await fleet.settle()
      await fleet.clock.advance(5_000)
    }
    expect(fleet.outside.removedAtProvider).toEqual(['acme'])
  })

  test('TN55 while frozen none is made; the thaw makes it', async () => {
    const made: string[] = []
    const fleet = createFleet(undefined, () => ({
      ensureTenant: (tenant) => Promise.resolve(void made.push(tenant)),
      standing: () => STANDING,
    }))
    stops.push(() => fleet.manager.stop())
    fleet.outside.frozenBy = 'the setting FREEZE'
    await fleet.manager.start()
    await fleet.client.create(planKind, planOf('growth'))
    await fleet.client.create(tenantKind, tenantOf())
    await fleet.settle()
    const key = { namespace: '', name: 'acme' }
    const now = () =>
      fleet.manager.cache.get(tenantKind, key)?.status?.conditions?.map(({ type, reason }) => `${type} ${reason}`)
    expect([made, now()]).toEqual([[], ['Ready Frozen', 'AppReady Frozen', 'Frozen Frozen']])
    fleet.outside.frozenBy = undefined
    fleet.manager.trigger('tenant', key)
    await fleet.settle()
    expect([made, now()]).toEqual([['acme'], ['Ready Active', 'AppReady AppMade']])
  })

  test('TN56 a refused token stalls the tenant with what would do', async () => {
    const { state, manager, key, settle: rest, condition } = await given(() => Promise.resolve())
    state.standing = { ...STANDING, paused: [refused('01J')] }
    manager.trigger('tenant', key)
    await rest()
    expect([condition('Ready'), condition('CredentialsPaused')]).toEqual([
      'False CredentialsInvalid',
      'True CredentialsInvalid',
    ])
    state.standing = STANDING
    manager.trigger('tenant', key)
    await rest()
    expect([condition('Ready'), condition('CredentialsPaused')]).toEqual(['True Active', undefined])
  })
})
