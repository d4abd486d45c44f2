/** Persona files: what is read, and where and how a bad one is refused. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Persona } from './persona.ts'
import { checkPersonas, parsePersona, type PersonaProblem } from './persona-file.ts'

const good = `---
name: copywriter
description: Writes copy.
effort: low
mayHandOffTo: [editor]
---
# Copywriter

You write.
`

function problemsOf(text: string, file = 'copywriter.md'): readonly PersonaProblem[] {
  const parsed = parsePersona(text, file)
  return parsed.ok ? [] : parsed.error
}

const front = (...lines: readonly string[]): string =>
  ['---', 'name: copywriter', 'description: Writes copy.', ...lines, '---', 'You write.'].join('\n')

describe('parsePersona', () => {
  it('PF0 reads fields, defaults and prompt', () => {
    expect(parsePersona(good, 'personas/copywriter.md')).toEqual({
      ok: true,
      value: {
        name: 'copywriter',
        description: 'Writes copy.',
        effort: 'low',
        maxTokens: 8192,
        tools: ['deliver', 'hand_off', 'request_review', 'report_blocked'],
        mayHandOffTo: ['editor'],
        prompt: '# Copywriter\n\nYou write.',
      },
    })
  })
  it('PF0 reads Windows line ends and a byte order mark', () => {
    expect(parsePersona(`\uFEFF${good.replaceAll('\n', '\r\n')}`, 'copywriter.md').ok).toBe(true)
  })
  it('PF0 keeps three dashes in the prompt', () => {
    const parsed = parsePersona(`${good}\n---\nMore.`, 'copywriter.md')
    expect(parsed.ok && parsed.value.prompt).toContain('---\nMore.')
  })

  it('PF1 says where a value is wrong, what it is and what would do', () => {
    expect(problemsOf(front('effort: huge', 'maxTokens: 10'))).toMatchObject([
      { line: 4, column: 9, field: 'effort', message: expect.stringContaining('"huge"') as string },
      { line: 5, column: 12, field: 'maxTokens', message: expect.stringContaining('256') as string },
    ])
  })
  it('PF1 finds the place inside a list', () => {
    expect(problemsOf(front('tools:', '  - deliver', '  - shell'))).toMatchObject([
      { line: 6, column: 5, field: 'tools[1]' },
    ])
  })
  it('PF1 says what is missing', () => {
    expect(problemsOf('---\nname: copywriter\n---\nYou write.')).toMatchObject([
      { field: 'description', message: expect.stringContaining('missing') as string },
    ])
    expect(problemsOf('---\nname: copywriter\ndescription: Writes.\n---\n\n')).toMatchObject([
      { field: 'prompt', line: 5 },
    ])
  })
  it.each([
    ['no front matter', '# Copywriter', 1],
    ['front matter without an end', '---\nname: copywriter\n', 3],
    ['broken YAML', front('tools: [deliver'), 4],
    ['a list as front matter', '---\n- a\n---\nText', 2],
    ['a key twice', front('effort: low', 'effort: high'), 5],
  ])('PF1 refuses %s with its line', (_, text, line) => {
    const problems = problemsOf(text)
    expect(problems[0]?.line).toBe(line)
  })

  it('PF2 the name equals the file’s', () => {
    expect(problemsOf(good, 'personas/editor.md')).toMatchObject([{ line: 2, column: 7, field: 'name' }])
  })

  it('PF3 names the nearest known key', () => {
    const [problem] = problemsOf(front('mayHandOfTo: [editor]'))
    expect(problem).toMatchObject({ line: 4, column: 1, field: 'mayHandOfTo' })
    expect(problem?.message).toContain('did you mean "mayHandOffTo"?')
    expect(problemsOf(front('temperature: 1'))[0]?.message).toContain('known are name, description')
    expect(problemsOf(front('constructor: 1', '__proto__: 2'))).toHaveLength(2)
  })

  it.each([
    ['aliases', front(`a: &a [x]`, 'b: *a')],
    ['many keys', front(...Array.from({ length: 60 }, (_, index) => `k${index}: 1`))],
    ['a long front matter', front(`model: ${'x'.repeat(20_000)}`)],
    ['a long file', `${good}${'x'.repeat(200_000)}`],
    ['deep nesting', front(`model: ${'['.repeat(5_000)}`)],
  ])('PF4 refuses %s', (_, text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0)
  })
  it('PF4 never throws, and never has more than 20 problems', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom('---', 'name: x', '- a', 'tools: [', '&a', '*a', '<<: *a', '? k', '|'),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
        const problems = problemsOf(['---', ...lines].join('\n'))
        expect(problems.length).toBeLessThanOrEqual(20)
        for (const { line, column } of problems) expect(Math.min(line, column)).toBeGreaterThanOrEqual(1)
      }),
      { numRuns: 500 },
    )
  })
})

describe('checkPersonas', () => {
  const persona = (name: string, mayHandOffTo: string[]): [string, Persona] => [
    name,
    { name, description: 'x', effort: 'low', maxTokens: 256, tools: [], mayHandOffTo, prompt: 'x' },
  ]
  it('PF5 every agent type that may be handed to exists and is another one', () => {
    const problems = checkPersonas(
      new Map([persona('copywriter', ['editr']), persona('editor', ['editor']), persona('director', ['editor'])]),
    )
    expect([...problems.keys()]).toEqual(['copywriter', 'editor'])
    expect(problems.get('copywriter')?.[0]).toContain('did you mean "editor"?')
  })
})
