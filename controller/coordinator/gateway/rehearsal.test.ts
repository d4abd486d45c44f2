/** The rehearsal model: what it delivers for each persona, that it is repeatable, ends, and streams as the API does. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { promptParts } from '../../../protocol/prompt.ts'
import { readToolCall, REVIEW_TASK_TYPE, toolsFor } from '../../../protocol/tools.ts'
import type { Task } from '../../../protocol/coordinator.ts'
import { rehearsalUpstream, REHEARSAL_MODEL } from './rehearsal.ts'
import { answerTo, type RehearsalAnswer } from './rehearsal/answer.ts'
import { REHEARSAL_LINE } from './rehearsal/piece.ts'
import { messagesRequest, type MessagesRequest } from './request.ts'
import { asRecord, usageOf } from './usage.ts'
import type { StreamEvent, UpstreamReply } from './upstream.ts'

const BRIEF = `# Q1 Launch Campaign

Acme Corp launches **Roadrunner Relay**, a parcel locker network for small online shops, on 3 February 2027.

## Audience
Owners of online shops in mid-sized cities, who pack parcels themselves.

## Goals
- 1,200 shops on the waiting list by 31 January 2027

## Messages
- Drop a parcel before 14:00 and it is delivered the same evening
- No contract and no minimum: pay per parcel
`

const taskOf = (agentType: string, overrides: Partial<Task> = {}): Task => ({
  work: 'w',
  attempt: 1,
  model: 'claude-test',
  type: 'do_it',
  description: 'Do your part of the launch of Roadrunner Relay.',
  tenant: { name: 'acme-corp', displayName: 'Acme Corp' },
  brand: {
    voice: 'Plain, warm and a little dry. No jokes.',
    guidelines: '- Use short sentences\n- Avoid exclamation marks',
  },
  project: { name: 'q1', displayName: 'Q1 Launch Campaign', brief: BRIEF },
  context: [],
  feedback: [],
  persona: {
    name: agentType,
    description: 'Does it',
    prompt: 'Do it',
    effort: 'low',
    maxTokens: 8_192,
    tools: ['deliver', 'hand_off', 'request_review', 'report_blocked'],
    mayHandOffTo: [],
  },
  handOffTargets: [],
  ...overrides,
})

function requestOf(task: Task, overrides: Partial<MessagesRequest> = {}): MessagesRequest {
  const { system, user } = promptParts(task)
  return messagesRequest.parse({
    model: task.model,
    max_tokens: task.persona.maxTokens,
    system: system.map((part) => ({
      type: 'text',
      text: part.text,
      ...(part.cache ? { cache_control: { type: 'ephemeral' } } : {}),
    })),
    tools: toolsFor(task),
    messages: [{ role: 'user', content: [{ type: 'text', text: user }] }],
    ...overrides,
  })
}

const calls = (answer: RehearsalAnswer) =>
  answer.blocks.flatMap((block) => {
    if (block.type !== 'tool_use') return []
    const parsed = readToolCall(block.name, block.input)
    if (!parsed.ok) throw new Error(parsed.error)
    return [parsed.call]
  })
const deliverables = (task: Task): { readonly name: string; readonly content: string }[] =>
  calls(answerTo(requestOf(task))).flatMap((call) => (call.name === 'deliver' ? [call.input] : []))
const delivered = (task: Task): string =>
  deliverables(task)
    .map(({ content }) => content)
    .join('\n')

const PERSONAS = `director strategist copywriter editor researcher seo-specialist social-media-manager designer analyst
  email-marketer translator`.split(/\s+/)

describe('rehearsal model', () => {
  it.each(PERSONAS)(
    'RH1 a %s delivers Markdown that begins with the rehearsal line and uses the brief',
    (agentType) => {
      const content = delivered(taskOf(agentType))
      expect(content.split('\n')[0]).toBe(REHEARSAL_LINE)
      expect(content).toMatch(/^# .+/m)
      expect(content).toContain('Roadrunner Relay')
      expect(content).toContain('same evening')
      expect(content).not.toMatch(/undefined|NaN|\[object|\.\.$/m)
      expect(content.length).toBeGreaterThan(400)
    },
  )

  it('RH2 the same request has the same answer, whatever came before', async () => {
    const upstream = rehearsalUpstream()
    const [one, other] = [requestOf(taskOf('director')), requestOf(taskOf('editor'))]
    const contentOf = async (request: MessagesRequest): Promise<unknown> => {
      const reply = await upstream(request, new AbortController().signal)
      return reply.kind === 'message' ? [reply.message['content'], reply.message['id']] : undefined
    }
    const first = await contentOf(one)
    await contentOf(other)
    expect(await contentOf(one)).toEqual(first)
  })

  it('RH3 ends the turn with a summary once it has delivered', () => {
    const task = taskOf('copywriter')
    const request = requestOf(task)
    const first = answerTo(request)
    expect(first.stopReason).toBe('tool_use')
    const answer = first.blocks.map((block, index) => (block.type === 'text' ? block : { ...block, id: `t${index}` }))
    const results = answer.flatMap((block) =>
      block.type === 'tool_use' ? [{ type: 'tool_result', tool_use_id: block.id, content: 'ok' }] : [],
    )
    const next = messagesRequest.parse({
      ...request,
      messages: [...request.messages, { role: 'assistant', content: answer }, { role: 'user', content: results }],
    })
    const last = answerTo(next)
    expect(last.stopReason).toBe('end_turn')
    expect(last.blocks).toMatchObject([{ type: 'text', text: expect.stringContaining('Rehearsal') }])
  })

  it('RH4 hands off to the first target that is new to the chain, so that a chain ends', () => {
    const targets = ['director', 'editor'].map((agentType) => ({ agentType, description: 'x' }))
    const context = [{ work: 'a', agentType: 'director', summary: 's', deliverables: [] }]
    const handOffs = calls(answerTo(requestOf(taskOf('copywriter', { handOffTargets: targets, context })))).filter(
      (call) => call.name === 'hand_off',
    )
    expect(handOffs).toMatchObject([{ input: { agentType: 'editor', type: 'edit_copy' } }])
    const all = [...context, { work: 'b', agentType: 'editor', summary: 's', deliverables: [] }]
    const ended = calls(answerTo(requestOf(taskOf('copywriter', { handOffTargets: targets, context: all }))))
    expect(ended.map(({ name }) => name)).toEqual(['deliver'])
    expect(calls(answerTo(requestOf(taskOf('copywriter')))).map(({ name }) => name)).toEqual(['deliver'])
  })

  it('RH5 an editor works on the text before it; a review ends with a verdict', () => {
    const copy = delivered(taskOf('copywriter'))
    const context = [
      {
        work: 'a',
        agentType: 'copywriter',
        summary: 's',
        deliverables: [{ name: 'launch-copy', mediaType: 'text/markdown', content: copy }],
      },
    ]
    const edited = deliverables(taskOf('editor', { context }))
    expect(edited.map(({ name }) => name)).toEqual(['launch-copy', 'editors-notes'])
    expect(edited[0]?.content).toContain('No contract')
    expect(edited[0]?.content.match(/Rehearsal:/g)).toHaveLength(1)
    const review = calls(answerTo(requestOf(taskOf('editor', { type: REVIEW_TASK_TYPE, context }))))
    expect(review).toMatchObject([{ name: 'deliver', input: { verdict: 'Approved' } }])
  })

  it('RH6 whatever the texts, its calls are well formed and within max_tokens', () => {
    const text = fc.oneof(fc.string({ maxLength: 300 }), fc.lorem({ mode: 'sentences', maxCount: 8 }))
    const maxTokens = fc.integer({ min: 256, max: 4_096 })
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.constantFrom(...PERSONAS),
        maxTokens,
        (brief, voice, description, agentType, max) => {
          const task = taskOf(agentType, {
            description: description || 'x',
            brand: { voice, guidelines: brief, context: voice },
          })
          const answer = answerTo(
            requestOf({ ...task, project: { name: 'p', displayName: 'P', brief } }, { max_tokens: max }),
          )
          expect(calls(answer).length).toBeGreaterThanOrEqual(1)
          expect(JSON.stringify(answer.blocks).length / 4).toBeLessThan(Math.max(max, 500))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('RH7 usage shows a prefix as written to the cache first and read from it then', async () => {
    const upstream = rehearsalUpstream()
    const usage = async () => {
      const reply = await upstream(requestOf(taskOf('director')), new AbortController().signal)
      return reply.kind === 'message' ? usageOf(reply.message['usage']) : undefined
    }
    const [first, second] = [await usage(), await usage()]
    expect(first?.cacheReadTokens).toBe(0)
    expect(first?.cacheWriteTokens).toBeGreaterThan(100)
    expect(second).toEqual({ ...first, cacheReadTokens: first?.cacheWriteTokens, cacheWriteTokens: 0 })
  })

  it('RH8 streams the API’s sequence of events, which make up the same message', async () => {
    const request = requestOf(taskOf('director', { handOffTargets: [{ agentType: 'editor', description: 'x' }] }))
    const whole = await rehearsalUpstream()(request, new AbortController().signal)
    const streamed = await rehearsalUpstream()({ ...request, stream: true }, new AbortController().signal)
    const events = await all(streamed)
    expect(events[0]?.type).toBe('message_start')
    expect(events.slice(-2).map((event) => event.type)).toEqual(['message_delta', 'message_stop'])
    const message = whole.kind === 'message' ? whole.message : undefined
    expect(rebuilt(events)).toEqual(message?.['content'])
    expect(asRecord(events[0]?.['message'])['model']).toBe(REHEARSAL_MODEL)
  })

  it('RH6 hostile texts of megabytes cost no more than long ones', () => {
    const started = process.cpuUsage().user
    for (const text of [
      '<task>\n'.repeat(300_000),
      `${'.'.repeat(200_000)}x`,
      `${' '.repeat(200_000)}x`,
      '['.repeat(200_000),
    ]) {
      const task = taskOf('editor', { description: text, brand: { voice: text, guidelines: text, context: text } })
      answerTo(requestOf({ ...task, project: { name: 'p', displayName: 'P', brief: text } }))
      const messages = [{ role: 'user' as const, content: text }]
      answerTo({ model: 'm', max_tokens: 300, system: text, messages })
    }
    expect((process.cpuUsage().user - started) / 1_000).toBeLessThan(5_000)
  })

  it('RH9 a text that is no task is answered as such', () => {
    const request = messagesRequest.parse({
      model: 'm',
      max_tokens: 300,
      messages: [{ role: 'user', content: 'Hello' }],
    })
    expect(answerTo(request)).toMatchObject({ stopReason: 'end_turn' })
  })
})

async function all(reply: UpstreamReply): Promise<StreamEvent[]> {
  const events: StreamEvent[] = []
  if (reply.kind === 'stream') for await (const event of reply.events) events.push(event)
  return events
}

/** The content blocks that a client puts together from the events. */
function rebuilt(events: readonly StreamEvent[]): unknown[] {
  const blocks: Record<string, unknown>[] = []
  const texts: string[] = []
  for (const event of events) {
    const index = Number(event['index'])
    if (event.type === 'content_block_start') {
      blocks[index] = { ...asRecord(event['content_block']) }
      texts[index] = ''
    }
    if (event.type === 'content_block_delta') {
      const delta = asRecord(event['delta'])
      texts[index] += String(delta['text'] ?? delta['partial_json'])
    }
  }
  return blocks.map((block, index) =>
    block['type'] === 'text'
      ? { ...block, text: texts[index] }
      : { ...block, input: JSON.parse(texts[index] ?? '') as unknown },
  )
}
