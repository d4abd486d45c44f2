/** Finds keys that stand twice in one object of a JSON text, in one pass over its bytes. Pure. */

/** One key that was there before: the way to it, and the line (from 1) where it stands again. */
export type Duplicate = { readonly path: readonly (string | number)[]; readonly key: string; readonly line: number }

/** The most duplicates that are told of one body. */
export const DUPLICATES_MAX = 20

/** An object or a list that is being read. */
type Frame = { readonly keys: Set<string> | undefined; key: string; index: number; readsKey: boolean }

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN = new Map([
  [0x7b, true],
  [0x5b, false],
])
const LINE = 0x0a

/** The duplicate keys of a text that is JSON, each once, in order; keys are compared after unescaping. */
export function duplicatesIn(bytes: Uint8Array): readonly Duplicate[] {
  const found: Duplicate[] = []
  const told = new Set<string>()
  const frames: Frame[] = []
  let line = 1
  for (let at = 0; at < bytes.length && found.length < DUPLICATES_MAX; at++) {
    const byte = bytes[at] ?? 0
    const frame = frames.at(-1)
    const isObject = OPEN.get(byte)
    if (byte === LINE) line++
    else if (isObject !== undefined)
      frames.push({ keys: isObject ? new Set() : undefined, key: '', index: 0, readsKey: isObject })
    else if (byte === 0x7d || byte === 0x5d) frames.pop()
    else if (byte === COMMA && frame !== undefined) {
      frame.index++
      frame.readsKey = frame.keys !== undefined
    } else if (byte === QUOTE) {
      const end = endOfText(bytes, at)
      if (frame?.readsKey === true && frame.keys !== undefined) {
        frame.readsKey = false
        frame.key = textOf(bytes, at, end)
        const path = frames.map(({ keys, key, index }) => (keys === undefined ? index : key))
        if (frame.keys.has(frame.key) && !told.has(JSON.stringify(path))) {
          told.add(JSON.stringify(path))
          found.push({ path, key: frame.key, line })
        }
        frame.keys.add(frame.key)
      }
      at = end
    }
  }
  return found
}

/** Where the closing quote of a text stands. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++
    else if (bytes[at] === QUOTE) return at
  }
  return bytes.length
}

/** The text between two quotes; it is part of a text that has been read as JSON already. */
const textOf = (bytes: Uint8Array, start: number, end: number): string =>
  String(JSON.parse(new TextDecoder().decode(bytes.subarray(start, end + 1))))

/** A path as Kubernetes writes it: `spec.regions[0].name`. */
export const fieldPath = (path: readonly (string | number)[]): string =>
  path.map((part, at) => (typeof part === 'number' ? `[${part}]` : at === 0 ? part : `.${part}`)).join('')
