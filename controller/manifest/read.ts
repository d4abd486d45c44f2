/**
 * Reads untrusted YAML or JSON manifests: objects with positions, or problems; never a stall. Pure.
 *
 * Why no worker thread bounds the time: every step is bounded by counts before it begins. A file is refused by its
 * length and its number of documents before any of it is parsed; the lexer is linear and stops at TOKENS_MAX; the
 * syntax tree is built without recursion, in time linear in the tokens; depth, keys and aliases are counted in it by a
 * loop; only then does yaml's recursive composer run, with the unique-key check that is quadratic turned off. The
 * worst of some thousand hostile texts took about 0.3 s at these bounds, most far less; read.test.ts holds each bound.
 */
import type { Document } from 'yaml'
import { isScalar, Scalar } from 'yaml'
import type { Json, JsonObject } from '../api/object.ts'
import { boundedTree, TOKENS_MAX } from './bounds.ts'
import { composeTree } from './compose.ts'
import { type At, type FieldPath, offsetOf, pathOf } from './locate.ts'
import { type Position, type Problem, PROBLEMS_MAX, shownValue } from './problem.ts'
import { type Chunk, DOCUMENT_CHARS_MAX, DOCUMENTS_MAX, FILE_CHARS_MAX, positionsOf, splitDocuments } from './split.ts'
import { type DuplicateKey, type Fault, toJson } from './to-json.ts'

/** One object of a file. */
export type ManifestDocument = {
  readonly file: string
  /** Which document of the file it is, from 0; the items of a List share theirs. */
  readonly index: number
  readonly value: JsonObject
  /** First line of the object, from 1. */
  readonly line: number
  /** Keys that stand twice in a map, where the reader was asked to tell them: the last one holds. */
  readonly duplicates: readonly { readonly key: string; readonly line: number }[]
  /** Where a field stands; where its nearest parent stands when it is missing. */
  locate(path: FieldPath, at?: At): Position
}

/** What files hold. */
export type ReadManifests = {
  /** Objects without problems, in order; empty documents are left out, Lists are taken apart. */
  readonly documents: readonly ManifestDocument[]
  /** At most PROBLEMS_MAX. A document with a problem is not among `documents`. */
  readonly problems: readonly Problem[]
}

type Source = {
  readonly file: string
  readonly tellsDuplicates: boolean
  readonly positionAt: (offset: number) => Position
}

/** How a text is read: `file` is the name that problems carry; duplicate keys are problems unless they are told. */
export type ReadOptions = { readonly file: string; readonly tellsDuplicates?: boolean }

/** Reads all documents of a text. Never throws for what the text holds. */
export function readManifests(text: string, { file, tellsDuplicates = false }: ReadOptions): ReadManifests {
  const source: Source = { file, tellsDuplicates, positionAt: positionsOf(text) }
  if (text.length > FILE_CHARS_MAX) {
    return refusal(source, 0, `Too large: a file may hold at most ${FILE_CHARS_MAX} characters`)
  }
  const { chunks, isCut } = splitDocuments(text)
  if (isCut || chunks.length > DOCUMENTS_MAX + 1) {
    return refusal(source, 0, `Too many documents: a file may hold at most ${DOCUMENTS_MAX}`)
  }
  const documents: ManifestDocument[] = []
  const problems: Problem[] = []
  let tokensLeft = TOKENS_MAX
  let index = 0
  for (const chunk of chunks) {
    const read = readChunk(chunk, { ...source, index, tokensLeft })
    tokensLeft -= read.tokens
    problems.push(...read.problems)
    if (tokensLeft < 0) break
    if (read.isEmpty) continue
    index += 1
    documents.push(...read.documents)
  }
  return { documents, problems: problems.slice(0, PROBLEMS_MAX) }
}

type ChunkSource = Source & { readonly index: number; readonly tokensLeft: number }
type ReadChunk = ReadManifests & { readonly tokens: number; readonly isEmpty: boolean }

