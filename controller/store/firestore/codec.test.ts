/** Tests of the codec between JSON texts and Firestore's maps. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../api/object.ts'
import { resourceName } from '../../api/define-kind.ts'
import { KINDS } from '../../kinds/kinds.ts'
import { CORE_RESOURCES } from '../../registry/core.ts'
import { decodeDocument, encodeDocument } from './codec.ts'
import { limitFault } from './limits.ts'

const metadata = { name: 'anna', namespace: 'acme', uid: 'u-1', creationTimestamp: '2027-01-01T00:00:00Z' }
const sprite = (rest: object = {}): JsonObject => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata,
  spec: {},
  ...rest,
})
const textOf = (value: unknown): string => JSON.stringify(value)

/** What comes back of an object, without the revision. */
function roundTrip(text: string): unknown {
  const fields = encodeDocument(text)
  expect(limitFault(fields)).toBeUndefined()
  const decoded = decodeDocument(fields, 7)
  if (!decoded.ok) throw new Error(decoded.fault)
  const { metadata: meta, ...rest } = JSON.parse(decoded.value)
  const { resourceVersion, ...kept } = meta
  expect(resourceVersion).toBe('7')
  return { ...rest, metadata: kept }
}

const faultOf = (fields: unknown, ...rest: [Parameters<typeof decodeDocument>[2]?]): string => {
  const decoded = decodeDocument(fields, 7, ...rest)
  return decoded.ok ? `no fault: ${decoded.value}` : decoded.fault
}

const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 'end'
  for (let level = 0; level < levels; level++) value = wrap(value)
  return value
}

class Timestamp {
  readonly seconds = 1
}

describe('encodeDocument', () => {
  test('FDC1 an object stands as readable maps, without its resourceVersion', () => {
    const object = sprite({ spec: { agentType: 'copywriter', regions: ['fra'] }, status: { phase: 'Idle' } })
    const text = textOf({ ...object, metadata: { ...metadata, resourceVersion: '12' } })
    expect(encodeDocument(text)).toEqual(object)
    expect(decodeDocument(encodeDocument(text), 99)).toEqual({
      ok: true,
      value: textOf({
        apiVersion: object['apiVersion'],
        kind: 'Sprite',
        metadata: { ...metadata, resourceVersion: '99' },
        spec: object['spec'],
        status: object['status'],
      }),
    })
  })

  test.each([
    ['nested arrays', '[[1],[[2,[]]]]'],
    ['an empty key', '{"":1}'],
    ['a key of Firestore’s own', '{"__name__":1,"a":2}'],
    ['a key of the prototype', '{"__proto__":{"x":1}}'],
    ['keys that objects inherit', '{"constructor":1,"toString":{"valueOf":2},"hasOwnProperty":null}'],
    ['a key that is too long', `{"${'k'.repeat(1501)}":1}`],
    ['a key with a lone surrogate', '{"\\ud800":1}'],
    ['a text with a lone surrogate', '"\\udfff and more"'],
    ['our own mark', '{"$json":"[1]"}'],
    ['our own mark, marked', '{"$json":{"$json":"1"}}'],
    ['our own mark in an array in an array', '[[{"$json":"1"}]]'],
    ['our own mark beside another key', '{"$json":"[1]","b":{"_text":1,"expireAt":2}}'],
    ['-0, also where it stands as text', '{"a":-0,"b":[[-0]]}'],
    ['numbers of every size', '[0,1.5,-3,9007199254740993,1e21,5e-324,1e999,-1e999]'],
    ['numbers beyond doubles in text', '[[1e999,-1e999]]'],
    ['keys with dots and slashes', '{"a.b":1,".":2,"/":3,"`":4,"f:spec":{"k:{\\"name\\":\\"x\\"}":{}}}'],
    ['empty maps and arrays, null', '{"a":{},"b":[],"c":null,"d":[null,{},""]}'],
    ['60 levels of maps', textOf(nested(60, (inner) => ({ a: inner })))],
    ['60 levels of arrays', textOf(nested(60, (inner) => [inner]))],
    ['60 levels of both', textOf(nested(30, (inner) => [{ a: inner }]))],
  ])('FDC2 %s come back and are within the limits', (_name, json) => {
    const text = textOf(sprite()).replace(/\}$/, `,"status":{"input":${json}},"data":${json}}`)
    expect(roundTrip(text)).toEqual(JSON.parse(text))
  })

  test('FDC2 any JSON in any part comes back and is within the limits', () => {
    const key = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom('$json', '_text', '__proto__', 'constructor', 'expireAt', '', '__a__'),
    )
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { depthSize: 'large', withCrossShrink: true },
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.double({ noNaN: true }),
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
        ),
        fc.array(tie('json'), { maxLength: 4 }),
        fc.dictionary(key, tie('json'), { maxKeys: 4 }),
      ),
    }))
    // JSON.stringify loses -0 and infinities: what is stored is what its text says.
    const map = fc.dictionary(key, json, { maxKeys: 4 })
    fc.assert(
      fc.property(map, map, fc.dictionary(fc.string(), json, { maxKeys: 2 }), (spec, status, rest) => {
        const { apiVersion: _a, kind: _k, metadata: _m, ...more } = rest
        const text = textOf(sprite({ ...more, spec, status }))
        expect(roundTrip(text)).toEqual(JSON.parse(text))
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['a sealed text', 'aes256gcm.v1:derived:AAAA'],
    ['an object of no kind', '{"revision":3,"value":"new"}'],
    ['a list', '[1]'],
    ['the empty text', ''],
    ['a text with a lone surrogate', 'x\ud800'],
  ])('FDC3 %s stays as written', (_name, text) => {
    const fields = encodeDocument(text)
    expect(Object.keys(fields)).toEqual(['_text'])
    expect(limitFault(fields)).toBeUndefined()
    expect(decodeDocument(fields, 7)).toEqual({ ok: true, value: text })
  })

  test.each([
    ['without a kind', { metadata: { name: 'x' }, value: 1 }],
    ['with a spec that is no map', sprite({ spec: 'x' })],
    ['with a field of the adapter’s', sprite({ expireAt: 'x' })],
    ['with a field that looks like the adapter’s', sprite({ _text: 'x' })],
    ['with a top-level key that Firestore refuses', sprite({ '': 1 })],
  ])('FDC3 an object %s comes back with its revision', (_name, object) => {
    expect(Object.keys(encodeDocument(textOf(object)))).toEqual(['_text'])
    expect(roundTrip(textOf(object))).toEqual(object)
  })

  test('FDC5 what the adapter adds is no part of the object', () => {
    const fields = { ...encodeDocument(textOf(sprite())), expireAt: new Timestamp(), _writer: { a: new Timestamp() } }
    expect(decodeDocument(fields, 7)).toEqual(decodeDocument(encodeDocument(textOf(sprite())), 7))
    const sealed = { ...encodeDocument('sealed'), expireAt: new Timestamp(), _writtenAs: 3 }
    expect(decodeDocument(sealed, 7)).toEqual({ ok: true, value: 'sealed' })
  })
})

