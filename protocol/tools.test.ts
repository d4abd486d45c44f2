/** Tests of the tools' definitions and parsers: what the definition asks for is what the parser takes. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Task } from './coordinator.ts'
import { readToolCall, REVIEW_TASK_TYPE, TOOL_CALLS, toolsFor } from './tools.ts'

const taskOf = (overrides: Partial<Task> = {}): Task => ({
  work: 'w',
  attempt: 1,
  type: 'write_copy',
  description: 'Write',
  persona: {
    name: 'copywriter',
    description: 'Writes',
    effort: 'medium',
    maxTokens: 8192,
    tools: ['deliver', 'hand_off', 'request_review', 'report_blocked'],
    mayHandOffTo: ['editor'],
    prompt: 'You write',
  },
  model: 'm',
  tenant: { name: 'acme', displayName: 'Acme' },
  brand: {},
  handOffTargets: [{ agentType: 'editor', description: 'Edits' }],
  context: [],
  feedback: [],
  ...overrides,
})

const namesOf = (task: Task): string[] => toolsFor(task).map((tool) => tool.name)

describe('tools', () => {
  it('TO1 offers what the persona has, and hand_off only where there is a target', () => {
    expect(namesOf(taskOf())).toEqual(['deliver', 'hand_off', 'request_review', 'report_blocked'])
    expect(namesOf(taskOf({ handOffTargets: [] }))).toEqual(['deliver', 'request_review', 'report_blocked'])
    expect(namesOf(taskOf({ persona: { ...taskOf().persona, tools: ['deliver'] } }))).toEqual(['deliver'])
  })

  it('TO2 the definition names exactly the fields that the parser knows', () => {
    for (const tool of toolsFor(taskOf({ type: REVIEW_TASK_TYPE }))) {
      const schema = z.toJSONSchema(TOOL_CALLS[tool.name], { io: 'input' })
      expect(Object.keys(tool.input_schema.properties).sort()).toEqual(Object.keys(schema.properties ?? {}).sort())
      expect(tool.input_schema.required).toEqual(expect.arrayContaining(schema.required ?? []))
    }
  })

  it('TO3 a verdict is asked for in a review only', () => {
    const [ordinary] = toolsFor(taskOf())
    const [review] = toolsFor(taskOf({ type: REVIEW_TASK_TYPE }))
    expect(ordinary?.input_schema.properties).not.toHaveProperty('verdict')
    expect(review?.input_schema.required).toContain('verdict')
  })

  it('TO4 a wrong call is answered with what to correct', () => {
    expect(readToolCall('deliver', { name: 'a', content: 'b' })).toEqual({
      ok: true,
      call: { name: 'deliver', input: { name: 'a', content: 'b', mediaType: 'text/markdown' } },
    })
    expect(readToolCall('deliver', { name: 'a' })).toMatchObject({
      ok: false,
      error: expect.stringContaining('content'),
    })
    expect(readToolCall('constructor', {})).toMatchObject({ ok: false })
    expect(readToolCall('hand_off', { agentType: 'editor', extra: 1 })).toMatchObject({ ok: false })
  })
})
