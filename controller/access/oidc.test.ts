/** Tests of ID tokens: a real issuer on the loopback interface, good tokens, and the ways to forge one. */
import { exportSPKI, importJWK, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Log } from '../../system/log.ts'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { ApiError } from '../api/errors.ts'
import { fakeIssuer, makeKey, signed, type FakeIssuer, type IssuerKey, type Manners } from './fake-issuer.ts'
import { createOidc, type Oidc } from './oidc.ts'
import type { OidcSettings } from './oidc-claims.ts'

let first: IssuerKey
let second: IssuerKey
let curve: IssuerKey
let stranger: IssuerKey
let issuer: FakeIssuer
let clock: TestClock
let oidc: Oidc
let lines: string[]

beforeAll(async () => {
  first = await makeKey('first')
  second = await makeKey('second')
  curve = await makeKey('curve', 'ES256')
  stranger = await makeKey('first')
})

beforeEach(async () => {
  issuer = await fakeIssuer([first, curve])
  clock = new TestClock()
  lines = []
  oidc = open()
})

afterEach(async () => {
  oidc.close()
  await issuer.close()
  expect(clock.pendingTimers).toBe(0)
})

const settingsOf = (over: Partial<OidcSettings> = {}): OidcSettings => ({
  issuer: issuer.url,
  audiences: ['sprites'],
  usernameClaim: 'email',
  groupsClaim: 'groups',
  groupsPrefix: 'oidc:',
  adminGroups: new Set(['platform']),
  ...over,
})

const noting: Log = { ...silentLog, warn: (fields, message) => void lines.push(JSON.stringify({ ...fields, message })) }

const open = (over: Partial<OidcSettings> = {}): Oidc => createOidc({ settings: settingsOf(over), clock, log: noting })

const seconds = (): number => Math.floor(clock.now() / 1_000)

/** What a forger writes need not be of the right type. */
type Written = Readonly<Record<string, unknown>>

const claims = (over: Written = {}): JWTPayload => ({
  iss: issuer.url,
  aud: 'sprites',
  sub: 'u-17',
  email: 'ann@acme.example',
  email_verified: true,
  groups: ['writers'],
  exp: seconds() + 600,
  iat: seconds(),
  ...over,
})

// An RSA key is no Uint8Array.
const publicKeyOf = async ({ jwk, alg }: IssuerKey): Promise<CryptoKey> =>
  (await importJWK(jwk, alg, { extractable: true })) as CryptoKey

const ask = async (over: Written = {}): Promise<unknown> => oidc.authenticate(await signed(first, claims(over)))

const unavailable = (token: string): Promise<unknown> =>
  oidc.authenticate(token).then(
    () => 'no refusal',
    (error: unknown) => (error instanceof ApiError ? error.reason : error),
  )

describe('a good token', () => {
  it('OI1 names its holder by e-mail, with groups, subject and id', async () => {
    expect(await ask({ jti: 'j-1' })).toEqual({
      name: 'ann@acme.example',
      groups: ['oidc:writers', 'system:authenticated'],
      uid: 'u-17',
      extra: { 'authentication.kubernetes.io/credential-id': ['JTI=j-1'] },
    })
  })

  it.each(['RS384', 'PS256', 'ES384', 'EdDSA', 'Ed25519'])('OI4 may be signed by %s', async (alg) => {
    const key = await makeKey('other', alg)
    issuer.keys.push(key.jwk)
    expect(await oidc.authenticate(await signed(key, claims()))).toMatchObject({ name: 'ann@acme.example' })
  })

  it('OI1 may be meant for others too, and any of our audiences will do', async () => {
    oidc = open({ audiences: ['cli', 'sprites'] })
    expect(await ask({ aud: ['dashboard', 'sprites'] })).toBeDefined()
  })

  it('OI4 without kid is tried with every key of its kind', async () => {
    issuer.keys.splice(0, 2, { ...first.jwk, kid: 'a' }, { ...second.jwk, kid: 'b' })
    const token = await signed(second, claims(), { kid: undefined })
    expect(await oidc.authenticate(token)).toMatchObject({ name: 'ann@acme.example' })
    expect(await oidc.authenticate(await signed(stranger, claims(), { kid: undefined }))).toBeUndefined()
  })
})