function readChunk(chunk: Chunk, source: ChunkSource): ReadChunk {
  if (chunk.text.length > DOCUMENT_CHARS_MAX) {
    const message = `Too large: a document may hold at most ${DOCUMENT_CHARS_MAX} characters`
    return { ...refusal(source, chunk.offset, message), tokens: 0, isEmpty: false }
  }
  const tree = boundedTree(chunk.text, source.tokensLeft)
  if (!tree.ok) {
    const { offset, message, fix } = tree.excess
    return { ...refusal(source, chunk.offset + offset, message, fix), tokens: tree.count, isEmpty: false }
  }
  const composed = composeTree(tree.tokens)
  if (!composed.ok) {
    const problems = composed.errors.map(({ offset, message }) => ({
      file: source.file,
      ...source.positionAt(chunk.offset + offset),
      message: `Cannot read the YAML: ${message}`,
    }))
    return { documents: [], problems, tokens: tree.count, isEmpty: false }
  }
  const { document } = composed
  if (document === undefined || isNothing(document)) {
    return { documents: [], problems: [], tokens: tree.count, isEmpty: true }
  }
  return { ...readDocument(document, chunk, source), tokens: tree.count, isEmpty: false }
}

/** `---` with nothing after it holds a null scalar without text. */
function isNothing({ contents }: Document.Parsed): boolean {
  return contents === null || (isScalar(contents) && contents.source === '' && contents.type === Scalar.PLAIN)
}

function readDocument(document: Document.Parsed, chunk: Chunk, source: ChunkSource): ReadManifests {
  const at = (offset: number): Position => source.positionAt(chunk.offset + offset)
  const found: DuplicateKey[] = []
  const { value, faults } = toJson(document, source.tellsDuplicates ? found : undefined)
  if (faults.length > 0) return { documents: [], problems: faults.map((fault) => problemOf(fault, at, source.file)) }
  const locate = (path: FieldPath, where?: At): Position => at(offsetOf(document, path, where))
  const duplicates = found.map(({ offset, key }) => ({ key, line: at(offset).line }))
  return objectsOf(value, { file: source.file, index: source.index, duplicates, locate })
}

const problemOf = ({ offset, path, ...rest }: Fault, at: (offset: number) => Position, file: string): Problem => ({
  file,
  ...at(offset),
  ...(path.length === 0 ? {} : { path: pathOf(path) }),
  ...rest,
})

type Origin = Pick<ManifestDocument, 'file' | 'index' | 'duplicates' | 'locate'>

/** The object itself, or the items of a List. */
function objectsOf(value: Json, origin: Origin): ReadManifests {
  if (!isObject(value)) return { documents: [], problems: [notAnObject(value, [], origin)] }
  if (value['kind'] !== 'List') return { documents: [{ ...origin, value, line: origin.locate([]).line }], problems: [] }
  const items = value['items']
  if (!Array.isArray(items)) return { documents: [], problems: [notAnObject(items ?? null, ['items'], origin)] }
  const documents: ManifestDocument[] = []
  const problems: Problem[] = []
  items.forEach((item: Json, index: number) => {
    const prefix: FieldPath = ['items', index]
    const locate = (path: FieldPath, at?: At): Position => origin.locate([...prefix, ...path], at)
    if (isObject(item)) documents.push({ ...origin, value: item, line: locate([]).line, locate })
    else problems.push(notAnObject(item, prefix, origin))
  })
  return { documents, problems }
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const notAnObject = (value: Json, path: FieldPath, origin: Origin): Problem => ({
  file: origin.file,
  ...origin.locate(path),
  ...(path.length === 0 ? {} : { path: pathOf(path) }),
  message: path.at(-1) === 'items' ? 'A List needs items' : 'Not an object',
  received: shownValue(value),
  fix: 'write apiVersion, kind, metadata and spec',
})

function refusal(source: Source, offset: number, message: string, fix?: string): ReadManifests {
  const problem: Problem = {
    file: source.file,
    ...source.positionAt(offset),
    message,
    ...(fix === undefined ? {} : { fix }),
  }
  return { documents: [], problems: [problem] }
}
