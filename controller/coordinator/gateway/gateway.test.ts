/** The gateway over loopback HTTP: what may be asked, what is reserved, what is booked. Rules: docs/spec/coordinator.md. */
import { afterEach, describe, expect, it } from 'vitest'
import { REHEARSAL_HEADER, SPRITE_API, WORK_HEADER } from '../../../protocol/coordinator.ts'
import { settle } from '../../../system/test-clock.ts'
import { IN_PROGRESS, startHarness, TENANT, type Harness, type HarnessOptions, type Reply } from '../fake/harness.ts'
import { inputTokensBound } from './request.ts'
import type { OwnUpstream } from './tenant-key.ts'
import type { ModelUpstream, StreamEvent, UpstreamReply } from './upstream.ts'

const PATH = `${SPRITE_API.gateway}/v1/messages`
const KEY_REF = { name: 'anthropic', key: 'apiKey' }
const PERIOD = '2026-01'
const body = (overrides: object = {}): object => ({
  model: 'claude-test',
  max_tokens: 1_000,
  messages: [{ role: 'user', content: 'Hello' }],
  ...overrides,
})
const message = (usage: unknown): StreamEvent => ({
  type: 'message',
  model: 'claude-test',
  content: [{ type: 'text', text: 'Hi' }],
  stop_reason: 'end_turn',
  usage,
})
const USAGE = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 3, cache_creation_input_tokens: null }
const answers = (usage: unknown): UpstreamReply => ({ kind: 'message', rehearsal: false, message: message(usage) })
const streams = (...events: StreamEvent[]): UpstreamReply => ({
  kind: 'stream',
  rehearsal: false,
  events: (async function* () {
    for (const event of events) {
      await settle(1)
      if (event.type === 'cut') throw new Error('socket hang up')
      yield event
    }
  })(),
})
const START = { type: 'message_start', message: { model: 'claude-test', usage: { ...USAGE, output_tokens: 1 } } }
const DELTA = {
  type: 'message_delta',
  delta: { stop_reason: 'end_turn' },
  usage: { output_tokens: 40, input_tokens: null },
}
const STOP = { type: 'message_stop' }

let h: Harness
let asked: unknown[]
async function start(reply: UpstreamReply | ModelUpstream, options: HarnessOptions = {}): Promise<void> {
  asked = []
  const upstream: ModelUpstream = (request, signal) => {
    asked.push(request)
    return typeof reply === 'function' ? reply(request, signal) : Promise.resolve(reply)
  }
  h = await startHarness({ upstream, ...options })
  h.seedWork('w1', { status: IN_PROGRESS })
}
const ask = (sent: object = body(), headers: Record<string, string> = { [WORK_HEADER]: 'w1/1' }): Promise<Reply> =>
  h.send(PATH, sent, { headers })
const balance = () => h.ledger.read(TENANT, PERIOD)
/** What a call of body() reserves. */
const reservedFor = (sent: object): number => inputTokensBound(JSON.stringify(sent)) + 1_000
const complete = () =>
  h.send(SPRITE_API.complete, { work: 'w1', attempt: 1, summary: 's', deliverables: [], handOffs: [], reviews: [] })

afterEach(async () => {
  await h.close()
  expect(h.clock.pendingTimers).toBe(0)
})

