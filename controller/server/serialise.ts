/** Turns objects into the bytes that are sent: stored text is sent as it lies, an event is made once for all watches. */
import type { KubeObject } from '../api/object.ts'
import { storedTextOf } from '../registry/records.ts'
import type { RegistryEvent } from '../registry/registry.ts'
import type { ApiResponse } from './exchange.ts'

/** The JSON text of an object: the one that is stored where there is one. */
export const jsonTextOf = (object: KubeObject): string => storedTextOf(object) ?? JSON.stringify(object)

const JSON_HEADERS: ApiResponse['headers'] = { 'Content-Type': 'application/json' }

/** The answer that is one object. */
export const objectTextResponse = (status: number, object: KubeObject): ApiResponse => ({
  status,
  headers: JSON_HEADERS,
  body: `${jsonTextOf(object)}\n`,
})

/** Characters of a list from which on it is sent in pieces: it then never lies in memory as a whole. */
const PIECES_FROM_CHARS = 128 * 1024
/** Bytes of a piece. */
const PIECE_BYTES = 256 * 1024
/** A UTF-16 unit takes so many bytes of UTF-8 at most. */
const BYTES_PER_CHAR = 3

/** The answer that is a list: `head` is the list object without its items. */
export function listTextResponse(head: object, items: readonly KubeObject[]): ApiResponse {
  const texts = items.map(jsonTextOf)
  const opening = `${JSON.stringify(head).slice(0, -1)},"items":[`
  const sizeChars = texts.reduce((sum, text) => sum + text.length, 0)
  const body = sizeChars < PIECES_FROM_CHARS ? `${opening}${texts.join(',')}]}\n` : pieces(opening, texts)
  return { status: 200, headers: JSON_HEADERS, body }
}

/** Texts are written straight into the bytes that are sent: joined ones would first be copied into one large text. */
function* pieces(opening: string, texts: readonly string[]): Generator<Uint8Array> {
  let piece = Buffer.allocUnsafe(Math.max(PIECE_BYTES, opening.length * BYTES_PER_CHAR))
  let sizeBytes = piece.write(opening)
  for (const [index, text] of texts.entries()) {
    const ending = index === texts.length - 1 ? ']}\n' : ','
    const neededBytes = text.length * BYTES_PER_CHAR + ending.length
    if (sizeBytes + neededBytes > piece.length) {
      yield piece.subarray(0, sizeBytes)
      piece = Buffer.allocUnsafe(Math.max(PIECE_BYTES, neededBytes))
      sizeBytes = 0
    }
    sizeBytes += piece.write(text, sizeBytes)
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
