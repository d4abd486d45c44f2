/** Tests of compression: who gets it, what it is, and that a client that goes leaves nothing behind. */
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { acceptsGzip, compressed, COMPRESS_FROM_BYTES } from './compress.ts'
import type { ApiResponse } from './exchange.ts'

const request = (encoding: string | undefined, method = 'GET', signal = new AbortController().signal) => ({
  method,
  headers: new Map(encoding === undefined ? [] : [['accept-encoding', encoding]]),
  signal,
})
const answer = (body: ApiResponse['body']): ApiResponse => ({ status: 200, headers: { Vary: 'Accept' }, body })
const LARGE = 'x'.repeat(COMPRESS_FROM_BYTES)

async function bytesOf(body: ApiResponse['body']): Promise<Buffer> {
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

describe('compression', () => {
  it.each([
    ['gzip', true],
    ['deflate, gzip;q=0.5', true],
    ['*', true],
    ['x-gzip', true],
    ['GZIP ; Q=0.001', true],
    ['gzip;q=0', false],
    ['gzip;q=0.000, *', false],
    ['*;q=0', false],
    ['identity', false],
    ['gzip;q=nonsense', false],
    ['', false],
    [undefined, false],
    [`gzip,${'x'.repeat(2_000)}`, false],
  ])('SV23 Accept-Encoding %j: gzip %s', (header, isAccepted) => {
    expect(acceptsGzip(header)).toBe(isAccepted)
  })

  it('SV23 a large answer goes in gzip to those who accept it, and says that it varies', async () => {
    const sent = await compressed(request('gzip'), answer(LARGE))
    expect(sent.headers).toEqual({ Vary: 'Accept, Accept-Encoding', 'Content-Encoding': 'gzip' })
    expect(gunzipSync(await bytesOf(sent.body)).toString()).toBe(LARGE)
    const plain = await compressed(request(undefined), answer(LARGE))
    expect(plain.headers).toEqual({ Vary: 'Accept, Accept-Encoding' })
    expect(plain.body).toBe(LARGE)
  })

  it('SV23 small answers, writes and watches are sent as they are', async () => {
    async function* events() {
      yield LARGE
    }
    const watch = answer(events())
    expect(await compressed(request('gzip'), watch)).toBe(watch)
    const small = answer('x'.repeat(COMPRESS_FROM_BYTES - 1))
    expect(await compressed(request('gzip'), small)).toBe(small)
    const write = answer(LARGE)
    expect(await compressed(request('gzip', 'POST'), write)).toBe(write)
  })

  it('SV23 a document that is kept is compressed once', async () => {
    const document = Buffer.from(LARGE)
    const [first, second] = [
      await compressed(request('gzip'), answer(document)),
      await compressed(request('gzip'), answer(document)),
    ]
    expect(first.body).toBe(second.body)
    expect(gunzipSync(await bytesOf(first.body)).toString()).toBe(LARGE)
  })

  it('SV23 a list in pieces is compressed piece by piece; who goes lets go of it', async () => {
    let isLeft = false
    function* pieces() {
      try {
        for (let index = 0; index < 8; index++) yield Buffer.from(`${index}${LARGE}`)
      } finally {
        isLeft = true
      }
    }
    const sent = await compressed(request('gzip'), answer(pieces()))
    expect(gunzipSync(await bytesOf(sent.body)).toString()).toBe(
      [0, 1, 2, 3, 4, 5, 6, 7].map((n) => n + LARGE).join(''),
    )
    isLeft = false
    const half = await compressed(request('gzip'), answer(pieces()))
    for await (const _chunk of half.body as AsyncIterable<Uint8Array>) break
    await expect.poll(() => isLeft).toBe(true)
  })
})