describe('claims', () => {
  it('OI2 groups cannot claim system:masters, only those of the settings give it', async () => {
    expect(await ask({ groups: ['system:masters', 'platform'] })).toMatchObject({
      groups: ['system:masters', 'oidc:system:masters', 'oidc:platform', 'system:authenticated'],
    })
    expect(await ask({ groups: 'system:masters' })).toMatchObject({
      groups: ['oidc:system:masters', 'system:authenticated'],
    })
    expect(await ask({ groups: [{ name: 'platform' }, 7, ''] })).toMatchObject({ groups: ['system:authenticated'] })
  })

  it('OI2 a name that is no e-mail address stands behind the prefix', async () => {
    oidc = open({ usernameClaim: 'preferred_username' })
    expect(await ask({ preferred_username: 'system:controller' })).toMatchObject({ name: 'oidc:system:controller' })
    expect(await ask({ preferred_username: 'system:x@y' })).toMatchObject({ name: 'oidc:system:x@y' })
    expect(await ask({ preferred_username: 'ann@acme.example' })).toMatchObject({ name: 'ann@acme.example' })
  })

  it.each([[false], ['false'], [0], [null]])('OI3 email_verified %j names nobody', async (verified) => {
    expect(await ask({ email_verified: verified })).toBeUndefined()
  })

  it('OI3 an issuer that says nothing of it, or says it as text, is believed', async () => {
    expect(await ask({ email_verified: undefined })).toBeDefined()
    expect(await ask({ email_verified: 'true' })).toBeDefined()
  })

  it.each([
    [undefined],
    [''],
    ['ann'],
    ['a b@c'],
    ['a@b\n'],
    [7],
    [`${'a'.repeat(260)}@b`],
    ['\u212aim@b'],
    ['system:a@b'],
  ])('OI1 the e-mail %j is none', async (email) => {
    expect(await ask({ email })).toBeUndefined()
  })

  it('OI2 a claim that every object has is none', async () => {
    oidc = open({ usernameClaim: 'constructor', groupsClaim: '__proto__' })
    expect(await ask()).toBeUndefined()
  })
})

