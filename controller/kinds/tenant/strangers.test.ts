/** What a tenant says of machines in its app that are not ours, while it stands and when it goes. */
import { afterEach, describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { ProviderError, type TenantRemains, type TenantStanding } from '../../providers/machines.ts'
import { planOf, tenantOf, TEST_NOW } from '../object-builders.ts'
import { planKind } from '../plan/schema.ts'
import { spriteKind } from '../sprite/schema.ts'
import { heldSprite, machineOf, shown } from '../sprite/world-builder.ts'
import { createFleet } from '../test-fleet.ts'
import { tenantKind } from './schema.ts'
import { areStrangersUnsure, remainsText, strangersCondition, strangersOf } from './strangers.ts'

const STANDING: TenantStanding = { app: 'highera-acme', isShared: false, paused: [] }
const KEY = { namespace: '', name: 'acme' }
const handMade = shown('started', { id: '17815e', name: 'by-hand' })
const { uid: spriteUid } = heldSprite().metadata
const owner = { controlPlane: 'cp', tenant: 'acme', sprite: 'a', spriteUid, incarnation: 1, specHash: 'h1' }
const TEXT =
  'Run fly machine destroy ID -a highera-acme, or delete the app: 1 machine in it is not ours, left alone, and cost money: 17815e'

describe('strange machines', () => {
  const sprite = heldSprite({ machine: machineOf({ id: 'm2', name: 'a-2' }) })

  test('TN57 are those without our stamp that no sprite names and whose host would tell it', () => {
    const machines = [
      handMade,
      { ...handMade, id: 'm1', owner },
      { ...handMade, id: 'm2', name: 'x' },
      { ...handMade, id: 'm3', name: 'a-2' },
      { ...handMade, id: 'm4', hostReachable: false },
      { ...handMade, id: 'm5', state: 'destroyed' as const },
    ]
    expect(strangersOf({ machines, complete: true }, [sprite])).toEqual({ ids: ['17815e'], isComplete: true })
    expect(strangersOf(undefined, [])).toEqual({ ids: [], isComplete: false })
  })

  test('TN57 are told with what would do in a text that fits; in an app that all share they are not', () => {
    const ids = Array.from({ length: 500 }, (_, at) => `${17_815_000_000_000 + at}`)
    const strangers = { ids, isComplete: true }
    const said = strangersCondition({ tenant: tenantOf(), strangers, standing: STANDING })
    expect(said[0]?.message.length).toBeLessThan(200)
    expect(said[0]?.message).toContain('500 machines in it are not ours')
    expect(strangersCondition({ tenant: tenantOf(), strangers, standing: { ...STANDING, isShared: true } })).toEqual([])
    expect(strangersCondition({ tenant: tenantOf(), strangers, standing: undefined })).toEqual([])
  })

  test('TN57 that stood before stand until a complete picture says otherwise', () => {
    const before = { type: 'StrangeMachines', status: 'True', reason: 'StrangeMachines', message: 'm' } as const
    const tenant = tenantOf({
      status: { conditions: [{ ...before, observedGeneration: 1, lastTransitionTime: TEST_NOW }] },
    })
    const world = (isComplete: boolean) => ({ tenant, standing: STANDING, strangers: { ids: [], isComplete } })
    expect([strangersCondition(world(false)), areStrangersUnsure(world(false))]).toMatchObject([[before], true])
    expect([strangersCondition(world(true)), areStrangersUnsure(world(true))]).toEqual([[], false])
  })

  test('TN22 an app that is not ours is named as such', () => {
    expect(remainsText({ app: 'x', machines: [] })).toBe('App "x" stays: it was not made by this control plane')
  })
})

describe('on the engine', () => {
  const stops: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })

  async function given(removeTenant: () => Promise<TenantRemains | undefined> = () => Promise.resolve(undefined)) {
    const state = { standing: STANDING }
    const fleet = createFleet(undefined, () => ({ standing: () => state.standing, removeTenant }))
    stops.push(() => fleet.manager.stop())
    await fleet.manager.start()
    await fleet.client.create(planKind, planOf('growth'))
    await fleet.client.create(tenantKind, tenantOf())
    await fleet.settle()
    const status = () => fleet.manager.cache.get(tenantKind, KEY)?.status
    const told = (type: string) => {
      const found = findCondition(status()?.conditions, type)
      return found === undefined ? undefined : `${found.status} ${found.reason}: ${found.message}`
    }
    const wake = async () => {
      fleet.manager.trigger('tenant', KEY)
      await fleet.settle()
    }
    const rest = async (seconds: number) => {
      for (let passed = 0; passed < seconds; passed += 5) {
        await fleet.settle()
        await fleet.clock.advance(5_000)
      }
      await fleet.settle()
    }
    return { ...fleet, state, status, told, wake, rest }
  }

  test('TN57 the tenant says so while they are there, and stays ready', async () => {
    const { outside, told, wake } = await given()
    outside.picture = { machines: [handMade], complete: true, atMs: 1, seenAtMs: 1 }
    await wake()
    expect(told('StrangeMachines')).toBe(`True StrangeMachines: ${TEXT}`)
    expect(told('Ready')).toContain('True Active')
    outside.picture = { machines: [], complete: true, atMs: 2, seenAtMs: 2 }
    await wake()
    expect(told('StrangeMachines')).toBeUndefined()
  })

  test('TN22 a deletion goes through and leaves a warning with app and machines', async () => {
    const { outside, client, rest, status } = await given(() =>
      Promise.resolve({ app: 'highera-acme', machines: ['17815e'] }),
    )
    await client.delete(tenantKind, KEY, {})
    await rest(20)
    expect(status()).toBeUndefined()
    expect(outside.events).toContain('Warning Tenant AppKept')
    expect(outside.warnings).toContain(`App "highera-acme" stays. ${TEXT}`)
  })

  test('TN23 a deletion under a refused token says what would do, in the words of place-conditions', async () => {
    const { client, rest, told, status, state } = await given()
    await client.create(spriteKind, { ...heldSprite(), metadata: { name: 'a', namespace: 'acme', finalizers: ['x'] } })
    const answer = 'Cannot stop: Fly answered 401 (fly-request-id 01J) "unauthorized"'
    state.standing = { ...STANDING, paused: [new ProviderError('CredentialsInvalid', answer)] }
    await client.delete(tenantKind, KEY, {})
    await rest(10)
    const message = `Set a good FLY_API_TOKEN and restart: ${answer}`
    expect(['Ready', 'Stalled', 'CredentialsPaused', 'Terminating'].map(told)).toEqual([
      `False CredentialsInvalid: ${message}`,
      `True CredentialsInvalid: ${message}`,
      `True CredentialsInvalid: ${message}`,
      'True Terminating: Waits for 1 object to go, Sprite a: their machines cannot be removed now (CredentialsInvalid)',
    ])
    expect(status()?.blockers).toEqual([{ reason: 'CredentialsInvalid', fix: 'Set a good FLY_API_TOKEN and restart' }])
    state.standing = STANDING
    await rest(10)
    expect([told('Ready'), told('CredentialsPaused'), status()?.blockers]).toEqual([
      'False Terminating: Waits for 1 object to go, Sprite a: their machines are being removed',
      undefined,
      undefined,
    ])
  })

  test('TN24 a deletion while the provider does not answer its sprites says so', async () => {
    const { client, rest, told } = await given()
    await client.create(spriteKind, { ...heldSprite(), metadata: { name: 'a', namespace: 'acme', finalizers: ['x'] } })
    await client.delete(tenantKind, KEY, {})
    await rest(5)
    const word = { reason: 'ProviderUnavailable', message: 'Cannot see machine a-1: no answer' }
    const stamp = { observedGeneration: 1, lastTransitionTime: TEST_NOW }
    const conditions = [{ type: 'Ready', status: 'Unknown' as const, ...word, ...stamp }]
    await client.patchStatus(spriteKind, { namespace: 'acme', name: 'a' }, { conditions })
    await rest(10)
    expect([told('Ready'), told('Stalled')]).toEqual([
      'False ProviderUnavailable: Tried again: Cannot see machine a-1: no answer',
      undefined,
    ])
  })

  test.each([
    ['Unavailable', 'False ProviderUnavailable: Tried again: Cannot list: no answer'],
    ['CredentialsInvalid', 'False CredentialsInvalid: Set a good FLY_API_TOKEN and restart: Cannot list: no answer'],
    ['NotReady', 'False Terminating: Waits for the machine provider to remove what it keeps for the tenant'],
  ] as const)('TN24 a provider that answers its removal with %s is told', async (reason, ready) => {
    const { client, rest, told } = await given(() =>
      Promise.reject(new ProviderError(reason, 'Cannot list: no answer')),
    )
    await client.delete(tenantKind, KEY, {})
    await rest(20)
    expect(told('Ready')).toBe(ready)
  })
})