describe('gateway', () => {
  it('GW1 reserves before the call, books the real usage after it, and writes it with the result', async () => {
    let during: unknown
    await start(async () => {
      during = await balance()
      return answers(USAGE)
    })
    const reply = await ask()
    expect(reply).toMatchObject({ status: 200, body: { content: [{ text: 'Hi' }] } })
    expect(reply.headers[REHEARSAL_HEADER]).toBeUndefined()
    expect(during).toEqual({ spent: 0, reserved: reservedFor(body()) })
    expect(await balance()).toEqual({ spent: 18, reserved: 0 })
    await ask()
    await complete()
    expect(h.work('w1').status).toMatchObject({
      usage: { inputTokens: 20, outputTokens: 10, cacheReadTokens: 6, cacheWriteTokens: 0 },
      tokensTotal: 36,
      attempts: [{ tokens: 36 }],
      model: 'claude-test',
      rehearsal: false,
    })
  })

  it.each([
    ['no header', {}, 400],
    ['a header that is none', { [WORK_HEADER]: 'w1' }, 400],
    ['a past attempt', { [WORK_HEADER]: 'w1/2' }, 409],
    ['another work', { [WORK_HEADER]: 'w2/1' }, 409],
  ])('GW2 refuses %s, asks nobody and books nothing', async (_, headers, status) => {
    await start(answers(USAGE))
    expect(await ask(body(), headers as Record<string, string>)).toMatchObject({ status, body: { type: 'error' } })
    expect(asked).toEqual([])
    expect(await balance()).toEqual({ spent: 0, reserved: 0 })
  })

  it.each([
    ['a model that is not the task’s', { model: 'claude-other' }, 403],
    ['more tokens than the persona may use', { max_tokens: 4_097 }, 400],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] }, 400],
    ['a server tool', { tools: [{ type: 'web_search_20260318', name: 'web_search' }] }, 400],
    ['a container', { container: 'x' }, 400],
    ['a temperature', { temperature: 1 }, 400],
    ['no messages', { messages: [] }, 400],
  ])('GW3 refuses %s', async (_, overrides, status) => {
    await start(answers(USAGE))
    expect(await ask(body(overrides))).toMatchObject({ status, body: { type: 'error' } })
    expect(asked).toEqual([])
  })

  it('GW11 a tenant that brings its own key is answered under that alone, as it is at each call', async () => {
    const refs: unknown[] = []
    const ownUpstream: OwnUpstream = async (tenant, ref) => {
      refs.push([tenant, ref])
      return { upstream: () => Promise.resolve(answers(USAGE)) }
    }
    await start(answers(USAGE), { ownUpstream })
    await ask()
    expect(refs).toEqual([])
    h.seedTenant({ spec: { config: { anthropicKeySecretRef: KEY_REF } } })
    expect(await ask()).toMatchObject({ status: 200, body: { content: [{ text: 'Hi' }] } })
    await ask()
    expect(refs).toEqual([
      [TENANT, KEY_REF],
      [TENANT, KEY_REF],
    ])
    expect(asked).toHaveLength(1)
    expect(await balance()).toEqual({ spent: 54, reserved: 0 })
  })

  it.each([
    [
      'SecretMissing',
      'Create Secret "anthropic" in namespace "acme" with the Anthropic key under "apiKey": there is none',
    ],
    [
      'KeyMissing',
      'Put the Anthropic key under "apiKey" into Secret "anthropic" in namespace "acme": it has no such key',
    ],
    ['none', 'Create Secret "anthropic" in namespace "acme" with the Anthropic key under "apiKey": there is none'],
  ] as const)('GW12 without that key its calls are refused, and never made with another: %s', async (fault, text) => {
    await start(answers(USAGE), fault === 'none' ? {} : { ownUpstream: () => Promise.resolve({ fault }) })
    h.seedTenant({ spec: { config: { anthropicKeySecretRef: KEY_REF } } })
    const reply = await ask()
    expect(reply).toMatchObject({ status: 503, body: { type: 'error', error: { type: 'api_error', message: text } } })
    expect(reply.headers).toMatchObject({ 'x-sprite-reason': 'AnthropicKeyMissing', 'retry-after': '30' })
    expect(asked).toEqual([])
    expect(await balance()).toEqual({ spent: 0, reserved: 0 })
  })

  it('GW4 says BudgetExhausted with the time of the next month, and asks nobody', async () => {
    await start(answers(USAGE))
    h.seedTenant({ limits: { monthlyTokens: 100 } })
    const reply = await ask()
    expect(reply).toMatchObject({
      status: 403,
      headers: { 'x-sprite-reason': 'BudgetExhausted', 'x-should-retry': 'false' },
      // No month would do.
      body: {
        type: 'error',
        error: { type: 'permission_error', message: expect.stringContaining('Raise the monthly') },
      },
    })
    h.seedTenant({ limits: { monthlyTokens: reservedFor(body()) } })
    await h.ledger.reserve({
      tenant: TENANT,
      period: '2026-01',
      id: 'x',
      tokens: 1,
      limit: null,
      expiresAfterMs: 60_000,
    })
    expect(await ask()).toMatchObject({
      body: { error: { message: expect.stringContaining('Wait for next month or') } },
    })
    const untilFebruaryS = (Date.UTC(2026, 1, 1) - h.clock.now()) / 1_000
    expect(Number(reply.headers['retry-after'])).toBe(untilFebruaryS)
    expect(asked).toEqual([])
  })

  it('GW4 fifty calls at once against a near-empty budget never pass it', async () => {
    await start(answers({ input_tokens: 500, output_tokens: 1_000 }), { settings: { callsPerSpriteMax: 100 } })
    const limit = reservedFor(body()) * 2 + 10
    h.seedTenant({ limits: { monthlyTokens: limit } })
    const replies = await Promise.all(Array.from({ length: 50 }, () => ask()))
    const granted = replies.filter((reply) => reply.status === 200).length
    const { spent, reserved } = await balance()
    expect(granted).toBeGreaterThan(0)
    expect(spent + reserved).toBe(granted * 1_500)
    expect(spent).toBeLessThanOrEqual(limit)
  })

  it('GW4 without limits in status nothing is granted; null is unlimited', async () => {
    await start(answers(USAGE))
    h.seedTenant({ limits: { monthlyTokens: null } })
    expect((await ask()).status).toBe(200)
    h.client.seed({
      kind: 'Tenant',
      metadata: { name: TENANT },
      spec: { displayName: 'A', plan: 'p', config: {}, brand: {}, suspend: false },
    })
    expect((await ask()).status).toBe(503)
  })

  it('GW5 passes a stream on as it came and books its last word on usage', async () => {
    await start(streams(START, DELTA, STOP))
    const reply = await ask(body({ stream: true }))
    expect(reply.headers['content-type']).toContain('text/event-stream')
    expect(reply.body).toBe(
      [START, DELTA, STOP].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
    )
    expect(await balance()).toEqual({ spent: 53, reserved: 0 })
  })

  it('GW5 pings while the model says nothing', async () => {
    let go = (): void => {}
    let silent = (): void => {}
    const isSilent = new Promise<void>((resolve) => (silent = resolve))
    const events = (async function* (): AsyncGenerator<StreamEvent> {
      yield START
      silent()
      await new Promise<void>((resolve) => (go = resolve))
      yield DELTA
      yield STOP
    })()
    await start({ kind: 'stream', rehearsal: false, events })
    const reply = ask(body({ stream: true }))
    await isSilent
    await settle()
    await h.clock.advance(15_000)
    go()
    expect((await reply).body).toContain('event: ping')
    expect((await balance()).spent).toBe(53)
  })

  it.each([
    ['throws', [START, { type: 'cut' }]],
    ['ends before message_stop', [START, DELTA]],
    ['holds what is no event', [START, { type: 'x\n\nevent: message_stop' }, DELTA, STOP]],
  ])('GW6 a stream that %s spends the whole reservation and ends with an error event', async (_, events) => {
    await start(streams(...events))
    const reply = await ask(body({ stream: true }))
    expect(reply.body).toContain('event: error')
    expect(await balance()).toEqual({ spent: reservedFor(body({ stream: true })), reserved: 0 })
  })

  it.each([
    ['is missing', undefined],
    ['is negative', { input_tokens: -5, output_tokens: 1 }],
    ['is no number', { input_tokens: '5', output_tokens: 1 }],
    ['is above what was reserved', { input_tokens: 5_000_000, output_tokens: 1 }],
  ])('GW6 usage that %s is not believed: the reservation is spent', async (_, usage) => {
    await start(answers(usage))
    expect((await ask()).status).toBe(200)
    expect(await balance()).toEqual({ spent: reservedFor(body()), reserved: 0 })
  })

  it.each([
    ['none', 0],
    ['unknown', 1],
  ] as const)('GW6 a failure whose cost is %s is passed on and books %s of the reservation', async (cost, share) => {
    await start({ kind: 'failure', status: 529, type: 'overloaded_error', message: 'Busy', retryAfterS: 7, cost })
    expect(await ask()).toMatchObject({
      status: 529,
      headers: { 'retry-after': '7' },
      body: { type: 'error', error: { type: 'overloaded_error', message: 'Busy' } },
    })
    expect(await balance()).toEqual({ spent: share * reservedFor(body()), reserved: 0 })
  })

  it('GW6 an upstream that throws spends the reservation and answers 503', async () => {
    await start(() => Promise.reject(new Error('bug with a key in it')))
    const reply = await ask()
    expect(reply.status).toBe(503)
    expect(JSON.stringify(reply.body)).not.toContain('bug')
    expect(await balance()).toEqual({ spent: reservedFor(body()), reserved: 0 })
  })

  it('GW7 a call that takes too long is ended by the clock', async () => {
    let arrived = (): void => {}
    const hasArrived = new Promise<void>((resolve) => (arrived = resolve))
    await start(
      (_, signal) =>
        new Promise((resolve) => {
          arrived()
          signal.addEventListener('abort', () =>
            resolve({ kind: 'failure', status: 504, type: 'timeout_error', message: 'Slow', cost: 'unknown' }),
          )
        }),
    )
    const reply = ask()
    await hasArrived
    await h.clock.advance(540_000)
    expect((await reply).status).toBe(504)
    expect((await balance()).spent).toBe(reservedFor(body()))
  })

  it('GW8 a sprite has so many calls at once, and one more is 429', async () => {
    let arrived = 0
    const open: ((reply: UpstreamReply) => void)[] = []
    let both = (): void => {}
    const bothArrived = new Promise<void>((resolve) => (both = resolve))
    await start(
      () =>
        new Promise((resolve) => {
          open.push(resolve)
          if (++arrived === 2) both()
        }),
    )
    const running = [ask(), ask()]
    await bothArrived
    expect((await ask()).status).toBe(429)
    for (const resolve of open) resolve(answers(USAGE))
    expect((await Promise.all(running)).map((reply) => reply.status)).toEqual([200, 200])
    expect((await balance()).reserved).toBe(0)
  })

  it('GW9 the rehearsal model marks its answers, and the work says so', async () => {
    h = await startHarness()
    h.seedWork('w1', { status: IN_PROGRESS })
    const reply = await ask()
    expect(reply.headers[REHEARSAL_HEADER]).toBe('true')
    await complete()
    expect(h.work('w1').status).toMatchObject({ rehearsal: true, model: 'rehearsal' })
    expect(h.work('w1').status?.tokensTotal).toBe((await balance()).spent)
  })
})

describe('input bound', () => {
  it('GW10 is at least the bytes of the text in either form, whatever the script', () => {
    for (const text of ['hello', '1234567890', 'żółć', '漢字', '🦊🦊', '\u{FDFA}', '\uD800'])
      expect(inputTokensBound(text)).toBeGreaterThanOrEqual(
        Math.max(Buffer.byteLength(text), Buffer.byteLength(text.normalize('NFKC'))),
      )
  })
})
