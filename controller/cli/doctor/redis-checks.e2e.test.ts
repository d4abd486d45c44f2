/** Tests of what `spritectl doctor` says of a Redis that will not do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import { redisChecks } from './redis-checks.ts'

const line = async (url: string): Promise<readonly string[]> => {
  const found = await redisChecks(url)
  expect(JSON.stringify(found)).not.toContain('hunter2')
  return found.map(({ name, level, text }) => `${level} ${name} ${text}`)
}

describe.skipIf(!hasRedisServer)('doctor on a redis-server (needs redis-server)', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start()
    await server.admin.acl('SETUSER', 'plain', 'on', '>hunter2', '+@all', '-acl', '&*', '~*')
  })
  afterAll(() => server.destroy())
  const at = (user: string): string => server.url.replace('://', `://${user}@`)

  it('DR8 one that will do is ok in all', async () => {
    expect(await line(server.url)).toEqual([
      'ok redis answers',
      'ok redis memory forgets nothing when it is full',
      'ok redis users sprites get users of their own',
    ])
  })

  it('DR8 says who is not let in and where, and no password', async () => {
    expect((await line(at('plain:hunter22')))[0]).toMatch(/^fail redis does not let us in at .*WRONGPASS/)
    expect((await line(server.url.replace('redis:', 'rediss:')))[0]).toMatch(/^fail redis does not let us in at/)
    expect((await line('redis://:hunter2@127.0.0.1:1'))[0]).toMatch(/ECONNREFUSED/)
  })

  it('DR8 warns of what would forget the ledger, and where sprites get no users', async () => {
    await server.admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    expect(await line(at('plain:hunter2'))).toEqual([
      'ok redis answers',
      'warn redis memory forgets the token ledger when it is full ("allkeys-lru")',
      'warn redis users gives sprites no users of their own: they stay with the Coordinator’s stream',
    ])
  })

  it('DR8 one that is full fails', async () => {
    await server.admin.config('SET', 'maxmemory-policy', 'noeviction')
    await server.admin.config('SET', 'maxmemory', '1000kb')
    expect((await line(server.url))[1]).toMatch(/^fail redis memory is full \(\d+ of 1024000 bytes\)/)
    await server.admin.config('SET', 'maxmemory', '0')
    expect((await line(server.url))[1]).toMatch(/^ok redis memory/)
  })

  it('DR8 a replica fails', async () => {
    await server.admin.replicaof('127.0.0.1', '1')
    expect((await line(server.url))[0]).toBe('fail redis is a replica, which cannot be written')
  })
})
