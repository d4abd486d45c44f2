/** The encrypted store keeps the Store contract, leaves nothing readable on the disk, and one bad value stops no other. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { settle } from '../../system/test-clock.ts'
import { created, storeContract } from './contract.ts'
import { openDatabase } from './database.ts'
import { openEmbeddedStore } from './embedded.ts'
import { createEncryptedStore, type EncryptedStore } from './encrypted.ts'
import { derivedKey, keysIn, open, seal, type SealingKey } from './envelope.ts'
import { createMemoryStore } from './memory.ts'
import type { Change, Mutation, Store, StoreKey } from './store.ts'

const KEY: SealingKey = derivedKey(Buffer.alloc(32, 1))
const NEWER: SealingKey = { id: 'k2', bytes: Buffer.alloc(32, 2) }
const entropy = seededEntropy(3)
const COLLECTIONS: ReadonlySet<string> = new Set(['sprites', 'secrets'])

const over = (store: Store, ...keys: readonly SealingKey[]): EncryptedStore =>
  createEncryptedStore(store, { collections: COLLECTIONS, keys: [keys[0] ?? KEY, ...keys.slice(1)], entropy })

storeContract('encrypted over memory', async (options = {}) => {
  const store = over(createMemoryStore(options))
  return { store, dispose: () => store.close() }
})

storeContract('encrypted over embedded', async (options = {}) => {
  const database = openDatabase(':memory:')
  const store = over(openEmbeddedStore({ database, ...options }))
  return {
    store,
    dispose: async () => {
      await store.close()
      database.close()
    },
  }
})

const key = (name: string): StoreKey => ({ collection: 'secrets', namespace: 'acme', name })
const put = (name: string, expectedRevision: number, value: string): Mutation => ({
  type: 'Put',
  key: key(name),
  expectedRevision,
  value: (revision) => JSON.stringify({ metadata: { name, resourceVersion: String(revision) }, data: { a: value } }),
})
const removal = (name: string, expectedRevision: number): Mutation => ({
  type: 'Delete',
  key: key(name),
  expectedRevision,
  value: () => JSON.stringify({ metadata: { name }, data: { a: 'last words' } }),
})
const revisionOf = async (store: Store, name: string): Promise<number> => (await store.read(key(name)))?.revision ?? 0
const namesOf = async (store: Store): Promise<readonly string[]> =>
  (await store.list('secrets')).records.map((record) => record.name)

/** Puts a text as it is into the store below. */
const putRaw = (store: Store, name: string, value: string) =>
  store.commit([{ type: 'Put', key: key(name), expectedRevision: 0, value: () => value }])

describe('on the disk', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'encrypted-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const withStore = async <T>(
    run: (store: EncryptedStore) => Promise<T>,
    ...keys: readonly SealingKey[]
  ): Promise<T> => {
    const database = openDatabase(join(folder, 'store.db'))
    try {
      const store = over(openEmbeddedStore({ database }), ...keys)
      const result = await run(store)
      await store.close()
      return result
    } finally {
      database.close()
    }
  }
  /** Every byte of every file, while the store is open (then with its journal) and after. */
  const onDisk = (): Buffer => Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))))
  const expectHidden = (...texts: readonly string[]): void => {
    const bytes = onDisk()
    for (const text of texts)
      for (const form of [
        text,
        Buffer.from(text).toString('base64').replace(/=+$/, ''),
        Buffer.from(text).toString('hex'),
      ])
        expect(bytes.includes(form)).toBe(false)
  }

  it('SK20 no file holds a value, in plain or as base64, after create, update, delete and restart', async () => {
    const texts = ['sk-ant-first-one', 'sk-ant-second-one', 'last words']
    await withStore(async (store) => {
      await store.commit([put('one', 0, 'sk-ant-first-one'), put('kept', 0, 'sk-ant-first-one')])
      await store.commit([put('one', await revisionOf(store, 'one'), 'sk-ant-second-one')])
      await store.commit([removal('one', await revisionOf(store, 'one'))])
      // Not a secret: so that the search is known to find what is there.
      await store.commit([created({ collection: 'plans', namespace: '', name: 'p' }, 'in the clear')])
      expect(onDisk().includes('in the clear')).toBe(true)
      expectHidden(...texts)
    })
    expectHidden(...texts)
    await withStore(async (store) => {
      const { changes } = await store.changesSince(1)
      expect(changes.map(({ type }) => type)).toEqual(['Added', 'Added', 'Modified', 'Deleted', 'Added'])
      expect(changes.map(({ record }) => record.value).join(' ')).toContain('last words')
      expect((await store.read(key('kept')))?.value).toContain('sk-ant-first-one')
      expectHidden(...texts)
    })
  })

  it('SK22 with another key the values are unreadable, everything else goes on', async () => {
    await withStore(async (store) => {
      await store.commit([put('one', 0, 'x'), created({ collection: 'plans', namespace: '', name: 'p' })])
    })
    await withStore(async (store) => {
      await expect(store.read(key('one'))).rejects.toMatchObject({
        reason: 'Unreadable',
        key: key('one'),
        message: expect.stringMatching(
          /secrets acme\/one: it was encrypted under key "derived", which is not set/,
        ) as string,
      })
      expect((await store.list('plans')).records).toHaveLength(1)
    }, NEWER)
    await withStore(
      async (store) => {
        const refused = store.read(key('one'))
        await expect(refused).rejects.toThrow(/does not decrypt under key "derived"/)
      },
      { id: 'derived', bytes: Buffer.alloc(32, 9) },
    )
  })

  it('ST10 SK22 a byte that was changed by somebody who mends the checksum is noticed', async () => {
    await withStore((store) => store.commit([put('one', 0, 'x'), put('two', 0, 'y')]))
    const database = openDatabase(join(folder, 'store.db'))
    const row = database.prepare("SELECT revision, value FROM store_records WHERE name = 'one'").get()
    const text = String(row?.['value'])
    const at = text.length - 30
    const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
    database.prepare("UPDATE store_records SET value = ?, checksum = ? WHERE name = 'one'").run(changed, crc32(changed))
    database.close()
    await withStore(async (store) => {
      await expect(store.read(key('one'))).rejects.toMatchObject({ reason: 'Unreadable' })
      expect(await namesOf(store)).toEqual(['two'])
    })
  })
})

