/** The upstream to Claude against a Messages server on loopback: what is sent, and what each failure becomes. */
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { anthropicUpstream } from './anthropic.ts'
import type { MessagesRequest } from './request.ts'
import { sseText } from './relay.ts'
import type { StreamEvent, UpstreamReply } from './upstream.ts'

const EVENTS: StreamEvent[] = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-test',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 7, output_tokens: 1, cache_read_input_tokens: null },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 9 } },
  { type: 'message_stop' },
]

type Seen = { readonly headers: http.IncomingHttpHeaders; readonly body: Record<string, unknown>; readonly url: string }
let close: (() => Promise<void>) | undefined
let seen: Seen[] = []

async function serve(answer: (response: http.ServerResponse) => void): Promise<string> {
  seen = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
      seen.push({ headers: request.headers, body, url: request.url ?? '' })
      answer(response)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  close = () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  // A TCP server's address is an object.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const stream =
  (events: readonly StreamEvent[], end: (response: http.ServerResponse) => void = (response) => response.end()) =>
  (response: http.ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of events) response.write(sseText(event))
    end(response)
  }
const refuse =
  (status: number, type: string, headers: http.OutgoingHttpHeaders = {}) =>
  (response: http.ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify({ type: 'error', error: { type, message: `It is ${type}` } }))
  }

const request = (overrides: Partial<MessagesRequest> = {}): MessagesRequest => ({
  model: 'claude-test',
  max_tokens: 32_000,
  messages: [{ role: 'user', content: 'Hello' }],
  ...overrides,
})
const call = (baseUrl: string, sent = request(), signal = new AbortController().signal): Promise<UpstreamReply> =>
  anthropicUpstream({ apiKey: 'sk-test-key', baseUrl, timeoutMs: 5_000 })(sent, signal)

async function eventsOf(reply: UpstreamReply): Promise<StreamEvent[]> {
  if (reply.kind !== 'stream') throw new Error(`No stream but ${JSON.stringify(reply)}`)
  const events: StreamEvent[] = []
  for await (const event of reply.events) events.push(event)
  return events
}

afterEach(async () => {
  vi.unstubAllEnvs()
  await close?.()
  close = undefined
})

