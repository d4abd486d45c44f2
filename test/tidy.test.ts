/** Holds the tree to the house's style, as far as a test can see it: sizes, names, words, comments, titles. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { resourceName } from '../controller/api/define-kind.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { roomOf } from './rooms.ts'
import {
  childrenOf,
  isNode,
  lineAt,
  nameOf,
  parseSource,
  ROOT,
  sourceFiles,
  walk,
  type Node,
  type SourceFile,
} from './source-tree.ts'

const SOURCE_LINES_MAX = 400
const FUNCTION_LINES_MAX = 70
/** Three, and an object of options; a signal comes last beside them. */
const PARAMETERS_MAX = 4

/** Words that say nothing about what a thing is; engine/manager.ts has its name from controller-runtime. */
const EMPTY_NAMES = /^(utils?|common|helpers?|misc|data|info|manager|services?|shared)$/i
const EMPTY_VERBS = /^(handle|process)([A-Z]|$)/
/** Nouns that only look like a verb with its object. */
const NOUNS: ReadonlySet<string> = new Set(['Manager', 'processContext'])
const RULE_ID = /^[A-Z]{1,4}(-[A-Z]+-)?\d+[a-z]?\b/

const files = sourceFiles()
const product = files.filter((file) => !file.isTestOnly)
const isTool = (file: SourceFile): boolean => roomOf(file.path)?.name === 'tools'
const found = (list: readonly string[]): string => [...list].sort().join('\n')
const at = (file: SourceFile, offset: number): string => `${file.path}:${lineAt(file, offset)}`

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

/** Functions of a file that are longer than may be; whole suites (`describe(…)`) are not functions of that sort. */
function longFunctions(file: SourceFile, linesMax: number): string[] {
  return [...walk(file.program)]
    .filter((node) => FUNCTIONS.has(node.type) && !isTable(node))
    .map((node) => ({ node, lines: lineAt(file, node.end) - lineAt(file, node.start) + 1 }))
    .filter(({ lines }) => lines > linesMax)
    .map(({ node, lines }) => `${at(file, node.start)} has a function of ${lines} lines`)
}

/** Names of a function's parameters; a pattern has none. */
const parametersOf = (node: Node): (string | undefined)[] => [node['params']].flat().filter(isNode).map(nameOf)

/** An arrow that gives a literal is a table with a parameter: it has no steps to follow. */
const isTable = (node: Node): boolean =>
  isNode(node['body']) && /^(Object|Parenthesized)Expression$/.test(node['body'].type)

type Export = { readonly name: string; readonly node: Node; readonly declaration: Node }

/** What a file itself declares and exports. */
function exportsOf(file: SourceFile): Export[] {
  return childrenOf(file.program).flatMap((node) => {
    const declaration = node['declaration']
    if (node.type !== 'ExportNamedDeclaration' || !isNode(declaration)) return []
    const one = nameOf(declaration['id'])
    if (one !== undefined) return [{ name: one, node, declaration }]
    const parts = [declaration['declarations']].flat().filter(isNode)
    return parts.map((part) => ({ name: nameOf(part['id']) ?? '', node, declaration: part }))
  })
}

/** Whether a doc comment ends right before the export. */
function hasDocComment(file: SourceFile, one: Export): boolean {
  const before = file.comments.filter((comment) => comment.end <= one.node.start).at(-1)
  if (before === undefined || !before.text.startsWith('*')) return false
  return file.text.slice(before.end, one.node.start).trim() === '' && before.start > 0
}

