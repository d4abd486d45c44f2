/** Tests of the settings of OIDC, and of asking several authentications in turn. */
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import type { Actor } from '../api/admission.ts'
import { ConfigError, readEnvironment } from '../config.ts'
import { anyOf, oidcSettingsOf, openOidc } from './oidc.ts'

const GOOD = { OIDC_ISSUER: 'https://login.example.com/realms/acme', OIDC_AUDIENCE: 'cli, dashboard,' }
const read = (over: Readonly<Record<string, string>>) => readEnvironment({ ...GOOD, ...over })

describe('settings', () => {
  it('OI1 are those of the environment', () => {
    expect(oidcSettingsOf(read({ OIDC_ADMIN_GROUPS: 'platform, sre' }))).toEqual({
      issuer: 'https://login.example.com/realms/acme',
      audiences: ['cli', 'dashboard'],
      usernameClaim: 'email',
      groupsClaim: 'groups',
      groupsPrefix: 'oidc:',
      adminGroups: new Set(['platform', 'sre']),
    })
    expect(oidcSettingsOf(readEnvironment({}))).toBeUndefined()
    expect(oidcSettingsOf(read({}))?.adminGroups).toEqual(new Set())
    expect(oidcSettingsOf(read({ OIDC_GROUPS_PREFIX: '' }))?.groupsPrefix).toBe('oidc:')
  })

  it.each([
    ['OIDC_ISSUER', 'http://login.example.com'],
    ['OIDC_ISSUER', 'http://127.0.0.1.example.com'],
    ['OIDC_ISSUER', 'ftp://login.example.com'],
    ['OIDC_ISSUER', 'https://login.example.com/?tenant=1'],
    ['OIDC_ISSUER', 'login.example.com'],
    ['OIDC_AUDIENCE', ''],
    ['OIDC_AUDIENCE', ' , '],
    ['OIDC_GROUPS_PREFIX', 'system:'],
    ['AUDIT_LOG_FILE_BYTES_MAX', '10'],
    ['AUDIT_LOG_FILES_KEPT', 'many'],
  ])('OI11 that cannot be safe, or be used, stop the start: %s=%j', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(ConfigError)
    expect(() => read({ [name]: value })).toThrow(name)
  })

  it('OI11 plain http is for the loopback interface', () => {
    for (const issuer of ['http://127.0.0.1:5556', 'http://localhost:5556/dex', 'http://[::1]:5556'])
      expect(read({ OIDC_ISSUER: issuer }).OIDC_ISSUER).toBe(issuer)
  })
})

describe('anyOf', () => {
  const ann: Actor = { name: 'ann', groups: [] }
  const bob: Actor = { name: 'bob', groups: [] }

  it('OI9 asks in turn, and nobody after the first that knows the holder', async () => {
    const asked: string[] = []
    const knows = (name: string, actor: Actor | undefined) => () => {
      asked.push(name)
      return actor
    }
    const authenticate = anyOf(knows('a', undefined), knows('b', ann), knows('c', bob))
    expect(await authenticate('token')).toBe(ann)
    expect(asked).toEqual(['a', 'b'])
    expect(await anyOf(knows('a', undefined))('token')).toBeUndefined()
  })

  it('OI9 without an issuer nobody comes in by an ID token', async () => {
    const oidc = openOidc(readEnvironment({}), { clock: new TestClock(), log: silentLog })
    expect(await oidc.authenticate('a.b.c')).toBeUndefined()
    oidc.close()
  })
})