describe('a token that is not good', () => {
  const unfit: readonly (readonly [string, Written])[] = [
    ['another audience', { aud: 'dashboard' }],
    ['no audience', { aud: undefined }],
    ['no end', { exp: undefined }],
    ['an end that is no number', { exp: '2099' }],
  ]
  it.each(unfit)('OI5 has %s', async (_what, over) => {
    expect(await ask(over)).toBeUndefined()
  })

  it('OI5 has expired, or is not yet valid, by more than clocks differ', async () => {
    expect(await ask({ exp: seconds() - 20 })).toBeDefined()
    expect(await ask({ exp: seconds() - 31 })).toBeUndefined()
    expect(await ask({ nbf: seconds() + 20 })).toBeDefined()
    expect(await ask({ nbf: seconds() + 31 })).toBeUndefined()
  })

  it('OI5 expires by our clock', async () => {
    const token = await signed(first, claims({ exp: seconds() + 600 }))
    expect(await oidc.authenticate(token)).toBeDefined()
    clock.jumpWall(631_000)
    expect(await oidc.authenticate(token)).toBeUndefined()
  })

  it('OI4 has no signature, or one that was made with the public key as a secret', async () => {
    expect(await oidc.authenticate(new UnsecuredJWT(claims()).encode())).toBeUndefined()
    // The text that a verifier might take for the key.
    const secret = Buffer.from(await exportSPKI(await publicKeyOf(first)))
    const forged = await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret)
    expect(await oidc.authenticate(forged)).toBeUndefined()
    expect(issuer.asked).toEqual([])
  })

  it('OI4 names a secret that the issuer tells by mistake', async () => {
    const secret = new Uint8Array(32).fill(7)
    issuer.keys.push({ kty: 'oct', kid: 'secret', alg: 'HS256', k: Buffer.from(secret).toString('base64url') })
    const forged = await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'secret' }).sign(secret)
    expect(await oidc.authenticate(forged)).toBeUndefined()
  })

  it('OI4 is signed by another key of the same name, or changed after it was signed', async () => {
    expect(await oidc.authenticate(await signed(stranger, claims()))).toBeUndefined()
    const [header, , signature] = (await signed(first, claims())).split('.')
    const payload = Buffer.from(JSON.stringify(claims({ email: 'boss@acme.example' }))).toString('base64url')
    expect(await oidc.authenticate(`${header}.${payload}.${signature}`)).toBeUndefined()
  })

  it('OI4 names an algorithm that is not its key’s', async () => {
    const [, payload, signature] = (await signed(first, claims())).split('.')
    for (const alg of ['ES256', 'RS512', 'PS256']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'first' })).toString('base64url')
      expect(await oidc.authenticate(`${header}.${payload}.${signature}`)).toBeUndefined()
    }
  })

  it('OI6 brings its own key', async () => {
    for (const header of [
      { jwk: stranger.jwk },
      { jku: `${issuer.url}/stranger` },
      { x5u: `${issuer.url}/stranger` },
      { kid: `${issuer.url}/stranger` },
      { kid: '../../etc/passwd' },
      { kid: "' OR 1=1 --" },
      { kid: ['first'] },
      { crit: ['x'], x: 1 },
    ])
      expect(await oidc.authenticate(await signed(stranger, claims(), header).catch(() => 'a.b.c'))).toBeUndefined()
    expect(new Set(issuer.asked)).toEqual(new Set(['/.well-known/openid-configuration', '/keys']))
  })

  it('OI6 calls an extension critical that nobody knows', async () => {
    const [, payload] = (await signed(first, claims())).split('.')
    const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: 'first', crit: ['x'], x: 1 })).toString('base64url')
    expect(await oidc.authenticate(`${header}.${payload}.AAAA`)).toBeUndefined()
  })

  it('OI9 is another issuer’s, or none at all: the issuer is not asked', async () => {
    const others = [
      await signed(first, claims({ iss: 'https://evil.example' })),
      await signed(first, claims({ iss: `${issuer.url}/` })),
      '',
      'x',
      'a.b.c',
      '..',
      'sprt_0123456789abcdef_00',
      `spr1_${'A'.repeat(200)}`,
      `${Buffer.from('[]').toString('base64url')}.${Buffer.from('null').toString('base64url')}.x`,
      await signed(first, claims({ padding: 'x'.repeat(9_000) })),
    ]
    for (const token of others) expect(await oidc.authenticate(token)).toBeUndefined()
    expect(issuer.asked).toEqual([])
  })

  it('OI10 leaves no trace of itself in the log', async () => {
    const token = await signed(first, claims({ aud: 'other', email: 'secret@acme.example' }))
    await oidc.authenticate(token)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('its claim aud is not as it must be')
    for (const part of [...token.split('.'), 'secret@']) expect(lines.join()).not.toContain(part)
  })
})