describe('anthropic upstream', () => {
  it('AN1 sends the key from the settings, and nothing that the environment holds', async () => {
    vi.stubEnv('ANTHROPIC_API_KEY', 'sk-env')
    vi.stubEnv('ANTHROPIC_AUTH_TOKEN', 'env-token')
    vi.stubEnv('ANTHROPIC_BASE_URL', 'http://127.0.0.1:1')
    vi.stubEnv('ANTHROPIC_CUSTOM_HEADERS', 'x-canary: leaked\nauthorization: Bearer leaked')
    const url = await serve(stream(EVENTS))
    await call(url)
    expect(seen[0]?.url).toBe('/v1/messages')
    expect(seen[0]?.headers.authorization).toBe('Bearer sk-test-key')
    expect(JSON.stringify(seen[0]?.headers)).not.toMatch(/leaked|sk-env|env-token|canary/)
  })

  it('AN2 gives a whole message where no stream was asked for, however long it may be', async () => {
    const reply = await call(await serve(stream(EVENTS)))
    expect(reply).toMatchObject({
      kind: 'message',
      rehearsal: false,
      message: { type: 'message', content: [{ type: 'text', text: 'Hello' }], usage: { output_tokens: 9 } },
    })
    expect(seen[0]?.body).toMatchObject({ stream: true, max_tokens: 32_000 })
  })

  it('AN3 passes events on as they come', async () => {
    const events = await eventsOf(await call(await serve(stream(EVENTS)), request({ stream: true })))
    expect(events).toEqual(EVENTS.filter((event) => event.type !== 'ping'))
  })

  it('AN3 a stream that is cut ends without message_stop or throws', async () => {
    const url = await serve(stream(EVENTS.slice(0, 4), (response) => response.destroy()))
    const reply = await call(url, request({ stream: true }))
    const types: string[] = []
    const read = async (): Promise<void> => {
      if (reply.kind === 'stream') for await (const event of reply.events) types.push(event.type)
    }
    await read().catch(() => {})
    expect(types).not.toContain('message_stop')
    expect(await call(await serve(stream(EVENTS.slice(0, 4), (response) => response.destroy())))).toMatchObject({
      kind: 'failure',
      cost: 'unknown',
    })
  })

  it.each([
    [400, 'invalid_request_error', { status: 400, type: 'invalid_request_error', cost: 'none' }],
    [429, 'rate_limit_error', { status: 429, type: 'rate_limit_error', cost: 'none', retryAfterS: 12 }],
    [529, 'overloaded_error', { status: 529, type: 'overloaded_error', cost: 'none' }],
    [500, 'api_error', { status: 500, type: 'api_error', cost: 'unknown' }],
    [504, 'timeout_error', { status: 504, type: 'timeout_error', cost: 'unknown' }],
    [401, 'authentication_error', { status: 503, type: 'api_error', cost: 'none' }],
    [403, 'permission_error', { status: 503, type: 'api_error', cost: 'none' }],
  ] as const)('AN4 %s %s is passed on as what the sprite can act on, after one try', async (status, type, expected) => {
    const url = await serve(refuse(status, type, status === 429 ? { 'retry-after': '12' } : {}))
    for (const sent of [request(), request({ stream: true })])
      expect(await call(url, sent)).toMatchObject({ kind: 'failure', ...expected })
    expect(seen).toHaveLength(2)
  })

  it('AN5 a server that cannot be reached costs nothing; one that hangs up costs all', async () => {
    const url = await serve((response) => response.destroy())
    expect(await call(url)).toMatchObject({ kind: 'failure', status: 503, cost: 'unknown' })
    await close?.()
    close = undefined
    expect(await call(url)).toMatchObject({ kind: 'failure', status: 503, cost: 'none' })
  })

  it('AN7 no failure repeats the key, whatever stands between answers', async () => {
    const echo = (response: http.ServerResponse): void => {
      response.writeHead(400, { 'content-type': 'application/json' })
      const error = { type: 'sk-test-key', message: `${'x'.repeat(995)}Bearer sk-test-key` }
      response.end(JSON.stringify({ type: 'error', error }))
    }
    const url = await serve(echo)
    for (const sent of [request(), request({ stream: true })]) {
      const reply = await call(url, sent)
      expect(reply).toMatchObject({ kind: 'failure', status: 400 })
      expect(JSON.stringify(reply)).not.toContain('sk-t')
    }
  })

  it('AN8 an answer longer than it can be is cut, and costs all', async () => {
    const url = await serve((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const line = Buffer.alloc(1_048_576, 'x')
      let left = 80
      const more = (): void => {
        for (; left > 0; left--) if (!response.write(line)) return void response.once('drain', more)
        response.end()
      }
      more()
    })
    expect(await call(url)).toMatchObject({ kind: 'failure', cost: 'unknown' })
  })

  it.each([
    ['1e30', 86_400],
    ['1e400', 86_400],
    ['-1', undefined],
    ['soon', undefined],
  ])('AN4 a wait of %s is passed on as %s s', async (given, passedOn) => {
    const reply = await call(await serve(refuse(429, 'rate_limit_error', { 'retry-after': given })))
    expect(reply.kind === 'failure' ? reply.retryAfterS : Number.NaN).toBe(passedOn)
  })

  it('AN4 a code that is none of a failure is 503', async () => {
    const url = await serve((response) => response.writeHead(304).end())
    expect(await call(url)).toMatchObject({ kind: 'failure', status: 503 })
  })

  it('AN6 the signal ends a call that hangs', async () => {
    const stop = new AbortController()
    const url = await serve(() => stop.abort())
    expect(await call(url, request(), stop.signal)).toMatchObject({ kind: 'failure', status: 504, cost: 'unknown' })
  })
})