describe('an encrypted store', () => {
  it('SK21 a value opens only where it lies and as what it was: not moved, not put back', async () => {
    const inner = createMemoryStore()
    const store = over(inner)
    await store.commit([put('one', 0, 'first')])
    const stolen = (await inner.read(key('one')))?.value ?? ''
    await store.commit([put('one', await revisionOf(store, 'one'), 'second')])
    await putRaw(inner, 'moved', stolen)
    await expect(store.read(key('moved'))).rejects.toMatchObject({ reason: 'Unreadable' })
    const revision = await revisionOf(store, 'one')
    await inner.commit([{ type: 'Put', key: key('one'), expectedRevision: revision, value: () => stolen }])
    await expect(store.read(key('one'))).rejects.toMatchObject({ reason: 'Unreadable' })
  })

  it('SK21 the same value is never the same text', async () => {
    const inner = createMemoryStore()
    await over(inner).commit([put('one', 0, 'x'), put('two', 0, 'x')])
    const values = (await inner.list('secrets')).records.map((record) => record.value)
    expect(new Set(values.map((value) => value.split(':')[2]?.slice(0, 16))).size).toBe(2)
    for (const value of values) expect(value).toMatch(/^aes256gcm\.v1:derived:/)
  })

  it.each(['', '{"data":{}}', 'aes256gcm.v1:derived:', 'aes256gcm.v1:derived:AAAA', 'aes256gcm.v1:k9:AAAA'])(
    'ST10 SK22 what is no sealed text is unreadable, and the others are served: %s',
    async (raw) => {
      const inner = createMemoryStore()
      const store = over(inner)
      const heard: Change[] = []
      store.subscribe((changes) => heard.push(...changes))
      await store.commit([put('a', 0, '1')])
      await putRaw(inner, 'bad', raw)
      await store.commit([put('z', 0, '2')])
      await settle()
      expect(await namesOf(store)).toEqual(['a', 'z'])
      expect(heard.map(({ record }) => record.name)).toEqual(['a', 'z'])
      expect((await store.changesSince(1)).changes).toHaveLength(2)
      await expect(store.read(key('bad'))).rejects.toMatchObject({ reason: 'Unreadable', revision: 3 })
      await expect(store.commit([put('bad', 0, '3')])).rejects.toMatchObject({ reason: 'AlreadyExists' })
      const [change] = await store.commit([removal('bad', 3)])
      expect(change).toMatchObject({ type: 'Deleted' })
      expect(change).not.toHaveProperty('previous')
      expect(await store.read(key('bad'))).toBeUndefined()
    },
  )

  it('SK22 what was unreadable and is replaced comes as it is, without what nobody can read', async () => {
    const inner = createMemoryStore()
    const store = over(inner)
    await putRaw(inner, 'bad', '{}')
    const [change] = await store.commit([put('bad', 2, 'good')])
    expect(change).toMatchObject({ type: 'Modified' })
    expect(change).not.toHaveProperty('previous')
    expect(await namesOf(store)).toEqual(['bad'])
  })

  it('SK23 the same record is decrypted once: readers may compare by identity', async () => {
    const store = over(createMemoryStore())
    await store.commit([put('one', 0, 'x')])
    expect(await store.read(key('one'))).toBe(await store.read(key('one')))
    expect((await store.list('secrets')).records[0]).toBe(await store.read(key('one')))
  })

  it('SK24 with a new first key the old values are read, and rewritten under it', async () => {
    const inner = createMemoryStore()
    const names = Array.from({ length: 130 }, (_, index) => `s${String(index).padStart(3, '0')}`)
    await over(inner, KEY).commit(names.map((name) => put(name, 0, `value of ${name}`)))
    const store = over(inner, NEWER, KEY)
    await store.commit([put('s000', await revisionOf(store, 's000'), 'changed')])
    await putRaw(inner, 'bad', 'x')
    expect(await store.reseal(new AbortController().signal)).toEqual({ rewritten: 129, unreadable: 1 })
    const alone = over(inner, NEWER)
    expect(await namesOf(alone)).toEqual(names)
    const record = await alone.read(key('s001'))
    expect(JSON.parse(record?.value ?? '')).toEqual({
      metadata: { name: 's001', resourceVersion: String(record?.revision) },
      data: { a: 'value of s001' },
    })
    const before = await store.revision()
    expect(await store.reseal(new AbortController().signal)).toEqual({ rewritten: 0, unreadable: 1 })
    expect(await store.revision()).toBe(before)
  })

  it('SK24 a rewriting ends when it is told to, and does not overwrite what came between', async () => {
    const inner = createMemoryStore()
    await over(inner, KEY).commit([put('a', 0, '1'), put('b', 0, '2')])
    const store = over(inner, NEWER, KEY)
    const rewriting = store.reseal(new AbortController().signal)
    await store.commit([put('a', 2, 'newer')])
    expect(await rewriting).toEqual({ rewritten: 1, unreadable: 0 })
    expect((await store.read(key('a')))?.value).toContain('newer')
    expect(await over(inner, KEY, NEWER).reseal(AbortSignal.abort())).toEqual({ rewritten: 0, unreadable: 0 })
  })
})

