/** The Coordinator client: over real HTTP against a fake, and its waiting against a clock that stands still. */
import { afterEach, describe, expect, it } from 'vitest'
import { SPRITE_API, type InboxMessage } from '../protocol/coordinator.ts'
import { realClock, type Clock } from '../system/clock.ts'
import { seededEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { TestClock } from '../system/test-clock.ts'
import { createCoordinatorClient, type CoordinatorClient } from './coordinator-client.ts'
import { startFakeCoordinator, type FakeCoordinator } from './fake/coordinator.ts'
import { createFakeMessages } from './fake/messages.ts'
import { listen, sendJson, type FakeServer } from './fake/server.ts'
import { fakeTask } from './fake/task.ts'
import { HttpError, createHttp, type Http, type HttpReply } from './http.ts'
import { failed } from './outcome.ts'

const TOKEN = 'sprite-token-0123456789'
const signal = new AbortController().signal
let closing: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of closing.toReversed()) await one.close()
  closing = []
})

async function connected(): Promise<{ fake: FakeCoordinator; client: CoordinatorClient; waits: number[] }> {
  const fake = await startFakeCoordinator(createFakeMessages([]))
  const http = createHttp({ baseUrl: fake.url, token: TOKEN, clock: realClock })
  closing.push(fake, http)
  const waits: number[] = []
  const clock: Clock = {
    ...realClock,
    sleep: (delayMs) => {
      waits.push(delayMs)
      return Promise.resolve()
    },
  }
  return { fake, client: createCoordinatorClient({ http, clock, entropy: seededEntropy(1), log: silentLog }), waits }
}

describe('over HTTP', () => {
  it('CC1 announces, claims and reports with its token', async () => {
    const { fake, client } = await connected()
    expect(await client.announce(0, '1.0.0', signal)).toMatchObject({ sprite: 'copywriter-1', incarnation: 1 })
    expect(await client.claim(signal)).toBeUndefined()
    fake.tasks.push(fakeTask())
    expect(await client.claim(signal)).toEqual(fakeTask())
    expect(await client.heartbeat({ state: 'idle' }, signal)).toEqual({ directive: 'continue' })
    await client.progress('write-launch-email', 1, 'x'.repeat(900))
    expect(await client.report(failed(fakeTask(), 'Failed', 'No'), signal)).toBe('accepted')
    expect(fake.seen.failed).toMatchObject([{ reason: 'Failed', message: 'No' }])
    expect(fake.seen.progress[0]).toHaveLength(500)
    expect([...fake.seen.authorizations]).toEqual([`Bearer ${TOKEN}`])
  })

  it('CC2 tries again after 429, 5xx and broken connections', async () => {
    const { fake, client, waits } = await connected()
    fake.faults.set(SPRITE_API.claim, [503, 429, 500])
    expect(await client.claim(signal)).toBeUndefined()
    expect(waits).toHaveLength(3)
  })

  it.each([
    ['claim', 401],
    ['claim', 403],
    ['claim', 404],
    ['claim', 409],
    ['announce', 409],
  ] as const)('CC4 %s answered with %d is fenced', async (name, status) => {
    const { fake, client } = await connected()
    fake.faults.set(SPRITE_API[name], [status])
    const call = name === 'claim' ? client.claim(signal) : client.announce(0, '1', signal)
    await expect(call).rejects.toMatchObject({ reason: 'Fenced' })
  })

  it('CC4 a report answered with 409 is void, with 401 fenced', async () => {
    const { fake, client } = await connected()
    const report = failed(fakeTask(), 'Failed', 'No')
    fake.faults.set(SPRITE_API.fail, [409, 401])
    expect(await client.report(report, signal)).toBe('void')
    await expect(client.report(report, signal)).rejects.toMatchObject({ reason: 'Fenced' })
  })

  it('CC5 other refusals are not tried again', async () => {
    const { fake, client, waits } = await connected()
    fake.faults.set(SPRITE_API.fail, [422])
    await expect(client.report(failed(fakeTask(), 'Failed', 'No'), signal)).rejects.toMatchObject({ reason: 'Refused' })
    expect(waits).toEqual([])
  })

  it('CC6 reads the inbox until it ends, and can be stopped', async () => {
    const { fake, client } = await connected()
    const messages: InboxMessage[] = []
    let opened = 0
    const listener = { onOpen: () => void opened++, onMessage: (message: InboxMessage) => void messages.push(message) }
    const first = client.inbox(listener, signal)
    await fake.until(() => fake.seen.paths.includes(SPRITE_API.inbox))
    fake.tell({ type: 'work_available' })
    fake.tell({ type: 'abandon', work: 'a' })
    fake.hangUp()
    await first
    expect(opened).toBe(1)
    expect(messages).toEqual([{ type: 'ping' }, { type: 'work_available' }, { type: 'abandon', work: 'a' }])
    const stop = new AbortController()
    const second = client.inbox({ ...listener, onOpen: () => stop.abort() }, stop.signal)
    await expect(second).rejects.toMatchObject({ reason: 'Aborted' })
    fake.faults.set(SPRITE_API.inbox, [409, 503])
    await expect(client.inbox(listener, signal)).rejects.toMatchObject({ reason: 'Fenced' })
    await expect(client.inbox(listener, signal)).rejects.toMatchObject({ reason: 'Unavailable' })
  })
})