/** The name says it all: the type of a schema, an object of a kind, the kind itself. */
const NEEDS_NO_COMMENT =
  /^(type \w+ = (z\.infer<typeof|ObjectOf<|SpecOf<|StatusOf<|Readonly<z\.infer)|const \w+(Kind = defineKind\(|Command = buildCommand<))/

describe('files', () => {
  test('TI1 each begins with a doc comment that says what it decides or does', () => {
    expect(found(files.filter((file) => file.header === '').map((file) => file.path))).toBe('')
  })

  test('TI2 no file is longer than 400 lines', () => {
    const long = product.filter((file) => file.lines.length - 1 > SOURCE_LINES_MAX)
    expect(found(long.map((file) => `${file.path}: ${file.lines.length - 1}`))).toBe('')
  })

  test('TI3 no function is longer than 70 lines', () => {
    expect(found(product.flatMap((file) => longFunctions(file, FUNCTION_LINES_MAX)))).toBe('')
    const text = `/** A. */\nexport function a() {\n${'  a()\n'.repeat(70)}}\n`
    expect(longFunctions(parseSource('x.ts', text), FUNCTION_LINES_MAX)).toEqual(['x.ts:2 has a function of 72 lines'])
  })

  test('TI4 no function takes more than three arguments and one of options', () => {
    const findings = product.flatMap((file) =>
      [...walk(file.program)]
        .filter((node) => FUNCTIONS.has(node.type))
        .filter((node) => parametersOf(node).filter((name) => name !== 'signal').length > PARAMETERS_MAX)
        .map((node) => at(file, node.start)),
    )
    expect(found(findings)).toBe('')
  })
})

describe('names', () => {
  test('TI5 no file and no folder has an empty name', () => {
    const parts = files.flatMap((file) =>
      file.path
        .replace(/\.(test\.|e2e\.test\.)?(ts|mjs)$/, '')
        .split('/')
        .map((part) => ({ file, part })),
    )
    const findings = parts.filter(
      ({ file, part }) =>
        EMPTY_NAMES.test(part) &&
        file.path !== 'controller/engine/manager.ts' &&
        file.path !== 'controller/engine/manager.test.ts',
    )
    expect(found(findings.map(({ file }) => file.path))).toBe('')
  })

  test('TI6 no export is called handle… or process…, or by an empty name', () => {
    const findings = product.flatMap((file) =>
      exportsOf(file)
        .filter(({ name }) => !NOUNS.has(name) && (EMPTY_VERBS.test(name) || EMPTY_NAMES.test(name)))
        .map(({ name, node }) => `${at(file, node.start)} exports ${name}`),
    )
    expect(found(findings)).toBe('')
  })

  test('TI7 kebab-case for files', () => {
    const odd = files.filter(
      (file) => !/^[a-z0-9-]+(\.(test|e2e\.test|property\.test))?\.(ts|mjs)$/.test(path.basename(file.path)),
    )
    expect(found(odd.map((file) => file.path))).toBe('')
  })
})

describe('code', () => {
  test('TI8 any stands nowhere', () => {
    const findings = files.flatMap((file) =>
      [...walk(file.program)].filter((node) => node.type === 'TSAnyKeyword').map((node) => at(file, node.start)),
    )
    expect(found(findings)).toBe('')
  })

  test('TI9 no enum, namespace, default export or non-null assertion', () => {
    const banned = new Set([
      'TSEnumDeclaration',
      'TSModuleDeclaration',
      'TSParameterProperty',
      'TSNonNullExpression',
      'ExportDefaultDeclaration',
    ])
    const findings = files.flatMap((file) =>
      [...walk(file.program)]
        .filter((node) => banned.has(node.type))
        .map((node) => `${at(file, node.start)}: ${node.type}`),
    )
    expect(found(findings)).toBe('')
  })

  test('TI10 time and randomness come from the ports in system/', () => {
    const findings = product
      // A sprite tells the time since its process began, which only the process knows.
      .filter((file) => !file.path.startsWith('system/') && !isTool(file) && file.path !== 'sprite/main.ts')
      .flatMap((file) => [...walk(file.program)].flatMap((node) => (isAmbient(node) ? [at(file, node.start)] : [])))
    expect(found(findings)).toBe('')
    const texts = [
      'setTimeout(f, 1)',
      'Date.now()',
      'new Date()',
      'Math.random()',
      'crypto.randomUUID()',
      'AbortSignal.timeout(1)',
    ]
    const seen = texts.map((text) => [...walk(parseSource('x.ts', text).program)].some(isAmbient))
    expect(seen).toEqual(texts.map(() => true))
  })

  test('TI11 classes extend nothing but Error', () => {
    const findings = files.flatMap((file) =>
      [...walk(file.program)]
        .filter((node) => node.type === 'ClassDeclaration' && isNode(node['superClass']))
        .filter((node) => !(nameOf(node['superClass']) ?? '').endsWith('Error'))
        .map((node) => at(file, node.start)),
    )
    expect(found(findings)).toBe('')
  })
})

const TIMERS = new Set(['setTimeout', 'setInterval'])
const AMBIENT: Readonly<Record<string, readonly string[]>> = {
  Date: ['now'],
  Math: ['random'],
  crypto: ['randomUUID', 'getRandomValues'],
  performance: ['now'],
  AbortSignal: ['timeout'],
  process: ['hrtime', 'uptime'],
}

/** Whether a node reads the clock, draws a random number or sets a timer by itself. */
function isAmbient(node: Node): boolean {
  if (node.type === 'CallExpression' && TIMERS.has(nameOf(node['callee']) ?? '')) return true
  if (node.type === 'NewExpression' && nameOf(node['callee']) === 'Date')
    return [node['arguments']].flat().filter(isNode).length === 0
  const [object, property] = [nameOf(node['object']) ?? '', nameOf(node['property']) ?? '']
  return (
    node.type === 'MemberExpression' && Object.hasOwn(AMBIENT, object) && AMBIENT[object]?.includes(property) === true
  )
}

describe('words', () => {
  // Written with one letter in brackets, so that this file does not contain what it looks for.
  const UNFINISHED = /\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b/
  const OUR_MACHINE = /(^|[^\w.@-])\/(w[o]rk|r[o]ot|h[o]me)\/[a-z.]/

  test('TI12 nothing is left to do in a comment', () => {
    expect(
      found(
        texts()
          .filter(({ text }) => UNFINISHED.test(text))
          .map(({ name }) => name),
      ),
    ).toBe('')
  })

  test('TI13 no test runs alone', () => {
    const findings = files
      .filter((file) => file.isTest)
      .flatMap((file) =>
        [...walk(file.program)]
          .filter(
            (node) =>
              node.type === 'MemberExpression' && ['describe', 'it', 'test'].includes(nameOf(node['object']) ?? ''),
          )
          .filter((node) => nameOf(node['property']) === 'only')
          .map((node) => at(file, node.start)),
      )
    expect(found(findings)).toBe('')
  })

  test('TI14 no path of a machine of ours', () => {
    const findings = texts().flatMap(({ name, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (OUR_MACHINE.test(line) ? [`${name}:${index + 1} ${line.trim()}`] : [])),
    )
    expect(found(findings)).toBe('')
  })
})

/** Text of everything a reader of the repository sees: source, documents, examples. */
function texts(): { name: string; text: string }[] {
  const folders = ['docs', 'examples', 'personas', '.ci'].flatMap((folder) => textFilesUnder(folder))
  const single = readdirSync(ROOT).filter(
    (name) => /\.(md|ts|json|toml)$|^Dockerfile$/.test(name) && name !== 'package-lock.json',
  )
  return [
    ...files.map((file) => ({ name: file.path, text: file.text })),
    ...[...folders, ...single].map((name) => ({ name, text: readFileSync(path.join(ROOT, name), 'utf8') })),
  ]
}

function textFilesUnder(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)))
}

