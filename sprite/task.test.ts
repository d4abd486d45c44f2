/** One task against a fake Messages server: rounds, tools, mending, failures, retries, abort. */
import { afterEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { TestClock } from '../system/test-clock.ts'
import { realClock } from '../system/clock.ts'
import type { Task } from '../protocol/coordinator.ts'
import { createAnthropicLlm } from './anthropic.ts'
import { createFakeMessages, type FakeAnswer, type FakeBlock, type FakeMessages } from './fake/messages.ts'
import { listen, type FakeServer } from './fake/server.ts'
import { fakeTask } from './fake/task.ts'
import type { Report } from './lifecycle.ts'
import { ROUNDS_MAX, doTask } from './task.ts'

let servers: FakeServer[] = []
afterEach(async () => {
  for (const server of servers) await server.close()
  servers = []
})

type Setting = {
  readonly messages: FakeMessages
  readonly progress: string[]
  readonly run: (task?: Task, signal?: AbortSignal) => Promise<Report>
}

/** Waits are skipped but recorded, so that back-off costs a test no time. */
async function setUp(script: readonly FakeAnswer[]): Promise<Setting & { readonly waits: number[] }> {
  const messages = createFakeMessages(script)
  const server = await listen((request, response) => messages.answer(request, response))
  servers.push(server)
  const waits: number[] = []
  const clock = {
    ...realClock,
    sleep: (delayMs: number) => {
      waits.push(delayMs)
      return Promise.resolve()
    },
  }
  const ports = { clock, entropy: seededEntropy(1), log: silentLog }
  const llm = createAnthropicLlm(ports, { coordinatorUrl: server.url, token: 'sprite-token-0123456789' })
  const progress: string[] = []
  const onProgress = (message: string): void => void progress.push(message)
  const run: Setting['run'] = (task = fakeTask(), signal = new AbortController().signal) =>
    doTask({ llm, clock, onProgress }, task, signal)
  return { messages, progress, waits, run }
}

const text = (words: string): FakeBlock => ({ type: 'text', text: words })
const call = (name: string, input: unknown): FakeBlock => ({ type: 'tool_use', name, input })
const ends = (words: string): FakeAnswer => ({ blocks: [text(words)], stopReason: 'end_turn' })
const calls = (...blocks: readonly FakeBlock[]): FakeAnswer => ({ blocks, stopReason: 'tool_use' })
const deliver = call('deliver', { name: 'email', content: '# Hello' })

describe('doTask', () => {
  it('TK1 gathers deliverables, hand-offs and reviews, and ends with the model’s own summary', async () => {
    const handOff = call('hand_off', { agentType: 'editor', type: 'edit_copy', description: 'Edit it' })
    const review = call('request_review', { question: 'Is it right?', artifact: 'email', reviewer: 'person' })
    const { messages, progress, run } = await setUp([calls(deliver, handOff, review), ends('Wrote it.')])
    expect(await run()).toEqual({
      outcome: 'complete',
      body: {
        work: 'write-launch-email',
        attempt: 1,
        summary: 'Wrote it.',
        deliverables: [{ name: 'email', mediaType: 'text/markdown', content: '# Hello' }],
        handOffs: [{ agentType: 'editor', type: 'edit_copy', description: 'Edit it' }],
        reviews: [{ question: 'Is it right?', artifact: 'email', reviewer: 'person' }],
      },
    })
    expect(progress).toEqual(['Delivered email', 'Handing on to editor'])
    expect(messages.calls).toHaveLength(2)
  })

  it('TK2 asks through the gateway with its token, its work, the cached prefix and the persona’s settings', async () => {
    const { messages, run } = await setUp([calls(deliver), ends('Done.')])
    await run(fakeTask({ attempt: 4 }))
    const [first, second] = messages.calls
    expect(first?.headers.authorization).toBe('Bearer sprite-token-0123456789')
    expect(first?.headers['x-api-key']).toBeUndefined()
    expect(first?.headers['x-sprite-work']).toBe('write-launch-email/4')
    expect(first?.body).toMatchObject({ model: 'claude-test', max_tokens: 4096, output_config: { effort: 'medium' } })
    expect(first?.body['stream']).toBe(true)
    expect(Object.keys(first?.body ?? {})).not.toContain('temperature')
    expect(first?.body.system.every((part) => part.cache_control !== undefined)).toBe(true)
    expect(first?.body.tools.map((tool) => tool.name)).toEqual([
      'deliver',
      'hand_off',
      'request_review',
      'report_blocked',
    ])
    const marks = JSON.stringify(second?.body).split('cache_control').length - 1
    expect(marks).toBeLessThanOrEqual(4)
    expect(JSON.stringify(second?.body.messages.at(-1))).toContain('cache_control')
  })

  it('TK3 tells the model what is wrong with a call, so that it can mend it', async () => {
    const bad = call('deliver', { name: '', content: '# Hello' })
    const { messages, run } = await setUp([calls(bad, call('shell', { run: 'ls' })), calls(deliver), ends('Done.')])
    const report = await run()
    expect(report).toMatchObject({ outcome: 'complete', body: { deliverables: [{ name: 'email' }] } })
    const results = messages.calls[1]?.body.messages.at(-1)?.content
    expect(results).toMatchObject([
      { type: 'tool_result', is_error: true, tool_use_id: 'toolu_1_0' },
      { type: 'tool_result', is_error: true, tool_use_id: 'toolu_1_1' },
    ])
    expect(JSON.stringify(results)).toContain('name')
  })

  it('TK4 refuses a hand-off to an agent type that was not offered', async () => {
    const stray = call('hand_off', { agentType: 'director', type: 'lead', description: 'Lead it' })
    const { messages, run } = await setUp([calls(deliver, stray), ends('Done.')])
    expect(await run()).toMatchObject({ outcome: 'complete', body: { handOffs: [] } })
    expect(JSON.stringify(messages.calls[1]?.body.messages.at(-1))).toContain('"director\\" is not in it: editor')
  })

  it('TK5 a name delivered again replaces the first', async () => {
    const again = call('deliver', { name: 'email', content: '# Better' })
    const { run } = await setUp([calls(deliver), calls(again), ends('Done.')])
    expect(await run()).toMatchObject({ body: { deliverables: [{ name: 'email', content: '# Better' }] } })
  })

  it('TK6 asks once for a deliverable, then takes the text itself', async () => {
    const { messages, run } = await setUp([ends('Here it is: Hello.'), ends('Hello, world.')])
    expect(await run()).toMatchObject({
      outcome: 'complete',
      body: { deliverables: [{ name: 'write_copy', mediaType: 'text/markdown', content: 'Hello, world.' }] },
    })
    expect(messages.calls).toHaveLength(2)
    expect(JSON.stringify(messages.calls[1]?.body.messages.at(-1))).toContain('deliver')
  })

  it('TK7 fails, to be tried again, when the model ends with nothing at all', async () => {
    const { messages, run } = await setUp([{ blocks: [], stopReason: 'end_turn' }])
    expect(await run()).toMatchObject({ outcome: 'fail', body: { reason: 'Failed', retryable: true } })
    expect(messages.calls).toHaveLength(2)
    // An empty assistant turn is not sent back: the API refuses it.
    expect(messages.calls[1]?.body.messages).toHaveLength(1)
  })

  it('TK8 report_blocked ends the task as Blocked', async () => {
    const { messages, run } = await setUp([calls(call('report_blocked', { message: 'The price list is missing' }))])
    expect(await run()).toMatchObject({
      body: { reason: 'Blocked', message: 'The price list is missing', retryable: false },
    })
    expect(messages.calls).toHaveLength(1)
  })

  it('TK9 a review needs a verdict', async () => {
    const task = fakeTask({ type: 'review' })
    const verdict = call('deliver', { name: 'answer', content: 'Good.', verdict: 'Approved' })
    const { messages, run } = await setUp([calls(deliver), calls(verdict), ends('Approved it.')])
    expect(await run(task)).toMatchObject({ outcome: 'complete', body: { verdict: 'Approved' } })
    expect(JSON.stringify(messages.calls[1]?.body.messages.at(-1))).toContain('verdict')
  })

  it.each([
    ['refusal', 'Refused'],
    ['model_context_window_exceeded', 'TooLong'],
  ])('TK10 stop reason %s fails as %s', async (stopReason, reason) => {
    const { run } = await setUp([{ blocks: [text('No.')], stopReason }])
    expect(await run()).toMatchObject({ outcome: 'fail', body: { reason, retryable: false } })
  })

  it('TK11 an answer cut at max_tokens may be mended once, then the task is too long', async () => {
    const cut: FakeAnswer = { blocks: [text('So'), deliver], stopReason: 'max_tokens' }
    const mended = await setUp([cut, calls(deliver), ends('Done.')])
    expect(await mended.run()).toMatchObject({ outcome: 'complete' })
    expect(mended.messages.calls[1]?.body.messages.at(-1)?.content).toMatchObject([
      { type: 'tool_result', is_error: true },
      { type: 'text' },
    ])
    const hopeless = await setUp([cut])
    expect(await hopeless.run()).toMatchObject({ body: { reason: 'TooLong', retryable: false } })
    expect(hopeless.messages.calls).toHaveLength(2)
  })

  it('TK12 a paused turn goes on, and thinking goes back as it came', async () => {
    const thinking: FakeBlock = { type: 'thinking', thinking: 'Hm', signature: 'sig' }
    const paused: FakeAnswer = { blocks: [thinking, text('Wait')], stopReason: 'pause_turn' }
    const { messages, run } = await setUp([paused, calls(deliver), ends('Done.')])
    expect(await run()).toMatchObject({ outcome: 'complete' })
    expect(messages.calls[1]?.body.messages[1]?.content[0]).toEqual(thinking)
    expect(messages.calls[1]?.body.messages.at(-1)?.role).toBe('user')
  })

  it('TK13 stops after a bounded number of rounds, with what there is', async () => {
    const endless = await setUp([calls(deliver)])
    expect(await endless.run()).toMatchObject({ outcome: 'complete', body: { summary: 'Delivered email.' } })
    expect(endless.messages.calls).toHaveLength(ROUNDS_MAX)
    const fruitless = await setUp([calls(call('deliver', {}))])
    expect(await fruitless.run()).toMatchObject({ body: { reason: 'Failed' } })
  })

  it.each([
    ['429', { status: 429, headers: { 'retry-after': '7' } } as const, 7_000],
    ['529', { status: 529 } as const, 0],
    ['503', { status: 503, headers: { 'retry-after-ms': '1500' } } as const, 1_500],
    ['a cut stream', { cut: true } as const, 0],
    ['an error in the stream', { streamError: 'overloaded_error' } as const, 0],
  ])('TK14 tries again after %s, no sooner than asked', async (_, fault, waitMs) => {
    const { messages, waits, run } = await setUp([fault, calls(deliver), ends('Done.')])
    expect(await run()).toMatchObject({ outcome: 'complete' })
    expect(messages.calls).toHaveLength(3)
    expect(waits).toHaveLength(1)
    expect(waits[0]).toBeGreaterThanOrEqual(Math.max(waitMs, 500))
  })

  it('TK15 gives up after six tries, or at once when it is to wait for more than a minute', async () => {
    const patient = await setUp([{ status: 500 }])
    const message = expect.stringMatching(/^The model did not answer: ".+"$/)
    expect(await patient.run()).toMatchObject({ body: { reason: 'ModelUnavailable', retryable: true, message } })
    expect(patient.messages.calls).toHaveLength(6)
    const hurried = await setUp([{ status: 429, headers: { 'retry-after': '3600' } }])
    expect(await hurried.run()).toMatchObject({ body: { reason: 'ModelUnavailable' } })
    expect(hurried.messages.calls).toHaveLength(1)
  })

  it('TK16 a budget refusal fails as BudgetExhausted with the gateway’s words', async () => {
    const refusal = { error: { reason: 'BudgetExhausted', message: 'Raise the plan: 0 tokens are left' } }
    const { messages, run } = await setUp([
      { status: 403, headers: { 'x-sprite-reason': 'BudgetExhausted' }, body: refusal },
    ])
    expect(await run()).toMatchObject({
      body: { reason: 'BudgetExhausted', message: 'Raise the plan: 0 tokens are left', retryable: false },
    })
    expect(messages.calls).toHaveLength(1)
  })

  it('TK17 a request that is wrong is not tried again', async () => {
    const body = { error: { type: 'invalid_request_error', message: 'messages: too many images' } }
    const { messages, run } = await setUp([{ status: 400, body }])
    const message = 'Mend what the model refused, "messages: too many images", then retry the work'
    expect(await run()).toMatchObject({ body: { reason: 'Failed', retryable: false, message } })
    expect(messages.calls).toHaveLength(1)
    const tooLarge = await setUp([{ status: 413 }])
    const shorten = expect.stringMatching(/^Shorten the task or its context: the model refused the call, /)
    expect(await tooLarge.run()).toMatchObject({ body: { reason: 'TooLong', message: shorten } })
  })

  it('TK18 abort stops the call at once and reports nothing', async () => {
    const { run } = await setUp([{ hang: true }])
    const controller = new AbortController()
    const running = run(fakeTask(), controller.signal)
    controller.abort()
    await expect(running).rejects.toMatchObject({ reason: 'Aborted' })
  })

  it('TK19 a task past its deadline fails as DeadlineExceeded, and no timer is left', async () => {
    const clock = new TestClock()
    const llm = { complete: (_: unknown, signal: AbortSignal) => clock.sleep(60_000, signal).then(() => never()) }
    const task = fakeTask({ deadlineMs: clock.now() + 1_000 })
    const running = doTask({ llm, clock, onProgress: () => {} }, task, new AbortController().signal)
    await clock.advance(1_000)
    expect(await running).toMatchObject({ body: { reason: 'DeadlineExceeded', retryable: false } })
    expect(clock.pendingTimers).toBe(0)
  })
})

function never(): never {
  throw new Error('The deadline must come first')
}