/** HTTP that answers from a list, and fails when it is empty. */
function scripted(replies: readonly (number | Partial<HttpReply>)[]): Http & { readonly calls: () => number } {
  let calls = 0
  return {
    call: () => {
      const reply = replies[calls++]
      if (reply === undefined) return Promise.reject(new HttpError('Unreachable', 'connect ECONNREFUSED'))
      const given = typeof reply === 'number' ? { status: reply } : reply
      return Promise.resolve({ status: 200, headers: {}, text: '{}', ...given })
    },
    stream: () => Promise.resolve(undefined),
    close: () => {},
    calls: () => calls,
  }
}

function clientOver(http: Http): { clock: TestClock; client: CoordinatorClient } {
  const clock = new TestClock()
  return { clock, client: createCoordinatorClient({ http, clock, entropy: seededEntropy(7), log: silentLog }) }
}

describe('waiting', () => {
  it('CC2 waits as long as the Coordinator asks, but never more than 15 s', async () => {
    const http = scripted([
      { status: 429, headers: { 'retry-after': '9' } },
      { status: 503, headers: { 'retry-after': '600' } },
      204,
    ])
    const { clock, client } = clientOver(http)
    const claimed = client.claim(signal)
    await clock.advance(8_999)
    expect(http.calls()).toBe(1)
    await clock.advance(1)
    expect(http.calls()).toBe(2)
    await clock.advance(15_000)
    expect(await claimed).toBeUndefined()
    expect(clock.pendingTimers).toBe(0)
  })

  it('CC3 is lost when no call is answered for lostAfterMs, not before', async () => {
    const { clock, client } = clientOver(scripted([]))
    client.setLostAfter(30_000)
    const outcome = client.announce(0, '1', signal).catch((error: unknown) => error)
    await clock.advance(29_999)
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(1)
    expect(await outcome).toMatchObject({ reason: 'Lost' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('CC3 a refusal is an answer', async () => {
    const { clock, client } = clientOver(scripted([422]))
    await clock.advance(10_000)
    await client.report(failed(fakeTask(), 'Failed', 'No'), signal).catch(() => {})
    expect(client.silentForMs()).toBe(0)
  })

  it('CC2 a claim is given up after six tries: an idle sprite asks again later', async () => {
    const http = scripted([])
    const { clock, client } = clientOver(http)
    const outcome = client.claim(signal).catch((error: unknown) => error)
    await clock.advance(30_000)
    expect(await outcome).toMatchObject({ reason: 'Unavailable' })
    expect(http.calls()).toBe(6)
    expect(clock.pendingTimers).toBe(0)
  })

  it('CC2 a heartbeat is tried once', async () => {
    const http = scripted([503, 204])
    const { client } = clientOver(http)
    await expect(client.heartbeat({ state: 'idle' }, signal)).rejects.toMatchObject({ reason: 'Unavailable' })
    expect(http.calls()).toBe(1)
  })

  it('CC5 an answer that cannot be read is refused', async () => {
    const { client } = clientOver(scripted([{ text: '{"work":1}' }]))
    await expect(client.claim(signal)).rejects.toMatchObject({ reason: 'Refused' })
  })

  it('CC7 stops waiting when it is aborted', async () => {
    const { clock, client } = clientOver(scripted([]))
    const stop = new AbortController()
    const outcome = client.claim(stop.signal).catch((error: unknown) => error)
    await clock.advance(100)
    stop.abort()
    expect(await outcome).toMatchObject({ reason: 'Aborted' })
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('http', () => {
  async function serve(answer: Parameters<typeof listen>[0]): Promise<FakeServer> {
    const server = await listen(answer)
    closing.push(server)
    return server
  }

  it('CC7 bounds the size of a reply and of a line', async () => {
    const server = await serve((request, response) => {
      if (request.method === 'GET') response.end('x'.repeat(5_000))
      else sendJson(response, 200, 'x'.repeat(5_000))
    })
    const http = createHttp({ baseUrl: server.url, token: TOKEN, clock: realClock, sizeBytesMax: 1_000 })
    closing.push(http)
    await expect(http.call({ method: 'POST', path: '/', body: {} })).rejects.toMatchObject({ reason: 'TooLarge' })
    const stream = { path: '/', signal, onOpen: () => {}, onLine: () => {} }
    await expect(http.stream(stream)).rejects.toMatchObject({ reason: 'TooLarge' })
  })

  it('CC7 gives up a call without a reply, and a stream that is silent', async () => {
    const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const server = await serve((request, response) => {
      if (request.method === 'GET') response.writeHead(200).flushHeaders()
      else arrived[0].resolve()
    })
    const clock = new TestClock()
    const http = createHttp({ baseUrl: server.url, token: TOKEN, clock })
    closing.push(http)
    const call = http.call({ method: 'POST', path: '/', body: {} }).catch((error: unknown) => error)
    await arrived[0].promise
    await clock.advance(10_000)
    expect(await call).toMatchObject({ reason: 'TimedOut' })
    const onOpen = (): void => arrived[1].resolve()
    const stream = http.stream({ path: '/', signal, onOpen, onLine: () => {} }).catch((error: unknown) => error)
    await arrived[1].promise
    await clock.advance(45_000)
    expect(await stream).toMatchObject({ reason: 'TimedOut' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('CC1 keeps the path of its base URL and one connection for calls that follow one another', async () => {
    const paths: string[] = []
    const server = await serve((request, response) => {
      paths.push(request.path)
      sendJson(response, 200, { connection: request.headers.connection })
    })
    const http = createHttp({ baseUrl: `${server.url}/base/`, token: TOKEN, clock: realClock })
    closing.push(http)
    for (let call = 0; call < 3; call++) {
      const reply = await http.call({ method: 'POST', path: '/sprite', body: {} })
      expect(reply.text).toContain('keep-alive')
    }
    expect(paths).toEqual(['/base/sprite', '/base/sprite', '/base/sprite'])
  })

  it('CC7 says Unreachable when nobody listens', async () => {
    const server = await listen(() => {})
    await server.close()
    const http = createHttp({ baseUrl: server.url, token: TOKEN, clock: realClock })
    closing.push(http)
    await expect(http.call({ method: 'POST', path: '/', body: {} })).rejects.toMatchObject({ reason: 'Unreachable' })
  })
})
