/** Tests of how a control plane encrypts Secrets: under which key, and what becomes of older ones. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { ConfigError, readEnvironment } from '../config.ts'
import { createMemoryStore } from '../store/memory.ts'
import type { Store, StoreKey } from '../store/store.ts'
import { encryptSecrets, startResealing } from './secrets-at-rest.ts'

const key = (fill: number): string => Buffer.alloc(32, fill).toString('base64')
const SECRET: StoreKey = { collection: 'secrets', namespace: 'acme', name: 'one' }
const PLAN: StoreKey = { collection: 'plans', namespace: '', name: 'one' }

const over = (store: Store, setting?: string) =>
  encryptSecrets(store, {
    environment: setting === undefined ? {} : { SECRETS_ENCRYPTION_KEYS: setting },
    masterKey: Buffer.alloc(32, 7),
    entropy: seededEntropy(1),
    log: silentLog,
  })

describe('secrets at rest', () => {
  it('SK25 a set key takes over from the derived one, and the next from it', async () => {
    const inner = createMemoryStore()
    const value = (revision: number): string => JSON.stringify({ metadata: { resourceVersion: String(revision) } })
    await over(inner).commit([SECRET, PLAN].map((at) => ({ type: 'Put', key: at, expectedRevision: 0, value })))
    expect((await inner.read(PLAN))?.value).toBe(value(3))
    for (const [setting, id] of [
      [undefined, 'derived'],
      [`a:${key(1)}`, 'a'],
      [`b-2:${key(2)},a:${key(1)}`, 'b-2'],
    ] as const) {
      const store = over(inner, setting)
      await startedAndEnded(store)
      expect((await inner.read(SECRET))?.value.split(':')[1]).toBe(id)
      const record = await store.read(SECRET)
      expect(record?.value).toBe(value(record?.revision ?? 0))
    }
    await expect(over(inner, `c:${key(3)}`).read(SECRET)).rejects.toMatchObject({ reason: 'Unreadable' })
  })

  it.each(['x', `derived:${key(1)}`, `a:${key(1)},a:${key(2)}`, `a:${key(1)},`, 'a:c2hvcnQ=', `A_:${key(1)}`])(
    'SK25 a setting that is none is refused, without its text: %s',
    (setting) => {
      const read = () => readEnvironment({ SECRETS_ENCRYPTION_KEYS: setting })
      expect(read).toThrow(ConfigError)
      expect(read).toThrow(/^Check the environment variable SECRETS_ENCRYPTION_KEYS: give id:base64 of 32 bytes each/)
    },
  )

  it('SK24 a rewriting that fails is told and does no harm', async () => {
    const store = over(createMemoryStore())
    await store.close()
    await expect(startedAndEnded(store)).resolves.toBeUndefined()
  })
})

/** Rewrites all that there is to rewrite. */
async function startedAndEnded(store: ReturnType<typeof over>): Promise<void> {
  const end = startResealing(store, silentLog)
  // Everything below is in memory: a few turns are enough.
  await new Promise((resolve) => setImmediate(resolve))
  await end()
}
