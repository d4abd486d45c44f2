/** Tests of the settings: what has to be set together, and what each refusal tells. */
import { describe, expect, it } from 'vitest'
import { ConfigError, isShared, readEnvironment, rolesOf } from './config.ts'

const SHARED = {
  STORE: 'firestore',
  FIRESTORE_PROJECT: 'p',
  REDIS_URL: 'redis://127.0.0.1:6379',
  CONTROL_PLANE_ID: 'cp-0123456789ab',
  MASTER_KEY: 'a'.repeat(64),
  FLY_API_TOKEN: 't',
  COORDINATOR_URL: 'https://coordinator.example.com',
}

describe('settings of several processes', () => {
  it('CF1 without any, one process does everything on one file', () => {
    const settings = readEnvironment({})
    expect(settings).toMatchObject({ STORE: 'embedded', FIRESTORE_DATABASE: '(default)' })
    expect([...rolesOf(settings)]).toEqual(['api', 'coordinator', 'controller'])
    expect(isShared(settings)).toBe(false)
  })

  it.each(['FIRESTORE_PROJECT', 'REDIS_URL', 'CONTROL_PLANE_ID', 'MASTER_KEY', 'FLY_API_TOKEN'] as const)(
    'CF2 with STORE firestore, %s is asked for by name',
    (name) => {
      expect(() => readEnvironment({ ...SHARED, [name]: '' })).toThrow(ConfigError)
      expect(() => readEnvironment({ ...SHARED, [name]: undefined })).toThrow(`Set ${name} to`)
      expect(readEnvironment(SHARED).STORE).toBe('firestore')
    },
  )

  it('CF3 roles are separable only where processes share a store', () => {
    expect(() => readEnvironment({ ROLES: 'api' })).toThrow('Leave ROLES unset')
    expect([...rolesOf(readEnvironment({ ...SHARED, ROLES: 'coordinator,controller' }))]).toEqual([
      'coordinator',
      'controller',
    ])
    expect(() => readEnvironment({ ...SHARED, ROLES: 'api,worker' })).toThrow('ROLES')
  })

  it.each([
    ['MASTER_KEY', 'xyz'],
    ['CONTROL_PLANE_ID', 'mine'],
    ['REDIS_URL', 'http://127.0.0.1'],
    ['REDIS_URL', 'redis://'],
    ['REDIS_URL', 'redis://:a%zz@127.0.0.1:6379'],
    ['FIRESTORE_PROJECT', 'acme/databases/other'],
    ['FIRESTORE_DATABASE', 'x/../y'],
    ['FIRESTORE_EMULATOR_HOST', 'nonsense'],
    ['FIRESTORE_EMULATOR_HOST', 'http://127.0.0.1:8080'],
    ['COORDINATOR_URL', 'ftp://coordinator.example.com'],
    ['STORE', 'etcd'],
    ['FIRESTORE_EMULATOR_HOST', '127.0.0.1:99999'],
    ['FLY_APP', 'Bad_App!'],
    ['FLY_REGIONS', 'iad, any'],
  ])('CF4 refuses %s "%s" and names the variable', (name, value) => {
    expect(() => readEnvironment({ ...SHARED, [name]: value })).toThrow(`environment variable ${name}`)
  })

  it.each([
    ['STORE', 'etcd', 'STORE, which is "etcd": give embedded, firestore or cluster'],
    ['FREEZE', 'yes', 'FREEZE, which is "yes": give true or false'],
    ['AUDIT_LOG_FILES_KEPT', 'ten', 'AUDIT_LOG_FILES_KEPT, which is "ten": give a whole number from 0 to 10000'],
    ['AUDIT_LOG_FILES_KEPT', '-1', 'AUDIT_LOG_FILES_KEPT, which is "-1": give a whole number from 0 to 10000'],
    ['CONTROL_PLANE_ID', 'CP-1', 'CONTROL_PLANE_ID: give cp- and 12 hexadecimal digits in lower case'],
  ])('CF4 says of %s "%s" what was received and what would do', (name, value, told) => {
    expect(() => readEnvironment({ ...SHARED, [name]: value })).toThrow(`Check the environment variable ${told}`)
  })

  it('CF2 names at once all that is missing', () => {
    expect(() =>
      readEnvironment({ STORE: 'firestore', FIRESTORE_PROJECT: 'p', FLY_API_TOKEN: 't', COORDINATOR_URL: 'http://c' }),
    ).toThrow(/^Set REDIS_URL to .*; missing too: CONTROL_PLANE_ID, MASTER_KEY$/)
  })

  it.each([
    'MASTER_KEY',
    'CONTROL_PLANE_ID',
    'REDIS_URL',
    'SECRETS_ENCRYPTION_KEYS',
    'OIDC_ISSUER',
    'TENANT_OBJECT_LIMITS',
  ])('CF7 what is refused of %s is not repeated: it may hold a secret', (name) => {
    for (const value of ['hunter2', 'http://u:hunter2@h?a', 'redis://u:hunter2%zz@h', 'a:hunter2='])
      try {
        readEnvironment({ ...SHARED, [name]: value })
        expect.unreachable(value)
      } catch (error) {
        expect(String(error)).not.toContain('hunter2')
      }
  })

  it('CF8 addresses as they are given by Google, Upstash and Fly are taken', () => {
    const good = {
      FIRESTORE_PROJECT: 'example.com:acme-prod-1',
      FIRESTORE_DATABASE: 'sprites-eu',
      FIRESTORE_EMULATOR_HOST: '[::1]:8080',
      REDIS_URL: 'rediss://default:p%40ss@eu1-good-cat-1.upstash.io:6379',
    }
    expect(readEnvironment({ ...SHARED, ...good })).toMatchObject(good)
  })
})
