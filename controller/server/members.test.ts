/** How many members a body may have. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJson, parsePatch, parseYaml, readTyped } from './body.ts'
import { MEMBERS_MAX, refuseCrowded, refuseCrowdedValue } from './members.ts'
import { testServer, makeNamespace } from './testing.ts'

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const list = (length: number): readonly unknown[] => Array.from({ length }, (_, index) => index)
const map = (length: number): object => Object.fromEntries(list(length).map((key) => [`key-${String(key)}`, '']))
const TOO_LARGE = expect.objectContaining({ reason: 'RequestEntityTooLarge', code: 413 })

describe('a crowded body', () => {
  it('SV27 is refused before it is parsed, whatever it is made of', () => {
    const crowds = [list(30_000), map(30_000), list(30_000).map(() => []), list(15_000).map((key) => ({ key }))]
    for (const crowd of crowds) {
      expect(() => parseJson(bytes(crowd))).toThrowError(TOO_LARGE)
      expect(() => parsePatch(bytes(crowd), 'Ignore', true)).toThrowError(TOO_LARGE)
      expect(() => parseYaml(bytes(crowd))).toThrowError(TOO_LARGE)
      expect(() => refuseCrowdedValue(crowd)).toThrowError(TOO_LARGE)
    }
  })

  it('SV27 is none for its bytes, nor for commas and brackets in a text', () => {
    const long = { text: ',[{"'.repeat(100_000), slash: '\\'.repeat(50_000) }
    expect(parseJson(bytes(long))).toEqual(long)
    expect(parseJson(bytes(map(MEMBERS_MAX - 10)))).toEqual(map(MEMBERS_MAX - 10))
  })

  it('SV27 is told from one that is not, as by counting what was parsed', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: MEMBERS_MAX - 50, max: MEMBERS_MAX + 50 }), (value, length) => {
        const whole = { value, list: list(length) }
        const throws = (run: () => void): boolean => {
          try {
            run()
            return false
          } catch {
            return true
          }
        }
        const isCrowded = throws(() => refuseCrowdedValue(whole))
        // Brackets are counted besides members: the pass over bytes is never laxer.
        if (isCrowded) expect(throws(() => refuseCrowded(bytes(whole)))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('SV27 of protobuf is refused once it is read', () => {
    // A ConfigMap of 30,000 keys: field 2 (data) of map entries {1: key, 2: value}.
    const entry = (key: string): Buffer => {
      const inner = Buffer.concat([Buffer.from([0x0a, key.length]), Buffer.from(key), Buffer.from([0x12, 0])])
      return Buffer.concat([Buffer.from([0x12, inner.length]), inner])
    }
    const raw = Buffer.concat(list(30_000).map((key) => entry(`k${String(key)}`)))
    const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)])
    const type = Buffer.concat([
      Buffer.from([0x0a, 2]),
      Buffer.from('v1'),
      Buffer.from([0x12, 9]),
      Buffer.from('ConfigMap'),
    ])
    const body = Buffer.concat([
      Buffer.from('k8s\0'),
      Buffer.from([0x0a, ...varint(type.length)]),
      type,
      Buffer.from([0x12, ...varint(raw.length)]),
      raw,
    ])
    const contentType = 'application/vnd.kubernetes.protobuf'
    expect(() => readTyped(body, { contentType, isBuiltIn: true, validation: 'Warn' })).toThrowError(TOO_LARGE)
  })

  it('SV27 is answered with 413, and nothing is stored', async () => {
    const server = testServer()
    await makeNamespace(server)
    const data = map(30_000)
    const answer = await server.send('POST', '/api/v1/namespaces/acme/events', {
      body: { metadata: { name: 'c', labels: data } },
    })
    expect(answer).toMatchObject({ status: 413, body: { reason: 'RequestEntityTooLarge' } })
  })
})
