/** Turns a YAML document's nodes into JSON, refusing what JSON or kubectl would read otherwise. Pure. */
import type { Document, ParsedNode } from 'yaml'
import { isAlias, isMap, isScalar, isSeq, Scalar } from 'yaml'
import type { Json } from '../api/object.ts'
import { ambiguityOf } from './scalars.ts'
import { shownValue } from './problem.ts'

/** The largest JSON that aliases may expand to, in characters. */
export const JSON_CHARS_MAX = 1024 * 1024

/** What is wrong with a node, at an offset of the document's text. */
export type Fault = {
  readonly offset: number
  readonly path: readonly (string | number)[]
  readonly message: string
  readonly received?: string
  readonly fix?: string
}

const FAULTS_MAX = 20

/** The core tags change nothing that the value itself does not say; any other asks for a type that JSON lacks. */
const TAGS: ReadonlySet<string> = new Set(['str', 'int', 'float', 'bool', 'null', 'map', 'seq'])
const TAG_PREFIX = 'tag:yaml.org,2002:'

/** A value and its size as JSON, in characters; aliases count each time though they share one value. */
type Sized = { readonly value: Json; readonly chars: number }

/** A key that stands twice in one map; the last one holds. */
export type DuplicateKey = { readonly offset: number; readonly key: string }

type Context = {
  readonly faults: Fault[]
  /** Where duplicate keys go; undefined where they are faults. */
  readonly duplicates: DuplicateKey[] | undefined
  readonly anchors: Map<string, Sized>
  /** Anchors of the nodes that are being read: an alias to one of them would contain itself. */
  readonly open: Set<string>
  /** Whether it was told that aliases expand to too much: once is enough. */
  isTooLarge: boolean
}

type Path = readonly (string | number)[]

/**
 * The document as JSON; `faults` is empty when it is right. Expects a tree that is within `bounds.ts`. Duplicate keys
 * are faults unless a list takes them.
 */
export function toJson(
  document: Document.Parsed,
  duplicates?: DuplicateKey[],
): { readonly value: Json; readonly faults: readonly Fault[] } {
  const context: Context = { faults: [], duplicates, anchors: new Map(), open: new Set(), isTooLarge: false }
  const { value } = convert(document.contents, [], context)
  return { value, faults: context.faults }
}

function convert(node: ParsedNode | null | undefined, path: Path, context: Context): Sized {
  if (node === null || node === undefined) return { value: null, chars: 4 }
  if (isAlias(node)) return convertAlias(node.source, { node, path }, context)
  const { anchor } = node
  if (anchor !== undefined) context.open.add(anchor)
  if (node.tag !== undefined && !isCoreTag(node.tag)) {
    fault(context, { node, path }, { message: `Unknown tag ${shownValue(node.tag)}`, fix: 'remove it' })
  }
  const sized = convertContent(node, path, context)
  if (anchor !== undefined) {
    context.open.delete(anchor)
    context.anchors.set(anchor, sized)
  }
  return sized
}

function convertContent(node: ParsedNode, path: Path, context: Context): Sized {
  const sized = collect(node, path, context)
  if (sized.chars <= JSON_CHARS_MAX || context.isTooLarge) return sized
  context.isTooLarge = true
  fault(context, { node, path }, { message: `Too large: aliases expand to more than ${JSON_CHARS_MAX} characters` })
  // What is too large is not carried on.
  return { value: null, chars: 4 }
}

function collect(node: ParsedNode, path: Path, context: Context): Sized {
  if (isScalar(node)) return convertScalar(node, path, context)
  if (isSeq<ParsedNode>(node)) {
    const items = node.items.map((item, index) => convert(item, [...path, index], context))
    return { value: items.map((item) => item.value), chars: items.reduce((sum, item) => sum + item.chars + 1, 2) }
  }
  return isMap<ParsedNode, ParsedNode | null>(node) ? convertMap(node.items, path, context) : { value: null, chars: 4 }
}

