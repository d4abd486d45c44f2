/** What a tenant and its sprite say while Fly holds the tenant's deletion up: the real controllers and adapter over the emulator. */
import { afterEach, expect, test } from 'vitest'
import { findCondition } from '../controller/api/conditions.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { ROUTES } from './simulation/fly-plans.ts'
import { FlyWorld } from './simulation/fly-world.ts'

const KEY = { namespace: '', name: 'gone' }
const SPRITE = { namespace: 'gone', name: 'f' }
const worlds: FlyWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

test.each([
  [
    'L4 TN23 a refused token',
    { kind: 'status', status: 401 },
    'CredentialsInvalid',
    'Set a good FLY_API_TOKEN and restart: ',
  ],
  ['L4 TN24 a Fly out of reach', { kind: 'reset' }, 'ProviderUnavailable', 'Tried again: '],
])('%s is told while a tenant is deleted, and the deletion ends when it is over', async (_, fault, reason, fix) => {
  const world = new FlyWorld({ seed: 1 })
  worlds.push(world)
  await world.start()
  const spec = { agentType: 'editor', runPolicy: 'Always' as const }
  await world.client.create(spriteKind, { metadata: { name: 'f', namespace: 'gone' }, spec })
  await world.run(40)
  expect(world.client.peek(spriteKind, SPRITE)?.status?.phase).toBe('Idle')
  const requests = ROUTES.map((action) => ({ action, fault, times: 1_000_000 }))
  await world.raw('POST', '/_emulator/faults', { requests })
  await world.client.delete(tenantKind, KEY)
  await world.run(60)
  const [tenant, sprite] = [world.client.peek(tenantKind, KEY), world.client.peek(spriteKind, SPRITE)]
  const ready = findCondition(tenant?.status?.conditions, 'Ready')
  expect([ready?.reason, ready?.message.startsWith(fix)]).toEqual([reason, true])
  const said = findCondition(sprite?.status?.conditions, 'Ready')?.reason
  expect([sprite?.status?.phase, said]).toEqual(['Draining', reason])
  await world.raw('DELETE', '/_emulator/faults')
  await world.run(400)
  expect([world.client.peek(tenantKind, KEY), await world.isAppGone()]).toEqual([undefined, true])
})
