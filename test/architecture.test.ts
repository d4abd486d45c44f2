/** Holds every import, and the purity of what is called pure, against the table of rooms (`rooms.ts`). */
import { describe, expect, test } from 'vitest'
import { ADAPTERS, importFinding, isPure, roomOf } from './rooms.ts'
import { lineAt, nameOf, parseSource, sourceFiles, walk, type Node, type SourceFile } from './source-tree.ts'

const files = sourceFiles()
const byPath = new Map(files.map((file) => [file.path, file]))

/** What may stand in a pure file's way, by what a node of it shows. */
function impurityOf(node: Node): string | undefined {
  if (node['async'] === true) return 'async'
  if (node.type === 'AwaitExpression' || (node.type === 'ForOfStatement' && node['await'] === true)) return 'await'
  if (isClockRead(node)) return 'reads the clock'
  if (node.type === 'MemberExpression') {
    const [object, property] = [nameOf(node['object']), nameOf(node['property'])]
    if (object === 'Math' && property === 'random') return 'Math.random'
    if (object === 'process' || object === 'performance') return `${object}.${property ?? ''}`
    if (object === 'crypto') return `crypto.${property ?? ''}`
  }
  if (node.type === 'CallExpression' && TIMERS.has(nameOf(node['callee']) ?? '')) return nameOf(node['callee'])
  return undefined
}

const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch'])

/** `Date.now()`, `new Date()` and `Date()`; a Date of a given instant reads no clock. */
function isClockRead(node: Node): boolean {
  if (node.type === 'NewExpression' || node.type === 'CallExpression') {
    const hasNone = Array.isArray(node['arguments']) && node['arguments'].length === 0
    return nameOf(node['callee']) === 'Date' && hasNone
  }
  return node.type === 'MemberExpression' && nameOf(node['object']) === 'Date' && nameOf(node['property']) === 'now'
}

const impurities = (file: SourceFile): string[] => [
  ...[...walk(file.program)].flatMap((node) => {
    const found = impurityOf(node)
    return found === undefined ? [] : [`${file.path}:${lineAt(file, node.start)} is pure, but: ${found}`]
  }),
  ...file.imports
    .filter((one) => !one.isOurs && one.target.startsWith('node:'))
    .map((one) => `${file.path}:${one.line} is pure, but imports ${one.target}`),
]

const found = (list: readonly string[]): string => [...list].sort().join('\n')

describe('rooms', () => {
  test('AR1 every file imports only what its room may', () => {
    const findings = files.flatMap((file) =>
      file.imports.flatMap((one) => {
        const rule = importFinding(file, one)
        return rule === undefined ? [] : [`${file.path}:${one.line} imports ${one.specifier}: ${rule}`]
      }),
    )
    expect(found(findings)).toBe('')
  })

  test('AR1 the table itself forbids what it should', () => {
    const rule = (path: string, text: string): string => {
      const file = parseSource(path, text)
      return file.imports.map((one) => importFinding(file, one) ?? 'ok').join()
    }
    const queue = "import { createQueue } from '../engine/queue.ts'"
    expect(rule('controller/registry/x.ts', queue)).toContain('registry may import only')
    expect(rule('controller/registry/x.test.ts', queue)).toBe('ok')
    expect(rule('controller/registry/x.ts', "import type { Client } from '../client/client.ts'")).toBe('ok')
    expect(rule('controller/registry/x.ts', "import { ClientError } from '../client/client.ts'")).toContain(
      'only types',
    )
    expect(rule('controller/api/x.ts', "import 'node:fs'")).toContain('no node: modules')
    expect(rule('controller/api/x.ts', "import yaml from 'yaml'")).toContain('of npm only')
    expect(rule('sprite/x.ts', "export * from '../controller/api/meta.ts'")).toContain('sprite may import only')
    expect(rule('sprite/x.test.ts', "const x = await import('../controller/api/meta.ts')")).toContain('do not know')
    expect(rule('controller/cli/x.ts', "import '../../sprite/main.ts'")).toContain('another process')
    expect(rule('controller/attic/x.ts', "import '../api/meta.ts'")).toContain('in no room')
  })

  test('AR2 every import of ours names a file that is there, with its ending', () => {
    const findings = files.flatMap((file) =>
      file.imports
        .filter((one) => one.isOurs && !byPath.has(one.target) && !/\.(json|md)$/.test(one.target))
        .map((one) => `${file.path}:${one.line} imports ${one.specifier}, which is not there`),
    )
    expect(found(findings)).toBe('')
  })

  test('AR3 product code imports no fakes and nothing else that only tests use', () => {
    const findings = files
      .filter((file) => !file.isTestOnly && roomOf(file.path)?.name !== 'tools')
      .flatMap((file) =>
        file.imports
          .filter((one) => byPath.get(one.target)?.isTestOnly === true)
          .map((one) => `${file.path}:${one.line} imports ${one.specifier}`),
      )
    expect(found(findings)).toBe('')
  })

  test('AR4 adapters are constructed by the composition alone', () => {
    const isAdapter = (path: string) => ADAPTERS.some((adapter) => path.startsWith(adapter))
    const findings = files
      .filter((file) => !file.isTestOnly && !['composition', 'tools'].includes(roomOf(file.path)?.name ?? ''))
      .flatMap((file) =>
        file.imports
          .filter((one) => !one.isType && isAdapter(one.target) && folderOf(one.target) !== folderOf(file.path))
          .filter((one) => !isEmulatorReadingWire(file.path, one.target))
          .map((one) => `${file.path}:${one.line} takes values from ${one.specifier}`),
      )
    expect(found(findings)).toBe('')
  })
})

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** The emulator checks names and values by the tables of the wire that the adapter writes. */
const isEmulatorReadingWire = (from: string, to: string): boolean =>
  from.startsWith('controller/providers/fly-emulator/') && to.startsWith('controller/providers/fly/')

