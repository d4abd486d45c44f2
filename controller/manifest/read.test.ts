/** Reading manifests: what is read, what is refused and where, and that nothing hostile costs more than its bounds. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ALIASES_MAX, boundedTree, KEYS_MAX, LEVELS_MAX, PROPERTIES_MAX, TOKENS_MAX } from './bounds.ts'
import { ERRORS_MAX } from './compose.ts'
import { formatProblem, PROBLEMS_MAX } from './problem.ts'
import { readManifests } from './read.ts'
import { DOCUMENT_CHARS_MAX, DOCUMENTS_MAX, FILE_CHARS_MAX, splitDocuments } from './split.ts'

const read = (text: string) => readManifests(text, { file: 'f.yaml' })
const values = (text: string) => read(text).documents.map((document) => document.value)
const lines = (text: string) => read(text).problems.map(formatProblem)

describe('documents', () => {
  it('MF1 reads each with its number and first line, leaving out empty ones', () => {
    const { documents, problems } = read(
      '# c\na: 1\n---\n# only a comment\n---\n--- # c\nb: 2\n...\nc: 3\n--- {d: 4}\n',
    )
    expect(problems).toEqual([])
    expect(documents.map(({ value, index, line }) => ({ value, index, line }))).toEqual([
      { value: { a: 1 }, index: 0, line: 2 },
      { value: { b: 2 }, index: 1, line: 7 },
      { value: { c: 3 }, index: 2, line: 9 },
      { value: { d: 4 }, index: 3, line: 10 },
    ])
  })

  it.each(['', '\n', '---\n', '# c\n---\n---\n...\n'])('MF1 reads nothing in %j', (text) => {
    expect(read(text)).toEqual({ documents: [], problems: [] })
  })

  it('MF1 reads JSON, tabs and CRLF and a byte order mark too', () => {
    expect(values('{"a": 1,\n\t"b": ["yes", null, true]}')).toEqual([{ a: 1, b: ['yes', null, true] }])
    expect(values('a: 1\r\nb: |\r\n  yes\r\n  no\r\n')).toEqual([{ a: 1, b: 'yes\nno\n' }])
    expect(values('\uFEFFa: 1\n')).toEqual([{ a: 1 }])
  })

  it('MF1 takes a List apart, with positions in the file', () => {
    const { documents, problems } = read('kind: List\nitems:\n- kind: A\n  b: 1\n- 3\n- kind: C\n')
    expect(documents.map(({ value, line }) => ({ value, line }))).toEqual([
      { value: { kind: 'A', b: 1 }, line: 3 },
      { value: { kind: 'C' }, line: 6 },
    ])
    expect(documents[0]?.locate(['b'])).toEqual({ line: 4, column: 6 })
    expect(problems.map(formatProblem)).toEqual([
      'f.yaml:5:3: items[1]: Not an object, received 3 (write apiVersion, kind, metadata and spec)',
    ])
    expect(lines('kind: List\n')).toHaveLength(1)
  })

  it('MF1 keeps one bad document from hiding the others', () => {
    const { documents, problems } = read('a: 1\n---\nb: [\n---\nc: 3\n')
    expect(documents.map((document) => document.value)).toEqual([{ a: 1 }, { c: 3 }])
    expect(problems.map((problem) => problem.line)).toEqual([4])
  })

  it('MF1 gives plain objects, whatever their keys are called', () => {
    const [value] = values('__proto__: {a: 1}\nconstructor: 2\n')
    expect(Object.keys(value ?? {})).toEqual(['__proto__', 'constructor'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })
})

describe('positions', () => {
  const text = 'spec:\n  work:\n    - name: a\n      "q": 1\n    - {name: b, in: [x]}\n'
  const [document] = read(text).documents

  it.each<[(string | number)[], 'key' | 'value' | undefined, number, number]>([
    [['spec'], undefined, 1, 1],
    [['spec', 'work', 0, 'name'], undefined, 3, 13],
    [['spec', 'work', 0, 'name'], 'key', 3, 7],
    [['spec', 'work', 0, 'q'], undefined, 4, 12],
    [['spec', 'work', 1], undefined, 5, 7],
    [['spec', 'work', 1, 'in', 0], undefined, 5, 22],
    [['spec', 'work', 1, 'missing', 'deeper'], undefined, 5, 7],
    [['spec', 'absent'], undefined, 1, 1],
    [['absent'], undefined, 1, 1],
    [['spec', 'work', 7], undefined, 2, 3],
  ])('MF2 finds %j (%s)', (path, at, line, column) => {
    expect(document?.locate(path, at)).toEqual({ line, column })
  })
})

describe('what readers disagree on', () => {
  it.each([
    'yes',
    'No',
    'on',
    'OFF',
    'y',
    'N',
    '010',
    '-07',
    '0o17',
    '08',
    '1:30',
    '190:20:30',
    '1_000',
    '0b11',
    '0x_1',
  ])('MF3 refuses %s as a value and as a key, and takes it quoted', (source) => {
    expect(lines(`a: ${source}\n`)[0]).toContain(`f.yaml:1:4: a: Ambiguous value "${source}"`)
    expect(lines(`${source}: 1\n`)[0]).toContain(`f.yaml:1:1: Ambiguous key "${source}"`)
    expect(values(`a: "${source}"\n"${source}": b\n`)).toEqual([{ a: source, [source]: 'b' }])
  })

  it.each<[string, unknown]>([
    ['0', 0],
    ['-1', -1],
    ['0x1F', 31],
    ['1e3', 1000],
    ['0.5', 0.5],
    ['true', true],
    ['~', null],
    ['2026-01-31', '2026-01-31'],
    ['1.2.3', '1.2.3'],
    ['node', 'node'],
    ['fra', 'fra'],
    ['a_b', 'a_b'],
    ['sha256:00', 'sha256:00'],
  ])('MF3 takes %s', (source, value) => {
    expect(values(`a: ${source}\n`)).toEqual([{ a: value }])
  })

  it.each(['.inf', '-.inf', '.nan', '12345678901234567890', '1e999'])('MF3 refuses the number %s', (source) => {
    expect(lines(`a: ${source}\n`)[0]).toContain('cannot be kept exactly')
  })
})

describe('what is refused', () => {
  it.each([
    ['a: 1\nb: 1\na: 2\n', 'f.yaml:3:1: a: Duplicate key, received "a"'],
    ['a: {b: 1, b: 2}\n', 'f.yaml:1:11: a.b: Duplicate key, received "b"'],
    ['{"a": 1, "a": 2}', 'f.yaml:1:10: a: Duplicate key, received "a"'],
    ['a: &x {b: 1}\nc: {<<: *x}\n', 'f.yaml:2:5: c: Merge keys are not read, received "<<" (write the fields out)'],
    ['? [a]\n: b\n', 'f.yaml:1:3: A key must be a text'],
    ['1: a\n', 'f.yaml:1:1: Ambiguous key "1": not every reader takes it for a text (quote it: "1")'],
    ['a: !foo 1\n', 'f.yaml:1:9: a: Unknown tag "!foo" (remove it)'],
    ['%YAML 1.1\n---\na: 1\n', 'f.yaml:1:1: YAML directives are not read (remove the line)'],
    ['- 1\n', 'f.yaml:1:1: Not an object, received [1] (write apiVersion, kind, metadata and spec)'],
    ['text\n', 'f.yaml:1:1: Not an object, received "text" (write apiVersion, kind, metadata and spec)'],
    ['a: *x\n', 'f.yaml:1:4: a: Alias "x" refers to nothing above it, received "*x" (write the value out)'],
    [
      'a: &x [*x]\n',
      'f.yaml:1:8: a[0]: Alias "x" stands within what it refers to, received "*x" (write the value out)',
    ],
    ['a: "\\q"\n', 'f.yaml:1:5: Cannot read the YAML: invalid escape "\\\\q" (write \\\\)'],
    ['a: [1,,2]\n', 'f.yaml:1:7: Cannot read the YAML: a comma has no item before it'],
    ['a: b: c\n', 'f.yaml:1:4: Cannot read the YAML: Nested mappings are not allowed in compact mappings'],
  ])('MF4 refuses %j', (text, line) => {
    expect(lines(text)).toEqual([line])
    expect(read(text).documents.filter(({ index }) => index === 0)).toEqual([])
  })

  it('MF4 shares what an alias refers to', () => {
    expect(values('a: &x {b: 1}\nc: [*x, *x]\n')).toEqual([{ a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] }])
  })
})

describe('hostile texts', () => {
  const keys = (count: number, write: (key: string) => string): string =>
    Array.from({ length: count }, (_, index) => write(`k${index}`)).join('')

  it.each<[string, string, string]>([
    ['a text of 10 MB', `a: "${'x'.repeat(10_000_000)}"`, `a file may hold at most ${FILE_CHARS_MAX} characters`],
    ['100,000 documents', 'a: 1\n---\n'.repeat(100_000), `a file may hold at most ${DOCUMENTS_MAX}`],
    ['a large document', `a: "${'x'.repeat(DOCUMENT_CHARS_MAX)}"`, `a document may hold at most ${DOCUMENT_CHARS_MAX}`],
    ['60,000 keys in a block', keys(60_000, (key) => `${key}: 1\n`), `at most ${DOCUMENT_CHARS_MAX} characters`],
    ['60,000 keys in a flow', `{${keys(60_000, (key) => `${key}: 1,`)}}`, `at most ${DOCUMENT_CHARS_MAX} characters`],
    ['60,000 short keys', `{${'a,'.repeat(60_000)}}`, `at most ${TOKENS_MAX} tokens`],
    ['a key too many in a block', keys(KEYS_MAX + 1, (key) => `${key}: 1\n`), `at most ${KEYS_MAX}`],
    ['a key too many in a flow', `a: {${keys(KEYS_MAX + 1, (key) => `${key}: 1,`)}}`, `at most ${KEYS_MAX}`],
    ['100,000 brackets', `a: ${'['.repeat(100_000)}`, `at most ${TOKENS_MAX} tokens`],
    ['50,000 brackets', `a: ${'['.repeat(50_000)}`, `at most ${LEVELS_MAX} levels`],
    ['20,000 dashes', '- '.repeat(20_000), `at most ${LEVELS_MAX} levels`],
    [
      'a level too many in blocks',
      Array.from({ length: LEVELS_MAX + 1 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''),
      `at most ${LEVELS_MAX} levels`,
    ],
    ['an alias too many', `a: &a 1\nb: [${'*a,'.repeat(ALIASES_MAX + 1)}]`, `at most ${ALIASES_MAX}`],
    [
      'a bomb of aliases',
      `a: &a [lol]\n${Array.from(
        'abcdefgh',
        (name, at) => `${'bcdefghi'[at]}: &${'bcdefghi'[at]} [*${name}, *${name}]\n`,
      )
        .join('')
        .concat('z: [*i, *i, *i, *i, *i]')}`,
      `at most ${ALIASES_MAX}`,
    ],
    ['one large anchor', `a: &a "${'x'.repeat(200_000)}"\nb: [*a, *a, *a, *a, *a, *a]`, 'aliases expand to more than'],
    [
      'doubling anchors',
      `a: &a "${'x'.repeat(9000)}"\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\ne: &e [*d, *d]\nf: &f [*e, *e]\ng: &g [*f, *f]\nh: [*g, *g]`,
      'aliases expand to more than',
    ],
    ['anchors in a row', '&a '.repeat(50_000), `at most ${PROPERTIES_MAX}`],
    ['tags in a row', '!a '.repeat(50_000), `at most ${PROPERTIES_MAX}`],
  ])('MF5 refuses %s with one problem', (_, text, message) => {
    const { documents, problems } = read(text)
    expect(documents).toEqual([])
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toContain(message)
  })

  it('MF5 stops at the first syntax errors instead of keeping thousands', () => {
    expect(read('"x" '.repeat(20_000)).problems).toHaveLength(ERRORS_MAX)
    expect(read(']'.repeat(50_000)).problems.length).toBeLessThanOrEqual(ERRORS_MAX)
    expect(read('a: yes\n---\n'.repeat(90)).problems).toHaveLength(PROBLEMS_MAX)
  })

  it('MF5 takes what lies just within the bounds', () => {
    const deep = `${'['.repeat(LEVELS_MAX - 1)}${']'.repeat(LEVELS_MAX - 1)}`
    expect(read(`a: ${deep}`).problems).toEqual([])
    expect(read(keys(KEYS_MAX, (key) => `${key}: 1\n`)).problems).toEqual([])
    expect(read('a: 1\n---\n'.repeat(DOCUMENTS_MAX)).documents).toHaveLength(DOCUMENTS_MAX)
    expect(read(`a: |\n${`  ${'x'.repeat(80)}\n`.repeat(3000)}`).problems).toEqual([])
  })

  it('MF5 takes no more tokens than it was given, and stops lexing there', () => {
    const tree = boundedTree('a: [1, 2, 3]\n'.repeat(1000), 50)
    expect(tree).toMatchObject({ ok: false, count: 51 })
  })

  it('MF5 counts the tokens of all documents together', () => {
    const document = `---\n${keys(1500, (key) => `${key}: 1\n`)}`
    const { documents, problems } = read(document.repeat(50))
    expect(documents.length).toBeLessThan(20)
    expect(problems.map(({ message }) => message)).toEqual([`Too large: a file may hold at most ${TOKENS_MAX} tokens`])
  })

  it('MF5 stops splitting soon after the last document that is allowed', () => {
    const { chunks, isCut } = splitDocuments('---\na: 1\n'.repeat(100_000))
    expect({ isCut, isBounded: chunks.length <= DOCUMENTS_MAX + 1 }).toEqual({ isCut: true, isBounded: true })
  })

  it('MF6 never throws, whatever the text', () => {
    const piece = fc.constantFrom(
      'a',
      'b: ',
      '- ',
      '? ',
      ': ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '\n',
      '  ',
      '# ',
      '&a ',
      '*a',
      '!t ',
      '|',
      '>',
      '\\',
      '%',
      '---',
      '\n---\n',
      '\n...\n',
      '1',
      '~',
      '\t',
      '<<: ',
      '\r',
      '\u0000',
      'é',
    )
    const text = fc.oneof(
      fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join('')),
      fc.string(),
    )
    fc.assert(
      fc.property(text, (one) => {
        for (const { line, column } of read(one).problems) expect(Math.min(line, column)).toBeGreaterThan(0)
      }),
      { numRuns: 500 },
    )
  })

  it('MF6 reads back any JSON object as it was', () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }))
    fc.assert(
      fc.property(object, (value) => {
        const text = JSON.stringify(value)
        const [back] = values(text)
        // A List is taken apart, and numbers that JavaScript cannot keep are refused.
        if (back !== undefined && value['kind'] !== 'List') expect(JSON.stringify(back)).toBe(text)
      }),
      { numRuns: 300 },
    )
  })
})
