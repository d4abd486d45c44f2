/** Tests of sprites' users against servers that take rules in their own ways, or not at all. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog, type Log } from '../../../system/log.ts'
import { TestClock } from '../../../system/test-clock.ts'
import type { SpriteOnBus } from '../sprite-users.ts'
import { usernameOf } from './acl.ts'
import { createSpriteUsersOver, type SendCommand, type SpriteUsersOptions } from './users.ts'

const ED: SpriteOnBus = { tenant: 'acme', sprite: 'ed', uid: 'u-ed', incarnation: 1 }

class ReplyError extends Error {
  override readonly name = 'ReplyError'
}

/** A server with ACL; `refuses` says which rule it does not take. */
function fakeServer(options: { refuses?: RegExp; tokens?: boolean; fails?: () => Error | undefined } = {}) {
  const users = new Map<string, readonly string[]>()
  const tokens = new Set<string>()
  let commands = 0
  const send: SendCommand = (command, sub, ...args) => {
    commands += 1
    const failure = options.fails?.()
    if (failure !== undefined) return Promise.reject(failure)
    const [name = '', ...rules] = args
    if (`${command} ${sub}` === 'ACL USERS') return Promise.resolve(['default', ...users.keys()])
    if (sub === 'DELUSER') return Promise.resolve(args.filter((one) => users.delete(one)).length)
    if (sub === 'GENTOKEN' && options.tokens === true) {
      const token = Buffer.from(`${name}:${rules.join()}`).toString('base64')
      tokens.add(`>${token}`)
      return Promise.resolve(token)
    }
    const bad = rules.find((rule) => options.refuses?.test(rule) ?? false)
    const plain = options.tokens === true ? rules.find((rule) => /^[>#]/.test(rule) && !tokens.has(rule)) : undefined
    if (sub !== 'SETUSER' || bad !== undefined || plain !== undefined)
      return Promise.reject(new ReplyError(`ERR Error in ACL SETUSER modifier '${bad ?? plain ?? sub}': Syntax error`))
    users.set(name, rules)
    return Promise.resolve('OK')
  }
  return { send, users, commands: () => commands }
}

function usersOver(send: SendCommand, options: Partial<SpriteUsersOptions> = {}) {
  const clock = new TestClock()
  const lines: string[] = []
  const log: Log = { ...silentLog, warn: (fields, text) => void lines.push(JSON.stringify(fields) + text) }
  const users = createSpriteUsersOver(
    {
      url: 'redis://plane:plane-secret@redis.test:6379',
      masterKey: Buffer.alloc(32, 7),
      clock,
      entropy: seededEntropy(1),
      log,
      ...options,
    },
    send,
  )
  return { users, clock, lines }
}

describe('users of sprites', () => {
  it('RB8 every process gives the same access, and again to a server that forgot', async () => {
    const server = fakeServer()
    const first = await usersOver(server.send).users.grant(ED)
    server.users.clear()
    expect(await usersOver(server.send).users.grant(ED)).toEqual(first)
    expect([...server.users.keys()]).toEqual([usernameOf('', ED)])
  })

  it('RB8 each incarnation, sprite, tenant and control plane has a password of its own', async () => {
    const { send } = fakeServer()
    const others = [
      ED,
      { ...ED, incarnation: 2 },
      { ...ED, sprite: 'al' },
      { ...ED, tenant: 'rival' },
      { ...ED, uid: 'v' },
    ]
    const passwords = new Set<unknown>()
    for (const prefix of ['', 'cp-1:'])
      for (const who of others) {
        const access = await usersOver(send, { prefix }).users.grant(who)
        passwords.add(typeof access === 'string' ? access : access.password)
      }
    expect(passwords.size).toBe(10)
  })

  it('RB11 the control plane’s own user and password are in no answer', async () => {
    const access = await usersOver(fakeServer().send).users.grant(ED)
    expect(access).toMatchObject({ url: 'redis://redis.test:6379', inbox: 'sprite:acme/ed:inbox' })
    expect(JSON.stringify(access)).not.toContain('plane')
  })

  it('RB11 nor in its address: neither a password among its options, nor a database that no sprite may select', async () => {
    const url = 'rediss://plane:hunter2@redis.test:6380/3?password=hunter2&db=3#hunter2'
    const access = await usersOver(fakeServer().send, { url }).users.grant(ED)
    expect(access).toMatchObject({ url: 'rediss://redis.test:6380' })
  })

  it('RB9 a grant removes the users of earlier incarnations, a revocation its own', async () => {
    const server = fakeServer()
    const { users } = usersOver(server.send)
    for (const incarnation of [1, 2, 3]) await users.grant({ ...ED, incarnation })
    await users.grant({ ...ED, sprite: 'al' })
    expect([...server.users.keys()]).toEqual([
      usernameOf('', { ...ED, incarnation: 3 }),
      usernameOf('', { ...ED, sprite: 'al' }),
    ])
    expect(await users.revoke({ ...ED, incarnation: 3 })).toBe(true)
    expect(server.users.size).toBe(1)
  })

  it('RB9 the sweep removes users of sprites that are gone, and nobody else’s', async () => {
    const server = fakeServer()
    let current: SpriteOnBus[] | undefined
    const { users, clock } = usersOver(server.send, { prefix: 'cp-1:', current: () => current })
    const gone = { ...ED, sprite: 'gone' }
    for (const who of [ED, gone]) await users.grant(who)
    for (const name of ['someone', usernameOf('cp-2:', gone), usernameOf('', gone)]) server.users.set(name, [])
    await clock.advance(180_000)
    expect(server.users.size).toBe(5)
    current = [ED]
    await clock.advance(60_000)
    expect([...server.users.keys()].toSorted()).toEqual(
      ['someone', usernameOf('cp-1:', ED), usernameOf('cp-2:', gone), usernameOf('', gone)].toSorted(),
    )
    users.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('RB9 the sweep leaves a user alone that was made a moment ago', async () => {
    const server = fakeServer()
    const { users, clock } = usersOver(server.send, { current: () => [] })
    await clock.advance(30_000)
    await users.grant(ED)
    await clock.advance(31_000)
    expect(server.users.size).toBe(1)
    await clock.advance(60_000)
    expect(server.users.size).toBe(0)
    users.close()
  })

  it('RB12 where passwords come from GENTOKEN, that is the password, and refused rules are not used', async () => {
    const server = fakeServer({ tokens: true, refuses: /^\(|nopass|^#|\|/ })
    const { users, lines } = usersOver(server.send)
    const access = await users.grant(ED)
    const rules = server.users.get(usernameOf('', ED))
    expect(rules).toContain(`>${typeof access === 'string' ? access : access.password}`)
    expect(lines).toEqual([])
    const before = server.commands()
    await users.grant(ED)
    // The way that works is remembered: a token and the user.
    expect(server.commands() - before).toBe(2)
  })

  it('RB12 at Upstash no other way is tried', async () => {
    const server = fakeServer({ tokens: true, refuses: /^\(|\+(?:hello|auth|quit)/ })
    const { users } = usersOver(server.send, { url: 'rediss://default:x@eu1.upstash.io:6379' })
    expect(await users.grant(ED)).toMatchObject({ url: 'rediss://eu1.upstash.io:6379' })
  })

  it('RB7 a server without selectors gets the flat rules', async () => {
    const server = fakeServer({ refuses: /^\(/ })
    expect(await usersOver(server.send).users.grant(ED)).toMatchObject({ username: usernameOf('', ED) })
    expect(server.users.get(usernameOf('', ED))).toContain('+subscribe')
  })

  it('RB11 a server without users is told of once, without the password, and asked again later', async () => {
    let isOld = true
    const server = fakeServer({ fails: () => (isOld ? new ReplyError("ERR unknown '>hunter2' near") : undefined) })
    const { users, lines, clock } = usersOver(server.send)
    for (let tries = 0; tries < 5; tries++) expect(await users.grant(ED)).toBe('Unsupported')
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('hunter2')
    expect(server.commands()).toBe(4)
    isOld = false
    await clock.advance(60_000)
    expect(await users.grant(ED)).toMatchObject({ username: usernameOf('', ED) })
  })

  it('RB11 a server that is away is not one without users', async () => {
    let failure: Error | undefined = new Error('Connection is closed')
    const server = fakeServer({ fails: () => failure })
    const { users, lines } = usersOver(server.send)
    expect(await users.grant(ED)).toBe('Away')
    failure = undefined
    expect(await users.grant(ED)).toMatchObject({ username: usernameOf('', ED) })
    failure = new ReplyError('LOADING Redis is loading the dataset in memory')
    expect(await users.grant(ED)).toBe('Away')
    expect(lines).toEqual([])
  })

  it('RB10 a name that is none gets nothing, and no command is sent', async () => {
    const server = fakeServer()
    const { users } = usersOver(server.send)
    for (const evil of ['*', 'ac*', 'a b', '&a']) {
      expect(await users.grant({ ...ED, tenant: evil })).toBe('Unsupported')
      expect(await users.revoke({ ...ED, sprite: evil })).toBe(true)
    }
    expect(server.commands()).toBe(0)
    expect(() => usersOver(server.send, { prefix: '*' })).toThrow(RangeError)
  })
})
