/** Decodes the protobuf bodies that kubectl ≥ 1.32 sends for built-in kinds into what their JSON would be. Pure. */
import { ApiError } from '../api/errors.ts'
import { MESSAGES, type FieldType, type MessageName } from './protobuf-messages.ts'

/** The media type of such a body. */
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf'

/** `k8s` and a zero byte, before the runtime.Unknown envelope. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00]
const DEPTH_MAX = 16

/** The JSON value of a protobuf body, with apiVersion and kind; BadRequest when it is none, UnsupportedMediaType for a kind without a table. */
export function decodeProtobuf(bytes: Uint8Array): Record<string, unknown> {
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) throw malformed()
  const envelope = decodeMessage(bytes.subarray(MAGIC.length), 'Unknown', 0)
  // The table of Unknown makes these types right.
  const type = (envelope['typeMeta'] ?? {}) as { readonly apiVersion?: string; readonly kind?: string }
  const raw = (envelope['raw'] ?? new Uint8Array()) as Uint8Array
  const { kind = '', apiVersion = '' } = type
  // The one kind that is in two groups.
  const name = kind === 'Event' && apiVersion.startsWith('events.k8s.io/') ? 'NewStyleEvent' : kind
  if (!Object.hasOwn(MESSAGES, name))
    throw new ApiError(
      'UnsupportedMediaType',
      `Send "${kind.slice(0, 80)}" as application/json: it is not read as protobuf`,
    )
  // Checked by hasOwn just now.
  return { apiVersion, kind, ...decodeMessage(raw, name as MessageName, 0) }
}

const malformed = (): ApiError => new ApiError('BadRequest', 'The request body is not a Kubernetes protobuf message')

/** Reads varints and slices from bytes; throws BadRequest at their end. */
class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** An unsigned 64-bit number; negative ones come as their two's complement. */
  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw malformed()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw malformed()
  }

  slice(lengthBytes: number): Uint8Array {
    const end = this.#at + lengthBytes
    if (end > this.#bytes.length) throw malformed()
    const slice = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return slice
  }
}

/** The value on the wire: a number, or bytes; fixed-width ones are skipped as bytes. */
function wireValue(cursor: Cursor, wireType: number): bigint | Uint8Array {
  if (wireType === 0) return cursor.varint()
  if (wireType === 1) return cursor.slice(8)
  if (wireType === 2) return cursor.slice(Number(cursor.varint()))
  if (wireType === 5) return cursor.slice(4)
  throw malformed()
}

function decodeMessage(bytes: Uint8Array, name: MessageName, depth: number): Record<string, unknown> {
  if (depth > DEPTH_MAX) throw malformed()
  const fields: Readonly<Record<number, readonly [string, FieldType]>> = MESSAGES[name]
  const decoded: Record<string, unknown> = {}
  const cursor = new Cursor(bytes)
  while (!cursor.isAtEnd) {
    const tag = Number(cursor.varint())
    const wire = wireValue(cursor, tag & 7)
    const number = tag >>> 3
    const field = Object.hasOwn(fields, number) ? fields[number] : undefined
    if (field) store(decoded, field, { wire, depth })
  }
  for (const [name, value] of Object.entries(decoded))
    // Keys are texts: storeEntry sets no others.
    if (value instanceof Map) decoded[name] = Object.fromEntries(value as Map<string, unknown>)
  return decoded
}

function store(
  decoded: Record<string, unknown>,
  [name, type]: readonly [string, FieldType],
  { wire, depth }: { readonly wire: bigint | Uint8Array; readonly depth: number },
): void {
  if (type.startsWith('map:')) {
    storeEntry(decoded, name, { wire, isBytes: type === 'map:bytes' })
    return
  }
  const isList = type.endsWith('[]')
  const value = scalarOf(wire, isList ? type.slice(0, -2) : type, depth)
  if (!isList) {
    // Protobuf carries zero values that JSON leaves out: `generation: 0` must not look like a wish.
    if (value !== undefined && value !== '' && value !== 0) decoded[name] = value
    return
  }
  const list = decoded[name]
  if (Array.isArray(list)) list.push(value)
  else decoded[name] = [value]
}

function storeEntry(
  decoded: Record<string, unknown>,
  name: string,
  { wire, isBytes }: { readonly wire: bigint | Uint8Array; readonly isBytes: boolean },
): void {
  const entry = decodeMessage(bytesOf(wire), isBytes ? 'BytesEntry' : 'TextEntry', 0)
  const { key, value = isBytes ? new Uint8Array() : '' } = entry
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
  // A Map until the message is whole: growing an object entry by entry is quadratic, and `__proto__` is a key too.
  const map = decoded[name] instanceof Map ? decoded[name] : new Map<unknown, unknown>()
  decoded[name] = map.set(typeof key === 'string' ? key : '', text)
}

function bytesOf(wire: bigint | Uint8Array): Uint8Array {
  if (wire instanceof Uint8Array) return wire
  throw malformed()
}

function numberOf(wire: bigint | Uint8Array): number {
  if (typeof wire === 'bigint') return Number(BigInt.asIntN(64, wire))
  throw malformed()
}

function scalarOf(wire: bigint | Uint8Array, type: string, depth: number): unknown {
  switch (type) {
    case 'text':
      return new TextDecoder().decode(bytesOf(wire))
    case 'bytes':
      return bytesOf(wire)
    case 'int':
      return numberOf(wire)
    case 'bool':
      return numberOf(wire) !== 0
    case 'time':
      return instantOf(bytesOf(wire), 'Time')
    case 'microTime':
      return instantOf(bytesOf(wire), 'MicroTime')
    case 'json':
      return jsonOf(bytesOf(wire))
    default:
      // All other type names in the tables are those of messages.
      return decodeMessage(bytesOf(wire), type as MessageName, depth + 1)
  }
}

function instantOf(bytes: Uint8Array, form: 'Time' | 'MicroTime'): string | undefined {
  const { seconds = 0, nanos = 0 } = decodeMessage(bytes, 'Timestamp', 0) as { seconds?: number; nanos?: number }
  // Go's zero time and an absent one look the same.
  if (seconds === 0 && nanos === 0) return undefined
  const whole = isoSeconds(seconds)
  return form === 'Time' ? `${whole}Z` : `${whole}.${String(Math.trunc(nanos / 1000)).padStart(6, '0')}Z`
}

/** `2026-01-15T12:00:00` of seconds since 1970, by the civil calendar; no clock is read. */
function isoSeconds(seconds: number): string {
  const days = Math.floor(seconds / 86_400)
  const [year, month, day] = civilOf(days)
  const ofDay = seconds - days * 86_400
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0')
  const time = [Math.floor(ofDay / 3600), Math.floor(ofDay / 60) % 60, ofDay % 60].map((part) => pad(part)).join(':')
  return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${time}`
}

/** Year, month and day of a day number, after Howard Hinnant's civil_from_days. */
function civilOf(days: number): readonly [number, number, number] {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * ofYear + 2) / 153)
  const day = ofYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day]
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw malformed()
  }
}
