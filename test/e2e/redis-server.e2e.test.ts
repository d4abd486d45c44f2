/** Tests of the redis-server fixture: what its faults do is what the tests of its users rely on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hasRedisServer, RedisServer } from './redis-server.ts'

describe.skipIf(!hasRedisServer)('redis-server fixture (needs redis-server)', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await RedisServer.start()
  })
  afterEach(() => server.destroy())

  it('TS1 restarts empty on the same port', async () => {
    await server.admin.set('a', '1')
    await server.restartEmpty()
    expect(await server.admin.get('a')).toBeNull()
  })

  it('TS1 flushes, freezes and resumes', async () => {
    await server.admin.set('a', '1')
    await server.flush()
    server.freeze()
    let answered = false
    const reply = server.admin.get('a').finally(() => (answered = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(false)
    server.resume()
    expect(await reply).toBeNull()
  })
})
