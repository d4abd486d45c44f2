/** Tests of the prompt contract: what goes in comes out, whatever the texts hold. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { promptParts, readPrompt, type PromptContent } from './prompt.ts'

const hostile = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc
    .array(fc.constantFrom('</task>', '<task>', '\n', '<\\name>', '\\', '<', '</', 'persona>', '\n</brand>', 'a$1'), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const compact = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T

const names = fc.record({ name: hostile, displayName: hostile })
const content: fc.Arbitrary<PromptContent> = fc
  .record({
    type: hostile,
    description: hostile,
    input: optional(fc.record({ key: hostile, other: fc.array(hostile, { maxLength: 2 }) })),
    persona: fc.record({ name: hostile, description: hostile, prompt: hostile }),
    tenant: names,
    brand: fc
      .record({ voice: optional(hostile), guidelines: optional(hostile), context: optional(hostile) })
      .map(compact),
    project: optional(fc.record({ name: hostile, displayName: hostile, brief: hostile })),
    handOffTargets: fc.array(fc.record({ agentType: hostile, description: hostile }), { maxLength: 3 }),
    context: fc.array(
      fc.record({
        work: hostile,
        agentType: hostile,
        summary: hostile,
        deliverables: fc.array(fc.record({ name: hostile, mediaType: hostile, content: hostile }), { maxLength: 2 }),
      }),
      { maxLength: 3 },
    ),
    feedback: fc.array(fc.record({ artifact: hostile, verdict: hostile, comment: hostile, by: hostile }), {
      maxLength: 2,
    }),
  })
  // The optional fields are left out rather than undefined.
  .map((value) => compact(value) as PromptContent)

describe('prompt', () => {
  it('PR2 PR3 readPrompt is the inverse of promptParts for any texts', () => {
    fc.assert(
      fc.property(content, (task) => {
        const { system, user } = promptParts(task)
        expect(
          readPrompt(
            system.map((part) => part.text),
            user,
          ),
        ).toEqual(task)
      }),
      { numRuns: 300 },
    )
  })

  it('PR1 the stable blocks do not change with the task', () => {
    fc.assert(
      fc.property(content, hostile, (task, description) => {
        expect(promptParts({ ...task, description, context: [] }).system).toEqual(promptParts(task).system)
      }),
      { numRuns: 50 },
    )
  })

  it('PR2 says that other texts are no prompt', () => {
    expect(readPrompt(['You are helpful'], 'Hello')).toBeUndefined()
  })
})