type Items = readonly { readonly key: ParsedNode; readonly value: ParsedNode | null }[]

function convertMap(items: Items, path: Path, context: Context): Sized {
  const members: [string, Json][] = []
  const seen = new Set<string>()
  let chars = 2
  for (const { key, value } of items) {
    const name = keyName(key, path, context)
    if (name === undefined) continue
    const at = [...path, name]
    if (seen.has(name)) duplicate(context, { node: key, path: at }, name)
    seen.add(name)
    const child = convert(value, at, context)
    members.push([name, child.value])
    chars += name.length + child.chars + 4
  }
  // fromEntries defines members, so that one named __proto__ stays a plain member.
  return { value: Object.fromEntries(members), chars }
}

function duplicate(context: Context, place: Place, name: string): void {
  if (context.duplicates === undefined) fault(context, place, { message: 'Duplicate key', received: shownValue(name) })
  else if (context.duplicates.length < FAULTS_MAX) context.duplicates.push({ offset: place.node.range[0], key: name })
}

function keyName(key: ParsedNode, path: Path, context: Context): string | undefined {
  const place = { node: key, path }
  if (!isScalar(key)) {
    fault(context, place, { message: 'A key must be a text' })
    return undefined
  }
  const source = key.source ?? ''
  if (key.type !== Scalar.PLAIN) return String(key.value)
  if (source === '<<') {
    fault(context, place, { message: 'Merge keys are not read', received: '"<<"', fix: 'write the fields out' })
    return undefined
  }
  if (typeof key.value === 'string' && ambiguityOf(source) === undefined) return key.value
  fault(context, place, {
    message: `Ambiguous key ${shownValue(source)}: not every reader takes it for a text`,
    received: shownValue(source),
    fix: `quote it: ${JSON.stringify(source)}`,
  })
  return undefined
}

function convertScalar(node: Scalar.Parsed, path: Path, context: Context): Sized {
  const { value } = node
  const source = node.source
  if (node.type === Scalar.PLAIN) {
    const ambiguity = ambiguityOf(source)
    if (ambiguity !== undefined) {
      const message = `Ambiguous value ${shownValue(source)}: kubectl reads ${ambiguity.reads}`
      fault(context, { node, path }, { message, received: shownValue(source), fix: `write ${ambiguity.write}` })
    }
  }
  if (typeof value === 'string') return { value, chars: value.length + 2 }
  if (typeof value === 'boolean' || value === null) return { value, chars: 5 }
  if (typeof value === 'number' && isExact(value)) return { value, chars: 20 }
  const message = `Number ${shownValue(source)} cannot be kept exactly`
  fault(context, { node, path }, { message, received: shownValue(source), fix: 'quote it, or write a smaller one' })
  return { value: null, chars: 4 }
}

/** JSON has no infinity and no NaN, and integers above 2^53 lose digits in JavaScript. */
const isExact = (value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Math.abs(value) <= Number.MAX_SAFE_INTEGER)

function convertAlias(name: string, place: Place, context: Context): Sized {
  const known = context.anchors.get(name)
  // An anchor may be set anew within itself: the alias then means the new one, which is still open.
  if (known !== undefined && !context.open.has(name)) return known
  const message = context.open.has(name)
    ? `Alias ${shownValue(name)} stands within what it refers to`
    : `Alias ${shownValue(name)} refers to nothing above it`
  fault(context, place, { message, received: shownValue(`*${name}`), fix: 'write the value out' })
  return { value: null, chars: 4 }
}

const isCoreTag = (tag: string): boolean => tag.startsWith(TAG_PREFIX) && TAGS.has(tag.slice(TAG_PREFIX.length))

type Place = { readonly node: ParsedNode; readonly path: Path }

function fault(context: Context, { node, path }: Place, what: Omit<Fault, 'offset' | 'path'>): void {
  if (context.faults.length < FAULTS_MAX) context.faults.push({ offset: node.range[0], path, ...what })
}
