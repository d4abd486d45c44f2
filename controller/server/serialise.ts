/** Turns objects into the bytes that are sent: stored text is sent as it lies, an event is made once for all watches. */
import type { KubeObject } from '../api/object.ts'
import { isAsciiText, storedTextOf } from '../registry/records.ts'
import type { RegistryEvent } from '../registry/registry.ts'
import type { ApiResponse } from './exchange.ts'

/** The JSON text of an object: the one that is stored where there is one. */
export const jsonTextOf = (object: KubeObject): string => storedTextOf(object) ?? JSON.stringify(object)

const JSON_HEADERS: ApiResponse['headers'] = { 'Content-Type': 'application/json' }

/** Bytes of answers that are kept because somebody asked for the object lately. */
const RECENT_BYTES_MAX = 8 * 1024 * 1024

/** Two generations of the bytes of objects that were asked for: when the younger is full, the older is forgotten. */
const recent = { young: new Map<KubeObject, Buffer>(), old: new Map<KubeObject, Buffer>(), youngBytes: 0 }

/** The bytes of an object and a newline; made once while it is asked for again and again, as by those who poll. */
function recentBytesOf(object: KubeObject): Buffer {
  const known = recent.young.get(object)
  if (known !== undefined) return known
  const bytes = recent.old.get(object) ?? Buffer.from(`${jsonTextOf(object)}\n`)
  if (recent.youngBytes + bytes.length > RECENT_BYTES_MAX) {
    recent.old = recent.young
    recent.young = new Map()
    recent.youngBytes = 0
  }
  recent.young.set(object, bytes)
  recent.youngBytes += bytes.length
  return bytes
}

/** The answer that is one object. What is not stored, such as the result of a dry run, is asked for once. */
export const objectTextResponse = (status: number, object: KubeObject): ApiResponse => ({
  status,
  headers: JSON_HEADERS,
  body: storedTextOf(object) === undefined ? `${JSON.stringify(object)}\n` : recentBytesOf(object),
})

/** Characters of a list from which on it is sent in pieces: it then never lies in memory as a whole. */
const PIECES_FROM_CHARS = 128 * 1024
/** Bytes of a piece. */
const PIECE_BYTES = 256 * 1024
/** A UTF-16 unit takes so many bytes of UTF-8 at most. */
const BYTES_PER_CHAR = 3

/** The answer that is a list: `head` is the list object without its items. */
export function listTextResponse(head: object, items: readonly KubeObject[]): ApiResponse {
  const opening = `${JSON.stringify(head).slice(0, -1)},"items":[`
  const texts = items.map(textOf)
  const sizeChars = texts.reduce((sum, { text }) => sum + text.length, 0)
  const body =
    sizeChars < PIECES_FROM_CHARS
      ? `${opening}${texts.map(({ text }) => text).join(',')}]}\n`
      : withOpening(opening, piecesOf(items, texts))
  return { status: 200, headers: JSON_HEADERS, body }
}

type Sent = { readonly items: readonly KubeObject[]; readonly bytes: readonly Uint8Array[] }

/**
 * The large list that was sent last, as long as memory is not needed for something else: whoever starts lists
 * everything, and many start at once.
 */
let lastSent: WeakRef<Sent> | undefined

/** The pieces of these items: those of the last list where it had the same objects, else made while they are sent. */
function* piecesOf(items: readonly KubeObject[], texts: readonly Text[]): Generator<Uint8Array> {
  const last = lastSent?.deref()
  if (last !== undefined && isSame(last.items, items)) {
    yield* last.bytes
    return
  }
  const bytes: Uint8Array[] = []
  for (const piece of pieces(texts)) {
    bytes.push(piece)
    yield piece
  }
  lastSent = new WeakRef({ items, bytes })
}

/** Objects are frozen: the same one has the same text. */
const isSame = (a: readonly KubeObject[], b: readonly KubeObject[]): boolean =>
  a.length === b.length && a.every((object, index) => object === b[index])

function* withOpening(opening: string, rest: Generator<Uint8Array>): Generator<Uint8Array> {
  yield Buffer.from(opening)
  yield* rest
}

/** ASCII needs no encoding: its characters are copied as they lie. */
type Text = { readonly text: string; readonly isAscii: boolean }

function textOf(object: KubeObject): Text {
  const text = storedTextOf(object)
  if (text === undefined) return { text: JSON.stringify(object), isAscii: false }
  return { text, isAscii: isAsciiText(object, text) }
}

/** Texts are written straight into the bytes that are sent: joined ones would first be copied into one large text. */
function* pieces(texts: readonly Text[]): Generator<Uint8Array> {
  let piece = Buffer.allocUnsafe(PIECE_BYTES)
  let sizeBytes = 0
  for (const [index, { text, isAscii }] of texts.entries()) {
    const ending = index === texts.length - 1 ? ']}\n' : ','
    const neededBytes = text.length * (isAscii ? 1 : BYTES_PER_CHAR) + ending.length
    if (sizeBytes + neededBytes > piece.length) {
      yield piece.subarray(0, sizeBytes)
      piece = Buffer.allocUnsafe(Math.max(PIECE_BYTES, neededBytes))
      sizeBytes = 0
    }
    sizeBytes += isAscii ? piece.write(text, sizeBytes, 'latin1') : piece.write(text, sizeBytes)
    sizeBytes += piece.write(ending, sizeBytes, 'latin1')
  }
  yield piece.subarray(0, sizeBytes)
}

/** One line of a watch, newline included. */
export const eventLine = (type: string, objectJson: string): Buffer =>
  Buffer.from(`{"type":"${type}","object":${objectJson}}\n`)

/** Makes the line of an event once, however many watches are sent it: they share the event. */
export function sharedLines(jsonOf: (object: KubeObject) => string): (event: RegistryEvent) => Buffer {
  const lines = new WeakMap<RegistryEvent, Buffer>()
  return (event) => {
    const known = lines.get(event)
    if (known !== undefined) return known
    const made = eventLine(event.type, jsonOf(event.object))
    lines.set(event, made)
    return made
  }
}
