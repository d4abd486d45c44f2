/** Tests of the protobuf bodies: bytes as kubectl and client-go send them. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { timestamp } from '../../system/timestamp.ts'
import { hasReason } from '../api/errors.ts'
import { decodeProtobuf } from './protobuf.ts'
import { makeNamespace, SPRITES, spriteBody, testServer } from './testing.ts'

const varint = (value: bigint): Buffer => {
  const low = Number(value & 0x7fn)
  return value < 0x80n ? Buffer.from([low]) : Buffer.concat([Buffer.from([low | 0x80]), varint(value >> 7n)])
}
const bytes = (number: number, content: Uint8Array): Buffer =>
  Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(content.length)), content])
const text = (number: number, content: string): Buffer => bytes(number, Buffer.from(content))
const int = (number: number, value: bigint): Buffer =>
  Buffer.concat([varint(BigInt(number * 8)), varint(BigInt.asUintN(64, value))])
const all = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts)
const envelope = (apiVersion: string, kind: string, raw: Uint8Array): Buffer =>
  all(Buffer.from('k8s\0'), bytes(1, all(text(1, apiVersion), text(2, kind))), bytes(2, raw), text(3, ''), text(4, ''))
const time = (seconds: bigint, nanos = 0n): Buffer => all(int(1, seconds), int(2, nanos))

const emptyMeta = all(
  text(1, 'acme'),
  text(2, ''),
  text(3, ''),
  text(5, ''),
  text(6, ''),
  int(7, 0n),
  bytes(8, time(0n)),
)

describe('protobuf', () => {
  it('SV5 a Namespace as kubectl create sends it: zero values and empty text are left out', () => {
    const raw = all(bytes(1, emptyMeta), bytes(2, Buffer.alloc(0)), bytes(3, text(1, '')))
    expect(decodeProtobuf(envelope('v1', 'Namespace', raw))).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'acme' },
      spec: {},
      status: {},
    })
  })

  it('SK31 an Event of events.k8s.io is read by its own table, one of the core group by its', () => {
    const raw = all(text(4, 'example.com/c'), bytes(8, text(3, 'writer')), text(10, 'It was bound'), int(15, 2n))
    expect(decodeProtobuf(envelope('events.k8s.io/v1', 'Event', raw))).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      reportingController: 'example.com/c',
      regarding: { name: 'writer' },
      note: 'It was bound',
      deprecatedCount: 2,
    })
    expect(decodeProtobuf(envelope('v1', 'Event', text(4, 'It was bound')))).toMatchObject({ message: 'It was bound' })
  })

  it('SV5 maps, lists, instants and bytes become what their JSON is', () => {
    const entry = (key: string, value: string): Buffer => bytes(11, all(text(1, key), text(2, value)))
    const meta = all(
      text(1, 'e'),
      entry('a', 'b'),
      entry('__proto__', 'c'),
      text(14, 'x/y'),
      text(14, 'z'),
      bytes(8, time(1_768_478_400n)),
    )
    const event = decodeProtobuf(
      envelope('v1', 'Event', all(bytes(1, meta), int(8, 3n), bytes(10, time(-1n, 250_000_000n)))),
    )
    expect(event['metadata']).toEqual({
      name: 'e',
      labels: Object.fromEntries([
        ['a', 'b'],
        ['__proto__', 'c'],
      ]),
      finalizers: ['x/y', 'z'],
      creationTimestamp: '2026-01-15T12:00:00Z',
    })
    expect(event).toMatchObject({ count: 3, eventTime: '1969-12-31T23:59:59.250000Z' })
    const secret = decodeProtobuf(envelope('v1', 'Secret', bytes(2, all(text(1, 'k'), text(2, 'v')))))
    expect(secret['data']).toEqual({ k: 'dg==' })
  })

  it('SV5 a map that fills the body is read in time', () => {
    const entries = Array.from({ length: 200_000 }, (_, at) => bytes(2, text(1, String(at))))
    const { data } = decodeProtobuf(envelope('v1', 'ConfigMap', Buffer.concat(entries)))
    expect(Object.keys(data ?? {})).toHaveLength(200_000)
  })

  it('SV5 instants agree with the calendar', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 253_402_300_799 }), (seconds) => {
        const raw = bytes(6, time(BigInt(seconds)))
        expect(decodeProtobuf(envelope('v1', 'Event', raw))['firstTimestamp']).toBe(timestamp(seconds * 1000))
      }),
    )
  })

  it('SV5 cut or hostile bytes are BadRequest, never a crash', () => {
    const good = envelope('v1', 'Namespace', bytes(1, emptyMeta))
    const decode = (body: Uint8Array): string => {
      try {
        decodeProtobuf(body)
        return 'read'
      } catch (error) {
        expect(hasReason(error, 'BadRequest', 'UnsupportedMediaType')).toBe(true)
        return 'refused'
      }
    }
    for (let length = 0; length < 4; length++) expect(decode(good.subarray(0, length))).toBe('refused')
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => void decode(all(Buffer.from('k8s\0'), tail))))
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        fc.nat(255),
        (at, byte) => void decode(Buffer.from(good).fill(byte, at, at + 1)),
      ),
    )
  })

  it('SV5 the server takes them for built-in kinds and DeleteOptions, not for its own', async () => {
    const server = testServer()
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' }
    const namespace = envelope('v1', 'Namespace', bytes(1, emptyMeta))
    expect((await server.send('POST', '/api/v1/namespaces', { body: namespace, headers })).status).toBe(201)
    expect((await makeNamespace(server)).status).toBe(409)
    expect((await server.send('POST', SPRITES, { body: namespace, headers })).status).toBe(415)
    await server.send('POST', SPRITES, { body: spriteBody('a') })
    const options = envelope('v1', 'DeleteOptions', bytes(2, text(1, 'other-uid')))
    expect((await server.send('DELETE', `${SPRITES}/a`, { body: options, headers })).status).toBe(409)
    const access = envelope('authorization.k8s.io/v1', 'SelfSubjectAccessReview', bytes(2, bytes(1, text(2, 'get'))))
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    expect((await server.send('POST', path, { body: access, headers })).body).toMatchObject({
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: { verb: 'get' } },
      status: { allowed: true },
    })
    expect((await server.send('GET', path)).status).toBe(405)
  })

  it('SV19 whoami says who holds the token', async () => {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    const answer = await testServer().send('POST', path, { body: { kind: 'SelfSubjectReview' } })
    expect(answer.body).toMatchObject({ status: { userInfo: { username: 'admin', groups: ['system:masters'] } } })
  })
})
