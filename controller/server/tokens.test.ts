/** Tests of tokens and of how a request may present them. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { hasReason } from '../api/errors.ts'
import { credentialOf, isLoopbackAddress, refuseImpersonation, refuseUntrusted } from './credentials.ts'
import type { ApiRequest } from './exchange.ts'
import { createTokenSet, derivedToken, keyIdOf, mintToken, recordOf } from './tokens.ts'

const entropy = seededEntropy(1)
const actor = { name: 'admin', groups: ['system:masters'] }

describe('tokens', () => {
  it('SV13 a minted token is known, its record holds no part of the secret', () => {
    const { token, record } = mintToken(actor, entropy)
    const set = createTokenSet([record])
    expect(set.authenticate(token)).toEqual(actor)
    const secret = token.split('_')[2] ?? ''
    expect(JSON.stringify(record)).not.toContain(secret.slice(0, 16))
    expect(keyIdOf(token)).toBe(record.keyId)
    expect(recordOf(token, actor)).toEqual(record)
  })

  it('SV13 processes that share a key make the same token of it, for one purpose', () => {
    const key = entropy.bytes(32)
    const { token, record } = derivedToken(actor, key, 'admin')
    expect(derivedToken(actor, key, 'admin').token).toBe(token)
    expect(createTokenSet([record]).authenticate(token)).toEqual(actor)
    expect(derivedToken(actor, key, 'other').token).not.toBe(token)
    expect(derivedToken(actor, entropy.bytes(32), 'admin').token).not.toBe(token)
  })

  it('SV13 one changed character anywhere makes it unknown', () => {
    const { token, record } = mintToken(actor, entropy)
    const set = createTokenSet([record])
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...Array.from('0123456789abcdef_Z')), (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1)
        expect(set.authenticate(changed)).toEqual(changed === token ? actor : undefined)
      }),
    )
  })

  it('SV13 another secret under the same key id is refused', () => {
    const { record } = mintToken(actor, entropy)
    const other = mintToken(actor, entropy)
    const set = createTokenSet([{ ...record, keyId: other.record.keyId }])
    expect(set.authenticate(other.token)).toBeUndefined()
    const damaged = createTokenSet([{ ...other.record, sha256: 'abc' }])
    expect(damaged.authenticate(other.token)).toBeUndefined()
  })

  it('SV13 a revoked token fails at once, two keys of one actor live side by side', () => {
    const first = mintToken(actor, entropy)
    const second = mintToken(actor, entropy)
    const set = createTokenSet([first.record])
    set.add(second.record)
    expect(set.authenticate(second.token)).toEqual(actor)
    expect(set.revoke(first.record.keyId)).toBe(true)
    expect(set.revoke(first.record.keyId)).toBe(false)
    expect(set.authenticate(first.token)).toBeUndefined()
  })

  it.each(['', 'x', 'constructor', '__proto__', 'a_b_c', 'x'.repeat(10_000)])('SV13 %.20s is no token', (token) => {
    expect(createTokenSet().authenticate(token)).toBeUndefined()
    expect(recordOf(token, actor)).toBeUndefined()
  })
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const request = (over: Partial<ApiRequest>, headers: Record<string, string> = {}): ApiRequest => ({
  method: 'GET',
  url: new URL('http://x/'),
  headers: new Map(Object.entries({ host: '127.0.0.1:8787', ...headers })),
  readBody: () => Promise.resolve(new Uint8Array()),
  signal: new AbortController().signal,
  isTrustedTransport: true,
  isLoopbackHttp: true,
  ...over,
})
const refusal = (over: Partial<ApiRequest>, headers?: Record<string, string>): string => {
  try {
    const given = request(over, headers)
    refuseUntrusted(given, credentialOf(given.headers.get('authorization')))
    return 'none'
  } catch (error) {
    return hasReason(error, 'Forbidden') ? error.reason : String(error)
  }
}

describe('credentials', () => {
  it.each([
    ['Bearer abc', { token: 'abc', scheme: 'Bearer' }],
    ['bearer   abc', { token: 'abc', scheme: 'Bearer' }],
    [`Basic ${base64('me:abc')}`, { token: 'abc', scheme: 'Basic' }],
    [`Basic ${base64(':a:b')}`, { token: 'a:b', scheme: 'Basic' }],
    [`Basic ${base64('nocolon')}`, undefined],
    ['Digest x', undefined],
    ['Bearer', undefined],
    ['Bearer a b', undefined],
    [undefined, undefined],
    [`Bearer ${'x'.repeat(9000)}`, undefined],
  ])('SV11 %.30s', (header, expected) => {
    expect(credentialOf(header)).toEqual(expected)
  })

  it('SV12 tokens in the clear are refused off the loopback interface', () => {
    expect(refusal({ isTrustedTransport: false, isLoopbackHttp: false })).toBe('Forbidden')
    expect(refusal({})).toBe('none')
  })

  it('SV12 a Host that is not loopback is DNS rebinding; over TLS any Host will do', () => {
    expect(refusal({}, { host: 'evil.example:8787' })).toBe('Forbidden')
    expect(refusal({}, { host: '127.0.0.1.evil.example' })).toBe('Forbidden')
    expect(refusal({}, { host: 'localhost' })).toBe('none')
    expect(refusal({}, { host: '[::1]:8787' })).toBe('none')
    expect(refusal({ isLoopbackHttp: false }, { host: 'sprites.example' })).toBe('none')
  })

  it('SV12 a page of another origin cannot write with the password that the browser adds', () => {
    const authorization = `Basic ${base64('me:t')}`
    expect(refusal({ method: 'POST' }, { authorization, 'sec-fetch-site': 'cross-site' })).toBe('Forbidden')
    expect(refusal({ method: 'POST' }, { authorization, origin: 'https://evil.example' })).toBe('Forbidden')
    expect(refusal({ method: 'POST' }, { authorization, origin: 'null' })).toBe('Forbidden')
    expect(refusal({ method: 'POST' }, { authorization, origin: 'http://127.0.0.1:8787' })).toBe('none')
    expect(refusal({ method: 'POST' }, { authorization })).toBe('none')
    expect(refusal({ method: 'POST' }, { authorization: 'Bearer t', origin: 'https://evil.example' })).toBe('none')
  })

  it('SV12 impersonation is refused where it is not served, never ignored', () => {
    const headers = new Map([['impersonate-user', 'root']])
    expect(() => refuseImpersonation({ headers })).toThrow('Leave impersonation out')
    expect(() => refuseImpersonation({ headers: new Map() })).not.toThrow()
  })

  it('SV12 loopback addresses', () => {
    expect(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'].every(isLoopbackAddress)).toBe(true)
    expect(['10.0.0.1', '0.0.0.0', '::', 'fe80::1', undefined].some(isLoopbackAddress)).toBe(false)
  })
})
