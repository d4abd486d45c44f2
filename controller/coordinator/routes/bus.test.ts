/** Tests of POST bus: who gets access to the message bus, and what is answered when there is none. */
import { afterEach, expect, it } from 'vitest'
import { SPRITE_API, type BusReply } from '../../../protocol/coordinator.ts'
import type { NoAccess, SpriteOnBus, SpriteUsers } from '../../bus/sprite-users.ts'
import { startHarness, TENANT, type Harness } from '../fake/harness.ts'

const ACCESS: BusReply = {
  url: 'redis://bus.test',
  username: 'u',
  password: 'p',
  inbox: 'i',
  broadcasts: 'b',
  heartbeat: 'h',
}

let h: Harness
const asked: SpriteOnBus[] = []
const start = async (answer: BusReply | NoAccess): Promise<void> => {
  const spriteUsers: SpriteUsers = {
    grant: (who) => {
      asked.push(who)
      return Promise.resolve(answer)
    },
    revoke: () => Promise.resolve(true),
    close: () => {},
  }
  h = await startHarness({ spriteUsers })
}
afterEach(async () => {
  asked.length = 0
  await h.close()
})

it('RB13 access is given to whom the token names, in its current incarnation, and announced', async () => {
  await start(ACCESS)
  expect(await h.send(SPRITE_API.announce, { startedAtMs: 1, version: '1' })).toMatchObject({ body: { bus: true } })
  expect(await h.send(SPRITE_API.bus, {})).toMatchObject({ status: 200, body: ACCESS })
  expect(asked).toMatchObject([{ tenant: TENANT, sprite: 'cara', uid: 'uid-cara', incarnation: 2 }])
})

it('RB13 a void incarnation, a foreign token and a body with a name in it get nothing', async () => {
  await start(ACCESS)
  expect((await h.send(SPRITE_API.bus, {}, { token: h.token('cara', 1) })).status).toBe(409)
  expect((await h.send(SPRITE_API.bus, {}, { token: 'spr1_x' })).status).toBe(401)
  expect((await h.send(SPRITE_API.bus, { sprite: 'other' })).status).toBe(422)
  expect(asked).toEqual([])
})

it('RB13 a bus without users for sprites is 204, one that is away 503 with a time', async () => {
  await start('Unsupported')
  expect((await h.send(SPRITE_API.bus, {})).status).toBe(204)
  await h.close()
  await start('Away')
  expect(await h.send(SPRITE_API.bus, {})).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  await h.close()
  h = await startHarness()
  expect((await h.send(SPRITE_API.bus, {})).status).toBe(204)
  const { body } = await h.send(SPRITE_API.announce, { startedAtMs: 1, version: '1' })
  expect(body).not.toHaveProperty('bus')
})