describe('purity', () => {
  test('AR5 a pure file has no async, clock, randomness, process or node: module', () => {
    expect(files.filter(isPure).length).toBeGreaterThan(50)
    expect(found(files.filter(isPure).flatMap(impurities))).toBe('')
  })

  test('AR5 the check sees each impurity', () => {
    const texts = [
      'export const a = async () => 1',
      'export const a = Date.now()',
      'export const a = new Date()',
      'export const a = Math.random()',
      "export const a = process.env['A']",
      "import 'node:fs'",
      'setTimeout(() => {}, 1)',
    ]
    const bad = texts.map((text) => impurities(parseSource('x.ts', `/** Pure. */\n${text}\n`)).length)
    expect(bad).toEqual(texts.map(() => 1))
    expect(impurities(parseSource('x.ts', '// Date.now() async\nexport const a = new Date(0)'))).toEqual([])
  })

  test('AR6 a pure file takes values only from pure files', () => {
    const findings = files
      .filter(isPure)
      .flatMap((file) =>
        file.imports
          .filter((one) => one.isOurs && !one.isType && isImpure(one.target))
          .map((one) => `${file.path}:${one.line} is pure, but takes ${one.names.join(', ')} from ${one.specifier}`),
      )
    expect(found(findings)).toBe('')
  })
})

/** Judged by what the file shows, not by what it says: a port's types and tables are pure without a word. */
function isImpure(path: string): boolean {
  const file = byPath.get(path)
  return file !== undefined && !isPure(file) && impurities(file).length > 0
}

describe('borders of the process', () => {
  const usesOf = (member: string) =>
    files
      .filter((file) => !file.isTestOnly && roomOf(file.path)?.name !== 'tools')
      .filter((file) =>
        [...walk(file.program)].some(
          (node) =>
            node.type === 'MemberExpression' &&
            nameOf(node['object']) === 'process' &&
            nameOf(node['property']) === member,
        ),
      )
      .map((file) => file.path)

  test('AR7 the environment is read in one place a process', () => {
    expect(usesOf('env').filter((path) => !['controller/config.ts', 'sprite/main.ts'].includes(path))).toEqual([])
  })

  test('AR8 a process is ended only where it began', () => {
    expect(usesOf('exit').filter((path) => !['controller/cli/context.ts', 'sprite/main.ts'].includes(path))).toEqual([])
  })

  test('AR9 nock is imported only beside the Fly adapter', () => {
    const users = files.filter((file) => file.imports.some((one) => one.target === 'nock')).map((file) => file.path)
    expect(users.filter((path) => !path.startsWith('controller/providers/fly/'))).toEqual([])
  })

  test('AR10 the real clock and randomness are taken only where a process is composed', () => {
    const findings = files
      .filter((file) => !file.isTestOnly && !['composition', 'tools', 'system'].includes(roomOf(file.path)?.name ?? ''))
      .filter((file) => file.path !== 'sprite/main.ts')
      .flatMap((file) =>
        file.imports
          .filter((one) => one.names.some((name) => name === 'realClock' || name === 'realEntropy'))
          .map((one) => `${file.path}:${one.line}`),
      )
    expect(found(findings)).toBe('')
  })
})