describe('decodeDocument', () => {
  const { kind: _kind, ...kindless } = sprite()
  const spriteWithout = (field: string): JsonObject =>
    Object.fromEntries(Object.entries(sprite()).filter(([name]) => name !== field))
  const own = new (class Own {
    readonly kind = 'Sprite'
  })()
  test.each<readonly [string, unknown, RegExp]>([
    ['nothing', undefined, /^the document must be a map, not a value of type undefined/],
    ['an empty document', {}, /^apiVersion must be/],
    ['no kind', kindless, /^kind must be the name of a kind, not nothing; delete the document/],
    ['a kind that cannot be named', sprite({ kind: 'x\ny' }), /^kind must be the name of a kind, not "x\\ny"/],
    ['a version that cannot be named', sprite({ apiVersion: 'a/b/c' }), /^apiVersion must be a group and version/],
    ['metadata as text', sprite({ metadata: '{}' }), /^metadata must be a map, not "\{\}"/],
    ['a spec as text', sprite({ spec: 'agentType: x' }), /^spec must be a map, not "agentType: x"/],
    ['no spec', spriteWithout('spec'), /^spec must be a map, not nothing/],
    ['a status as an array', sprite({ status: [] }), /^status must be a map, not a value of type array/],
    [
      'no uid',
      sprite({ metadata: { ...metadata, uid: 3 } }),
      /^metadata.uid must be a text, not a value of type number/,
    ],
    ['a creation that is no time', sprite({ metadata: { ...metadata, creationTimestamp: 'x' } }), /^metadata.creat/],
    ['labels that are no texts', sprite({ metadata: { ...metadata, labels: { a: 1 } } }), /^metadata.labels must/],
    [
      'owners without a uid',
      sprite({ metadata: { ...metadata, ownerReferences: [{ name: 'x' }] } }),
      /^metadata.owner/,
    ],
    [
      'a timestamp',
      sprite({ spec: { at: new Timestamp() } }),
      /^"spec.at" must have a JSON form, not a Timestamp; write/,
    ],
    ['bytes', sprite({ spec: { a: [Buffer.from('x')] } }), /^"spec.a.0" must have a JSON form, not bytes/],
    ['a Date', sprite({ spec: { a: new Date(0) } }), /not a Date/],
    ['NaN', sprite({ spec: { a: Number.NaN } }), /^"spec.a" must have a JSON form, not a value of type number/],
    ['a bigint', sprite({ spec: { a: 1n } }), /not a value of type bigint/],
    ['an object of a class', own, /^the document must be a map, not a Own/],
    [
      '500 levels of maps',
      sprite({ spec: nested(500, (inner) => ({ a: inner })) }),
      /^"spec.a.a.*nests deeper than 128/,
    ],
    ['500 levels of arrays', sprite({ spec: { a: nested(500, (inner) => [inner]) } }), /nests deeper than 128/],
    [
      '500 levels as JSON text',
      sprite({ spec: { a: { $json: textOf(nested(500, (inner) => ({ a: inner }))) } } }),
      /nests deeper than 128/,
    ],
    ['500 levels in a whole text', { _text: textOf({ metadata: {}, a: nested(500, (inner) => [inner]) }) }, /deeper/],
    ['200,000 levels as JSON text', sprite({ spec: { $json: '['.repeat(200_000) + ']'.repeat(200_000) } }), /deeper/],
    ['a mark without JSON', sprite({ spec: { a: { $json: '{' } } }), /^"spec.a" must hold JSON text in "\$json"/],
    ['a mark without a text', sprite({ spec: { $json: 3 } }), /^"spec" must hold JSON text/],
    ['a spec that is marked and no map', sprite({ spec: { $json: '"x"' } }), /^spec must be a map, not "x"/],
    ['a text beside an object', { ...sprite(), _text: 'x' }, /stands beside "_text"/],
    ['a text that is none', { _text: 3 }, /^"_text" must be a text/],
    [
      '9 MiB',
      sprite({ spec: { a: Array.from({ length: 9 }, () => 'x'.repeat(1_048_576)) } }),
      /^the document is longer/,
    ],
  ])('FDC4 %s is a fault that says where', (_name, fields, fault) => {
    expect(faultOf(fields)).toMatch(fault)
    expect(faultOf(fields).length).toBeLessThan(400)
  })

  test('FDC4 a fault repeats little of what it found', () => {
    expect(faultOf(sprite({ spec: 'x'.repeat(1_048_576) })).length).toBeLessThan(300)
    expect(faultOf(sprite({ spec: { ['k'.repeat(1500)]: new Timestamp() } })).length).toBeLessThan(300)
  })

  test('FDC4 a document that says it is another one is a fault', () => {
    const at = { namespace: 'acme', name: 'anna', collection: 'sprites.sprites.highera.com' }
    expect(decodeDocument(sprite(), 7, at)).toMatchObject({ ok: true })
    expect(faultOf(sprite(), { ...at, name: 'bea' })).toMatch(/^metadata.name must be "bea" at this path, not "anna"/)
    expect(faultOf(sprite(), { ...at, namespace: '' })).toMatch(/^metadata.namespace must be "" at this path/)
    expect(faultOf(sprite({ kind: 'Work' }), at)).toMatch(/^kind must be that of "sprites" at this path, not "Work"/)
    expect(faultOf(sprite({ apiVersion: 'sprites.highera.com/v9' }), at)).toMatch(/^apiVersion must be "sprites/)
    expect(faultOf(sprite({ apiVersion: 'v1' }), at)).toMatch(/^apiVersion must be "sprites/)
  })

  test.each([...KINDS, ...CORE_RESOURCES].map((kind) => [kind.kind, kind] as const))(
    'FDC4 an object of kind %s is at home in its collection',
    (_kind, { group, version, kind, plural }) => {
      const object = sprite({ apiVersion: group === '' ? version : `${group}/${version}`, kind, spec: {} })
      const at = { namespace: 'acme', name: 'anna', collection: resourceName({ group, plural }) }
      expect(decodeDocument(object, 7, at)).toMatchObject({ ok: true })
    },
  )

  test('FDC4 a text where objects lie must be one; where sealed texts lie it need not', () => {
    const at = { namespace: 'acme', name: 'anna', collection: 'sprites.sprites.highera.com' }
    expect(faultOf({ _text: 'not json' }, at)).toBe('in "_text", it is no JSON object; delete the document')
    expect(faultOf({ _text: textOf(sprite({ kind: 'Work' })) }, at)).toMatch(/^in "_text", kind must be that of/)
    expect(decodeDocument({ _text: textOf(sprite({ _text: 1 })) }, 7, at)).toMatchObject({ ok: true })
    expect(decodeDocument({ _text: 'sealed' }, 7, { ...at, collection: 'secrets' })).toEqual({
      ok: true,
      value: 'sealed',
    })
  })

  test('FDC4 getters, proxies and cycles do not throw', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    expect(faultOf(sprite({ spec: cycle }))).toMatch(/deeper/)
    const thrower = {
      get kind(): string {
        throw new Error('no')
      },
    }
    expect(faultOf(thrower)).toMatch(/^the document cannot be read/)
  })

  test('FDC4 anything at all decodes or is a fault', () => {
    fc.assert(
      fc.property(
        fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true, withMap: true }),
        (value) => {
          expect(typeof decodeDocument(value, 7).ok).toBe('boolean')
          expect(typeof decodeDocument(sprite({ spec: value }), 7).ok).toBe('boolean')
        },
      ),
    )
  })

  test('FDC4 a map of the prototype changes no prototype', () => {
    const decoded = decodeDocument(
      encodeDocument(textOf(sprite()).replace(/\}$/, ',"status":{"__proto__":{"x":1}}}')),
      7,
    )
    expect(decoded.ok && JSON.parse(decoded.value).status).toEqual(JSON.parse('{"__proto__":{"x":1}}'))
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false)
  })
})
