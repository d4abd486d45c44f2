/** Reads the project's own TypeScript: every file parsed once, with its imports, for the tests that hold rules over it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseSync } from 'rolldown/utils'

/** The repository's root. */
export const ROOT = path.resolve(import.meta.dirname, '..')

const FOLDERS = ['bench', 'bin', 'controller', 'protocol', 'scripts', 'sprite', 'system', 'test']
const FOLDERS_SKIPPED = new Set(['node_modules', 'dist', 'build', 'fixtures'])
/** A tree of that size is no longer one that is read in a test. */
const FILES_MAX = 5_000

/** A node of the syntax tree; its other fields are read as unknown. */
export type Node = {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

/** One import, export … from, or import() of a file. */
export type Import = {
  /** As it is written. */
  readonly specifier: string
  /** Path within the repository when it is a file of ours, otherwise the package or `node:` module. */
  readonly target: string
  readonly isOurs: boolean
  /** Whether nothing of it is left at run time. */
  readonly isType: boolean
  /** The names that are taken; `*` is all. */
  readonly names: readonly string[]
  readonly line: number
}

/** One parsed file. */
export type SourceFile = {
  /** Path within the repository, with forward slashes. */
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly program: Node
  readonly comments: readonly { readonly text: string; readonly start: number; readonly end: number }[]
  readonly imports: readonly Import[]
  /** The first doc comment, without stars. */
  readonly header: string
  readonly isTest: boolean
  /** Tests and what only tests use: fakes, contract suites, builders, simulations. */
  readonly isTestOnly: boolean
}

const SUPPORT =
  /(^test\/|\/(fake|simulation|fixtures)\/|\/(fake-[\w-]+|contract|testing|arbitrary|wire-fixture|test-[\w-]+|[\w-]+-builders?|decision-checks|[\w-]+-for-tests)\.ts$)/

/** Every .ts and .mjs file of ours, in order of their paths. */
export function sourceFiles(): SourceFile[] {
  const found = FOLDERS.filter((folder) => existsSync(path.join(ROOT, folder))).flatMap((folder) => filesUnder(folder))
  if (found.length > FILES_MAX)
    throw new Error(`Look why there are ${found.length} source files; ${FILES_MAX} are read`)
  return found.sort().map(readSource)
}

function filesUnder(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) return FOLDERS_SKIPPED.has(entry.name) ? [] : filesUnder(name)
    return /\.(ts|mjs)$/.test(entry.name) ? [name] : []
  })
}

function readSource(file: string): SourceFile {
  return parseSource(file, readFileSync(path.join(ROOT, file), 'utf8'))
}

/** Parses one file; throws with its path when it is not TypeScript. */
export function parseSource(file: string, text: string): SourceFile {
  const parsed = parseSync(file, text)
  const problem = parsed.errors[0]
  if (problem !== undefined) throw new Error(`Cannot parse ${file}: ${problem.message}`)
  const program: unknown = parsed.program
  if (!isNode(program)) throw new Error(`Cannot parse ${file}: no program`)
  const comments = parsed.comments.map(({ value, start, end }) => ({ text: value, start, end }))
  const lines = text.split('\n')
  const base = { path: file, text, lines, program, comments }
  return {
    ...base,
    imports: importsOf(base),
    header: headerOf(comments, text),
    isTest: file.endsWith('.test.ts'),
    isTestOnly: file.endsWith('.test.ts') || SUPPORT.test(file),
  }
}

function headerOf(comments: readonly { text: string; start: number }[], text: string): string {
  const first = comments.find((comment) => comment.text.startsWith('*'))
  const starts = text.startsWith('#!') ? text.indexOf('\n') + 1 : 0
  return first?.start === starts ? first.text.replaceAll(/^\s*\*+/gm, '').trim() : ''
}

/** 1-based line of an offset. */
export const lineAt = (file: Pick<SourceFile, 'text'>, offset: number): number =>
  file.text.slice(0, offset).split('\n').length

/** Whether a value is a node of the tree. */
export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

/** The nodes directly below one. */
export const childrenOf = (node: Node): Node[] => Object.values(node).flat().filter(isNode)

/** Every node of a tree, parents first. */
export function* walk(node: Node): Generator<Node> {
  yield node
  for (const child of childrenOf(node)) yield* walk(child)
}

/** The text of an identifier or a string literal; undefined for other nodes. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Identifier' && typeof node['name'] === 'string') return node['name']
  return node.type === 'Literal' && typeof node['value'] === 'string' ? node['value'] : undefined
}

type Parsed = Pick<SourceFile, 'path' | 'text' | 'program'>

function importsOf(file: Parsed): Import[] {
  return [...walk(file.program)].flatMap((node) => {
    const isImport =
      node.type === 'ImportDeclaration' ||
      node.type === 'ExportNamedDeclaration' ||
      node.type === 'ExportAllDeclaration' ||
      node.type === 'ImportExpression' ||
      node.type === 'TSImportType'
    const specifier = isImport ? nameOf(node['source']) : undefined
    return specifier === undefined ? [] : [importOf(file, node, specifier)]
  })
}

function importOf(file: Parsed, node: Node, specifier: string): Import {
  const isOurs = specifier.startsWith('.')
  const target = isOurs ? path.posix.join(path.posix.dirname(file.path), specifier) : specifier
  const parts = [node['specifiers']].flat().filter(isNode)
  const isTypeOnly = (part: Node): boolean => part['importKind'] === 'type' || part['exportKind'] === 'type'
  const isType =
    node.type === 'TSImportType' || isTypeOnly(node) || (parts.length > 0 && parts.every((part) => isTypeOnly(part)))
  const names = parts.map(
    (part) => nameOf(part['imported']) ?? (part.type === 'ImportDefaultSpecifier' ? 'default' : '*'),
  )
  return {
    specifier,
    target,
    isOurs,
    isType,
    names: names.length === 0 ? ['*'] : names,
    line: lineAt(file, node.start),
  }
}