describe('comments', () => {
  test('TI15 each export has a doc comment', () => {
    const findings = product.flatMap((file) =>
      exportsOf(file)
        .filter((one) => !hasDocComment(file, one))
        .filter((one) => !NEEDS_NO_COMMENT.test(file.text.slice(one.node.start + 'export '.length, one.node.end)))
        .map((one) => `${at(file, one.node.start)} exports ${one.name}`),
    )
    expect(found(findings)).toBe('')
  })

  test('TI16 oxlint is not switched off in a file without a reason', () => {
    const findings = files.flatMap((file) =>
      file.comments
        .filter((comment) => /^\s*(oxlint|eslint)-disable/.test(comment.text) && !/--\s*\S/.test(comment.text))
        .map((comment) => at(file, comment.start)),
    )
    expect(found(findings)).toBe('')
  })
})

describe('kinds', () => {
  test('TI17 each kind has its folder with schema and admission, and its CRD', () => {
    const crds = readdirSync(path.join(ROOT, 'crds'))
    const folders = new Set(
      files
        .map((file) => file.path.split('/'))
        .filter((parts) => parts[1] === 'kinds' && parts.length === 4)
        .map((parts) => parts[2]),
    )
    for (const kind of KINDS) {
      expect(crds).toContain(`${resourceName(kind)}.yaml`)
      expect(folders).toContain(kind.kind.toLowerCase())
      expect(files.map((file) => file.path)).toEqual(
        expect.arrayContaining(
          ['schema', 'admit'].map((name) => `controller/kinds/${kind.kind.toLowerCase()}/${name}.ts`),
        ),
      )
    }
    expect(crds.length).toBe(KINDS.length)
  })
})