it.each([{ collection: 'works' }, { namespace: 'other' }, { name: 'two' }, { revision: 8 }])(
  'SK21 a value does not open at another place: %j',
  (other) => {
    const at = { ...key('one'), revision: 7 }
    const keys = new Map([[KEY.id, KEY]])
    const sealed = seal('text', KEY, { ...at, entropy })
    expect(open(sealed, keys, at)).toEqual({ text: 'text' })
    expect(open(sealed, keys, { ...at, ...other })).toHaveProperty('fault')
    const renamed = sealed.replace(':derived:', ':alias:')
    expect(open(renamed, new Map([['alias', KEY]]), at)).toHaveProperty('fault')
  },
)

it('SK21 any text opens as it was sealed, and no text with one bit changed does', () => {
  const at = { ...key('one'), revision: 7 }
  const keys = new Map([[KEY.id, KEY]])
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(), (text, bit) => {
      const sealed = seal(text, KEY, { ...at, entropy })
      expect(open(sealed, keys, at)).toEqual({ text })
      const body = sealed.lastIndexOf(':') + 1
      const bytes = Buffer.from(sealed.slice(body), 'base64')
      const index = bit % (bytes.length * 8)
      bytes[index >> 3] = (bytes[index >> 3] ?? 0) ^ (1 << (index & 7))
      expect(open(`${sealed.slice(0, body)}${bytes.toString('base64')}`, keys, at)).toHaveProperty('fault')
    }),
  )
})

it('SK25 keys are read from the setting in order; the derived key follows from the master key alone', () => {
  const bytes = Buffer.alloc(32, 5)
  const keys = keysIn(`new:${Buffer.alloc(32, 2).toString('base64')},old:${bytes.toString('base64')}`)
  expect(keys.map(({ id }) => id)).toEqual(['new', 'old'])
  expect(keys[1]?.bytes).toEqual(bytes)
  expect(derivedKey(Buffer.alloc(32, 1)).bytes).toEqual(KEY.bytes)
  expect(derivedKey(Buffer.alloc(32, 2)).bytes).not.toEqual(KEY.bytes)
})