describe('keys', () => {
  it('OI7 are fetched once for many tokens, also when they come together', async () => {
    await Promise.all([ask(), ask(), ask()])
    await ask()
    expect(issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it('OI7 are fetched again for one that is not known, at most once in 10 s', async () => {
    await ask()
    await clock.advance(10_000)
    issuer.keys.push(second.jwk)
    expect(await oidc.authenticate(await signed(second, claims()))).toBeDefined()
    expect(issuer.asked.slice(2)).toEqual(['/keys'])
    const made = Array.from({ length: 5 }, (_, index) => signed(stranger, claims(), { kid: `made-up-${index}` }))
    for (const token of await Promise.all(made)) expect(await oidc.authenticate(token)).toBeUndefined()
    expect(issuer.asked).toHaveLength(3)
    await clock.advance(10_000)
    expect(await oidc.authenticate((await made[0]) ?? '')).toBeUndefined()
    expect(issuer.asked).toHaveLength(4)
  })

  it('OI7 that were taken back count no more once they are fetched anew', async () => {
    const token = await signed(first, claims({ exp: seconds() + 3_600 }))
    expect(await oidc.authenticate(token)).toBeDefined()
    issuer.keys.splice(0, 1, second.jwk)
    await clock.advance(10 * 60_000 + 1)
    await oidc.authenticate(token)
    await until(() => issuer.asked.length === 3)
    await until(async () => (await oidc.authenticate(token)) === undefined)
  })

  it('OI8 that are known go on counting while the issuer is away', async () => {
    const token = await signed(first, claims({ exp: seconds() + 7_200 }))
    await oidc.authenticate(token)
    issuer.manners = 'error'
    await clock.advance(60 * 60_000)
    expect(await oidc.authenticate(token)).toBeDefined()
    expect(await oidc.authenticate(await signed(second, claims()))).toBeUndefined()
    expect(await oidc.authenticate(token)).toBeDefined()
    expect(lines.join()).toContain('it answers with code')
  })

  it.each<[Manners, string]>([
    ['error', 'it answers with code \\"500\\"'],
    ['garbage', 'not JSON'],
    ['huge', 'too long'],
    ['redirects', 'it cannot be reached'],
    ['otherIssuer', 'another issuer: \\"https://evil.example\\"'],
    ['noKeys', 'no set of keys'],
  ])('OI8 of an issuer that answers with %s are not there: 503, and later they are', async (manners, why) => {
    issuer.manners = manners
    const token = await signed(first, claims())
    expect(await unavailable(token)).toBe('ServiceUnavailable')
    expect(lines.join()).toContain(why)
    const askedBefore = issuer.asked.length
    issuer.manners = 'well'
    expect(await unavailable(token)).toBe('ServiceUnavailable')
    expect(issuer.asked).toHaveLength(askedBefore)
    await clock.advance(10_000)
    expect(await oidc.authenticate(token)).toBeDefined()
  })

  it('OI8 that moved are found again by discovery', async () => {
    await ask()
    issuer.keys.push(second.jwk)
    issuer.keysPath = '/new-keys'
    await clock.advance(10_000)
    expect(await oidc.authenticate(await signed(second, claims()))).toBeUndefined()
    await clock.advance(10_000)
    expect(await oidc.authenticate(await signed(second, claims()))).toBeDefined()
  })

  it('OI8 of an issuer that does not answer are given up after 5 s', async () => {
    issuer.manners = 'hangs'
    const refused = unavailable(await signed(first, claims()))
    await until(() => issuer.asked.length === 1)
    await clock.advance(5_000)
    expect(await refused).toBe('ServiceUnavailable')
    expect(lines.join()).toContain('does not answer in time')
  })

  it('OI8 of an issuer that is not there: its code is told', async () => {
    await issuer.close()
    expect(await unavailable(await signed(first, claims()))).toBe('ServiceUnavailable')
    expect(lines.join()).toContain('ECONNREFUSED')
  })

  it('OI8 closing ends a fetch that hangs', async () => {
    issuer.manners = 'hangs'
    const refused = unavailable(await signed(first, claims()))
    await until(() => issuer.asked.length === 1)
    oidc.close()
    expect(await refused).toBe('ServiceUnavailable')
  })

  it('OI8 that are too small, or no keys, only refuse', async () => {
    issuer.keys.splice(0, 2, { kty: 'RSA', kid: 'first', n: 'AQAB', e: 'AQAB' }, { kty: 'x' } as never)
    expect(await ask()).toBeUndefined()
    expect(lines.join()).toContain('refused')
  })
})

/** Waits for what happens on the loopback interface. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 5_000; turn++) {
    if (await isSo()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('It did not come to that')
}