describe('tests', () => {
  test('TI18 each title begins with the id of a rule', () => {
    const findings = files.filter((file) => file.isTestOnly).flatMap((file) => untitled(file))
    expect(found(findings)).toBe('')
  })

  test('TI19 a rule has one place in the documents', () => {
    const seen = new Map<string, string[]>()
    for (const { id, where } of documentedRules()) seen.set(id, [...(seen.get(id) ?? []), where])
    const doubled = [...seen].filter(([, places]) => new Set(places).size > 1)
    expect(found(doubled.map(([id, places]) => `${id}: ${places.join(', ')}`))).toBe('')
  })

  test('TI20 the prefix of each title is in the table of docs/spec.md', () => {
    const rows = readFileSync(path.join(ROOT, 'docs/spec.md'), 'utf8').matchAll(/^\| ([A-Z, ]+) \|/gm)
    const known = new Set([...rows].flatMap(([, prefixes = '']) => prefixes.split(', ')))
    const findings = files
      .filter((file) => file.isTestOnly)
      .flatMap((file) =>
        [...titlePrefixes(file)].filter((prefix) => !known.has(prefix)).map((prefix) => `${file.path} ${prefix}`),
      )
    expect(found(findings)).toBe('')
  })

  test('TI21 each rule that is stated has a title that begins with its id', () => {
    const places = [
      ...[...textFilesUnder('docs/spec'), 'docs/promises.md'].map((name) => ({
        name,
        text: readFileSync(path.join(ROOT, name), 'utf8'),
      })),
      ...product.map((file) => ({ name: file.path, text: file.header })),
    ]
    const stated = new Map(places.flatMap(({ name, text }) => statedIn(text).map((id) => [id, name] as const)))
    const titled = new Set(files.filter((file) => file.isTestOnly).flatMap(({ text }) => titledIn(text)))
    expect(stated.size).toBeGreaterThan(900)
    expect(found([...stated].filter(([id]) => !titled.has(id)).map(([id, name]) => `${name}: ${id}`))).toBe('')
    const page = '- AB1 One, as AB2 says (AB3). AB4 Two; **AB5** three.\n| AB6 | four |\n|---|---|\n- **AB7** `five`'
    expect(statedIn(page)).toEqual(['AB1', 'AB4', 'AB5', 'AB6', 'AB7'])
    expect(titledIn("test('AB1 AB2b holds as AB3', …) { `AB4 ${x}`: [] }")).toEqual(['AB1', 'AB2b', 'AB4'])
  })
})

/** Ids where rules are stated: at the beginning of an item, a row, a line or a sentence. */
const statedIn = (text: string): string[] =>
  [...text.matchAll(/(?:^[-| ]*|[.;:]\s+)(?:\*\*)?([A-Z]{1,4}\d+[a-z]?)(?:\*\*)?(?= [|\w`'"‘“])/gm)].map(
    ([, id = '']) => id,
  )

/** Ids at the beginning of a text in quotes, as titles and the names of rows are. */
const titledIn = (text: string): string[] =>
  [...text.matchAll(/['"`]((?:[A-Z]{1,4}\d+[a-z]? )+)/g)].flatMap(([, ids = '']) => ids.trim().split(' '))

/** What comes before the number in the titles of a file: `TI` of this one. */
function titlePrefixes(file: SourceFile): ReadonlySet<string> {
  const titles = [...walk(file.program)].flatMap((node) => titleOf(node, file) ?? [])
  return new Set(titles.flatMap(({ text }) => /^([A-Z]{1,4})\d/.exec(text)?.[1] ?? []))
}

/** Calls of test and it in a file whose title does not begin with a rule id, nor stands in a describe that does. */
function untitled(file: SourceFile): string[] {
  const findings: string[] = []
  const visit = (node: Node, isUnderRule: boolean): void => {
    const title = titleOf(node, file)
    const isRule =
      title !== undefined && (RULE_ID.test(title.text) || title.text.startsWith('$') || title.text.startsWith('%'))
    if (title?.isTest === true && !isRule && !isUnderRule) findings.push(`${at(file, node.start)} ${title.text}`)
    for (const child of childrenOf(node)) visit(child, isUnderRule || isRule)
  }
  visit(file.program, false)
  return findings
}

/** The title of a call of describe, it or test (with .each(…), .skipIf(…) and the like before it). */
function titleOf(node: Node, file: SourceFile): { readonly text: string; readonly isTest: boolean } | undefined {
  if (node.type !== 'CallExpression') return undefined
  const [first] = [node['arguments']].flat().filter(isNode)
  const root = rootName(node['callee'])
  if (first === undefined || root === undefined || !['describe', 'it', 'test'].includes(root)) return undefined
  if (first.type !== 'Literal' && first.type !== 'TemplateLiteral') return undefined
  return { text: file.text.slice(first.start + 1, first.end - 1), isTest: root !== 'describe' }
}

/** What may stand between `test` and its title; a skipped test has none. */
const MODIFIERS = new Set(['each', 'skipIf', 'runIf', 'concurrent', 'sequential', 'fails', 'for'])

function rootName(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'CallExpression') return rootName(node['callee'])
  if (node.type !== 'MemberExpression') return nameOf(node)
  return MODIFIERS.has(nameOf(node['property']) ?? '') ? rootName(node['object']) : undefined
}

/** Rule ids where they are stated: list items of docs/spec/*.md. */
function documentedRules(): { readonly id: string; readonly where: string }[] {
  return textFilesUnder('docs/spec').flatMap((name) =>
    [...readFileSync(path.join(ROOT, name), 'utf8').matchAll(/^- (?:\*\*)?([A-Z]{2,4}\d+[a-z]?)\b/gm)].map((match) => ({
      id: match[1] ?? '',
      where: name,
    })),
  )
}
