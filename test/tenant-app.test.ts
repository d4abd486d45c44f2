/** A tenant's app from the Tenant object to Fly and back: the real controller and adapter against the emulator. */
import { afterEach, describe, expect, it } from 'vitest'
import { findCondition } from '../controller/api/conditions.ts'
import { planOf, tenantOf } from '../controller/kinds/object-builders.ts'
import { planKind } from '../controller/kinds/plan/schema.ts'
import { createFleet } from '../controller/kinds/test-fleet.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createFakeRunner } from '../controller/providers/fly-emulator/fake-runner.ts'
import { createFlyEmulator, type FlyEmulator } from '../controller/providers/fly-emulator/fly-emulator.ts'
import type { AppToken } from '../controller/providers/fly/app-tokens.ts'
import { createFlyProvider } from '../controller/providers/fly/fly-provider.ts'
import { seededEntropy } from '../system/entropy.ts'
import { settle } from '../system/test-clock.ts'

const KEY = { namespace: '', name: 'acme' }
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function given(appTemplate: string, spoil: (emulator: FlyEmulator) => void = () => {}) {
  const tokens = new Map<string, AppToken>()
  let emulator: FlyEmulator | undefined
  const fleet = createFleet(undefined, (clock) => {
    const world = createFlyEmulator({ clock, entropy: seededEntropy(1), runner: createFakeRunner() })
    spoil(world)
    emulator = world
    const provider = createFlyProvider({
      baseUrl: 'http://emulator',
      token: 'fm2_test',
      orgSlug: 'personal',
      appTemplate,
      controlPlaneId: 'cp',
      clock,
      fetch: (input, init) => world.request(new Request(input as URL, init)), // the adapter sends URLs alone
      appTokens: {
        read: (app) => Promise.resolve(tokens.get(app)),
        write: (app, token) => Promise.resolve(void tokens.set(app, token)),
        remove: (app) => Promise.resolve(void tokens.delete(app)),
      },
    })
    provider.onStanding?.(() => fleet.manager.trigger('tenant', KEY))
    return provider
  })
  stops.push(async () => {
    await fleet.manager.stop()
    await emulator?.close()
  })
  const apps = async (): Promise<readonly string[]> => {
    const url = 'http://emulator/v1/apps?org_slug=personal'
    const reply = await emulator?.request(new Request(url, { headers: { authorization: 'Bearer t' } }))
    const body = (await reply?.json()) as {
      readonly apps: readonly { readonly name: string; readonly network: string }[]
    }
    return body.apps.map(({ name, network }) => `${name} on ${network}`)
  }
  const conditions = () => {
    const found = fleet.manager.cache.get(tenantKind, KEY)?.status?.conditions
    return ['Ready', 'AppReady', 'TokenReady'].map((type) => findCondition(found, type)?.reason)
  }
  const rest = async (seconds: number): Promise<void> => {
    for (let passed = 0; passed < seconds; passed++) {
      for (let turn = 0; turn < 5; turn++) await settle()
      await fleet.clock.advance(1_000)
      await fleet.manager.whenIdle()
    }
  }
  await fleet.manager.start()
  await fleet.client.create(planKind, planOf('growth'))
  await fleet.client.create(tenantKind, tenantOf())
  await rest(3)
  const emulated = async (method: string, path: string, body?: object): Promise<number> => {
    const init = { method, headers: { authorization: 'Bearer t' }, ...(body && { body: JSON.stringify(body) }) }
    return (await emulator?.request(new Request(`http://emulator${path}`, init)))?.status ?? 0
  }
  return { fleet, apps, conditions, rest, tokens, emulated }
}

describe('a tenant’s app at Fly', () => {
  it('TN50 TN54 comes with the Tenant, on its own network, with a token of its own, and goes with it', async () => {
    const { fleet, apps, conditions, rest, tokens } = await given('highera-{tenant}')
    expect(await apps()).toEqual(['highera-acme on highera-acme'])
    expect([conditions(), [...tokens.keys()]]).toEqual([['Active', 'AppMade', 'TokenOwn'], ['highera-acme']])
    await fleet.client.delete(tenantKind, KEY, {})
    await rest(10)
    expect(fleet.manager.cache.get(tenantKind, KEY)).toBeUndefined()
    expect([await apps(), tokens.size]).toEqual([[], 0])
  })

  it('TN52 whose making is answered by nothing but a lost reply is found at the next try', async () => {
    const { apps, conditions, rest } = await given('highera-{tenant}', (emulator) =>
      emulator.faults.add({ action: 'createApp', fault: { kind: 'loseReply' } }),
    )
    await rest(10)
    expect([await apps(), conditions()[1]]).toEqual([['highera-acme on highera-acme'], 'AppMade'])
  })

  it('TN22 stays with a machine that was made by hand, and the tenant does not go without a word', async () => {
    const { fleet, apps, rest, emulated } = await given('highera-{tenant}')
    const made = await emulated('POST', '/v1/apps/highera-acme/machines', { name: 'mine', config: { image: 'x' } })
    expect(made).toBe(200)
    await fleet.client.delete(tenantKind, KEY, {})
    await rest(10)
    expect([await apps(), fleet.manager.cache.get(tenantKind, KEY)]).toEqual([
      ['highera-acme on highera-acme'],
      undefined,
    ])
    expect(fleet.outside.warnings).toEqual([
      expect.stringMatching(/^App "highera-acme" stays\. Run fly machine destroy ID -a highera-acme, .*: [0-9a-f]+$/),
    ])
  })

  it('TN50 that all share is neither made nor deleted', async () => {
    const { fleet, apps, conditions, rest } = await given('one-app')
    expect([await apps(), conditions()]).toEqual([[], ['Active', 'AppShared', undefined]])
    await fleet.client.delete(tenantKind, KEY, {})
    await rest(10)
    expect([await apps(), fleet.manager.cache.get(tenantKind, KEY)]).toEqual([[], undefined])
  })
})
