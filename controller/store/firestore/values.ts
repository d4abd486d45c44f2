/** Turns the fields of documents into Firestore's wire form and back. Pure. */

/** A value in the wire form: the one member that is set says its type. */
export type WireValue = {
  readonly nullValue?: unknown
  readonly booleanValue?: boolean | null
  readonly integerValue?: unknown
  readonly doubleValue?: number | string | null
  readonly timestampValue?: unknown
  readonly stringValue?: string | null
  readonly bytesValue?: Uint8Array | string | null
  readonly referenceValue?: string | null
  readonly geoPointValue?: unknown
  readonly arrayValue?: { readonly values?: readonly WireValue[] | null } | null
  readonly mapValue?: { readonly fields?: WireFields | null } | null
}

/** The fields of a document or map in the wire form. */
export type WireFields = Readonly<Record<string, WireValue>>

/** The wire form of a map's fields; values are JSON, dates or bytes. */
export const toWire = (fields: Readonly<Record<string, unknown>>): Record<string, WireValue> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, wireOf(value)]))

function wireOf(value: unknown): WireValue {
  if (value === null || value === undefined) return { nullValue: 'NULL_VALUE' }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { booleanValue: value }
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? { integerValue: value } : { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(wireOf) } }
  if (value instanceof Date) return { timestampValue: { seconds: Math.floor(value.getTime() / 1000), nanos: 0 } }
  if (value instanceof Uint8Array) return { bytesValue: value }
  // Whatever else JSON can be is a map.
  return { mapValue: { fields: toWire(value as Readonly<Record<string, unknown>>) } }
}

/** The fields of a map in the wire form. What has no JSON form becomes a date, bytes or a symbol that says what it was. */
export const fromWire = (fields: WireFields | null | undefined): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields ?? {}).map(([name, value]) => [name, plainOf(value)]))

function plainOf(value: WireValue): unknown {
  if (value.stringValue !== undefined && value.stringValue !== null) return value.stringValue
  if (value.mapValue !== undefined && value.mapValue !== null) return fromWire(value.mapValue.fields)
  if (value.integerValue !== undefined && value.integerValue !== null) return Number(value.integerValue)
  if (value.doubleValue !== undefined && value.doubleValue !== null) return Number(value.doubleValue)
  if (value.booleanValue !== undefined && value.booleanValue !== null) return value.booleanValue
  if (value.arrayValue !== undefined && value.arrayValue !== null) return (value.arrayValue.values ?? []).map(plainOf)
  return oddOf(value)
}

function oddOf(value: WireValue): unknown {
  if (value.timestampValue !== undefined && value.timestampValue !== null) return dateOf(value.timestampValue)
  if (value.bytesValue !== undefined && value.bytesValue !== null) return new Uint8Array(Buffer.from(value.bytesValue))
  if (value.referenceValue !== undefined && value.referenceValue !== null) return Symbol('reference')
  if (value.geoPointValue !== undefined && value.geoPointValue !== null) return Symbol('geo point')
  return null
}

function dateOf(time: unknown): Date {
  // The client gives a message with these two, the first one as text where it may be large.
  const { seconds, nanos } = time as { readonly seconds?: unknown; readonly nanos?: unknown }
  return new Date(Number(seconds ?? 0) * 1000 + Math.floor(Number(nanos ?? 0) / 1_000_000))
}
