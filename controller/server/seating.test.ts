/** Tests of how requests take their seats: what holds one, what does not, and that it always comes back. */
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../system/metrics.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { createFairSeats } from './fair-seats.ts'
import { makeNamespace, SPRITES, spriteBody, testServer } from './testing.ts'

async function started(over: { readonly seats?: number; readonly standing?: number } = {}) {
  const metrics = createMetrics()
  const seats = createFairSeats({ clock: new TestClock(), metrics, reserved: 0, ...over })
  const server = testServer({ seats, metrics })
  await makeNamespace(server)
  return { ...server, metrics }
}

describe('seating', () => {
  it('FQ7 refusals and failures give their seat back', async () => {
    const server = await started({ seats: 1 })
    for (const [method, path, status] of [
      ['GET', `${SPRITES}/none`, 404],
      ['POST', SPRITES, 400],
      ['GET', `${SPRITES}?limit=x`, 400],
      ['GET', SPRITES, 200],
    ] as const)
      expect((await server.send(method, path, method === 'POST' ? { body: '{' } : {})).status).toBe(status)
    expect(await server.metrics.expose()).toContain('apiserver_seats_in_use 0')
  })

  it('FQ8 a body that comes slowly keeps nobody from the only seat', async () => {
    const server = await started({ seats: 1 })
    const { promise, resolve } = Promise.withResolvers<Uint8Array>()
    const slow = server.send('POST', SPRITES, { over: { readBody: () => promise } })
    await settle()
    expect((await server.send('GET', SPRITES)).status).toBe(200)
    resolve(Buffer.from(JSON.stringify(spriteBody('a'))))
    expect((await slow).status).toBe(201)
  })

  it('FQ6 the watch that is one too many is 429 with Retry-After; one that ends makes room', async () => {
    const server = await started({ standing: 1 })
    const open = (signal: AbortSignal) => server.send('GET', `${SPRITES}?watch=1`, { over: { signal } })
    const gone = new AbortController()
    // An admin may have ten times as many.
    for (let index = 0; index < 10; index++) expect((await open(gone.signal)).status).toBe(200)
    const refused = await open(gone.signal)
    expect(refused.status).toBe(429)
    expect(refused.response.headers['Retry-After']).toBe('1')
    expect(refused.body).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', details: { retryAfterSeconds: 1 } })
    gone.abort()
    expect((await open(new AbortController().signal)).status).toBe(200)
  })

  it('FQ6 a watch that is refused holds no allowance', async () => {
    const server = await started({ standing: 1 })
    const { signal } = new AbortController()
    for (let index = 0; index < 30; index++)
      expect((await server.send('GET', `${SPRITES}?watch=1&labelSelector=a%20in(`, { over: { signal } })).status).toBe(
        400,
      )
  })
})
