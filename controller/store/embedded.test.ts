/** The embedded store keeps the Store contract, survives restarts, and refuses files that it should not touch. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { created, storeContract } from './contract.ts'
import { openDatabase } from './database.ts'
import { openEmbeddedStore } from './embedded.ts'
import type { Mutation, Store, StoreKey } from './store.ts'
import type { WindowLimits } from './window.ts'

storeContract('embedded', async (options = {}) => {
  const folder = mkdtempSync(join(tmpdir(), 'store-'))
  const database = openDatabase(join(folder, 'store.db'))
  const store = openEmbeddedStore({ database, ...options })
  return {
    store,
    dispose: async () => {
      await store.close()
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
})

const key = (name: string): StoreKey => ({ collection: 'sprites', namespace: 'acme', name })
const put = (name: string, expectedRevision: number, value: string): Mutation => ({
  type: 'Put',
  key: key(name),
  expectedRevision,
  value: (revision) => JSON.stringify({ revision, value }),
})
const removal = (name: string, expectedRevision: number): Mutation => ({
  type: 'Delete',
  key: key(name),
  expectedRevision,
  value: () => '{}',
})

describe('embedded store', () => {
  let folder = ''
  let path = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'store-'))
    path = join(folder, 'store.db')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const withStore = async <T>(run: (store: Store, database: DatabaseSync) => Promise<T>, window?: WindowLimits) => {
    const database = openDatabase(path)
    try {
      const store = openEmbeddedStore({ database, ...(window === undefined ? {} : { window }) })
      const result = await run(store, database)
      await store.close()
      return result
    } finally {
      database.close()
    }
  }
  const reasonOfOpen = (at = path): unknown => {
    try {
      openDatabase(at).close()
      return 'none'
    } catch (error) {
      return error
    }
  }
  const fill = (count: number) =>
    withStore(async (store) => {
      for (let n = 0; n < count; n++) await store.commit([created(key(`s${n}`), 'x'.repeat(2_000))])
    })

  test('ST3 everything is there after a restart, and revisions go on', async () => {
    const before = await withStore(async (store) => {
      const [a] = await store.commit([created(key('a'))])
      await store.commit([created(key('b'))])
      await store.commit([removal('a', a?.record.revision ?? 0)])
      return { list: await store.list('sprites'), changes: await store.changesSince(1) }
    })
    await withStore(async (store) => {
      expect(await store.list('sprites')).toEqual(before.list)
      const [next] = await store.commit([created(key('c'))])
      expect(next?.record.revision).toBe(before.list.revision + 1)
    })
  })

  test('ST5 the window, with what was before each change, outlives a restart', async () => {
    const { start, changes } = await withStore(async (store) => {
      await store.commit([created(key('old'))])
      const start = await store.revision()
      const [a] = await store.commit([created(key('a'))])
      const [changed] = await store.commit([put('a', a?.record.revision ?? 0, 'two')])
      await store.commit([removal('a', changed?.record.revision ?? 0), put('old', start, 'newer')])
      return { start, ...(await store.changesSince(start)) }
    })
    await withStore(async (store) => {
      expect((await store.changesSince(start)).changes).toEqual(changes)
      expect((await store.list('sprites', { at: start })).records.map(({ name }) => name)).toEqual(['old'])
    })
  })

  test('ST5 rows that the window has passed leave the file; the floor and the newest revision stay', async () => {
    const window = { changesMax: 10, sizeBytesMax: 1_000_000 }
    const revision = await withStore(async (store, database) => {
      let current = 0
      for (let n = 0; n < 150; n++) {
        const [change] = await store.commit([put('hot', current, `value ${n}`)])
        current = change?.record.revision ?? 0
      }
      const names = Array.from({ length: 300 }, (_, n) => `k${n}`)
      const made = await Promise.all(names.map((name) => store.commit([created(key(name))])))
      await Promise.all(
        made.map(([change]) => store.commit([removal(change?.record.name ?? '', change?.record.revision ?? 0)])),
      )
      for (let n = 0; n < 3; n++) await store.commit([created(key(`f${n}`))])
      expect(database.prepare('SELECT count(*) AS n FROM store_records').get()?.['n']).toBeLessThan(4 + 256 + 20)
      return store.revision()
    }, window)
    await withStore(async (store) => {
      expect(await store.revision()).toBe(revision)
      await expect(store.changesSince(2)).rejects.toMatchObject({ reason: 'Expired' })
      expect((await store.changesSince(revision - 5)).changes).toHaveLength(5)
      expect((await store.list('sprites')).records).toHaveLength(4)
    }, window)
  })

  test('ST3 commits of one turn share a transaction, and a refused one does not spoil it', async () => {
    await withStore(async (store, database) => {
      let transactions = 0
      const exec = database.exec.bind(database)
      database.exec = (sql) => {
        if (sql === 'COMMIT') transactions += 1
        exec(sql)
      }
      const results = await Promise.allSettled(
        Array.from({ length: 64 }, (_, n) => store.commit([created(key(n === 7 ? 's6' : `s${n}`))])),
      )
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1)
      expect(transactions).toBe(1)
      expect((await store.list('sprites')).records).toHaveLength(63)
    })
  })

  test('ST2 a commit that cannot be written down changes nothing and is Unavailable', async () => {
    await withStore(async (store, database) => {
      await store.commit([created(key('a'))])
      const revision = await store.revision()
      const exec = database.exec.bind(database)
      database.exec = (sql) => {
        if (sql === 'COMMIT') throw new Error('disk full')
        exec(sql)
      }
      await expect(store.commit([created(key('b'))])).rejects.toMatchObject({ reason: 'Unavailable' })
      database.exec = exec
      expect(database.isTransaction).toBe(false)
      expect(await store.read(key('b'))).toBeUndefined()
      expect(await store.revision()).toBe(revision)
      await store.commit([created(key('b'))])
    })
  })

  test('ST3 close writes down what still waits', async () => {
    const waiting = await withStore(async (store) => store.commit([created(key('late'))]).then(() => true))
    expect(waiting).toBe(true)
    await withStore(async (store) => {
      const commit = store.commit([created(key('later'))])
      await store.close()
      await commit
    })
    await withStore(async (store) => expect((await store.list('sprites')).records).toHaveLength(2))
  })

  test('ST8 a file in use is Unavailable and says so', async () => {
    await withStore(async () => {
      expect(reasonOfOpen()).toMatchObject({
        reason: 'Unavailable',
        message: expect.stringContaining('another process'),
      })
    })
    expect(reasonOfOpen()).toBe('none')
  })

  test('ST8 a folder that does not exist is Unavailable', () => {
    expect(reasonOfOpen(join(folder, 'none', 'store.db'))).toMatchObject({ reason: 'Unavailable' })
  })

  test('ST8 a file that cannot be read is Unavailable', async () => {
    if (process.getuid?.() === 0) return
    await fill(1)
    chmodSync(path, 0o000)
    expect(reasonOfOpen()).toMatchObject({ reason: 'Unavailable' })
  })

  const foreign: readonly [string, (at: string) => void][] = [
    ['a text file', (at) => writeFileSync(at, 'hello, I am not a database\n'.repeat(50))],
    ['a short file', (at) => writeFileSync(at, 'x')],
    ['SQLite of somebody else', (at) => foreignDatabase(at, 'PRAGMA application_id = 7; CREATE TABLE t (a)')],
    ['SQLite without an owner', (at) => foreignDatabase(at, 'PRAGMA journal_mode = WAL; CREATE TABLE t (a)')],
  ]
  test.each(foreign)('ST9 %s is Corrupt and stays as it was', (_title, write) => {
    write(path)
    const before = readFileSync(path)
    expect(reasonOfOpen()).toMatchObject({ reason: 'Corrupt' })
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  test('ST9 a folder in place of the file is refused', () => {
    expect(reasonOfOpen(folder)).toMatchObject({ reason: 'Corrupt' })
  })

  test('ST9 a truncated file is Corrupt and stays as it was', async () => {
    await fill(40)
    const cut = readFileSync(path).subarray(0, Math.floor(statSync(path).size / 2 / 4096) * 4096)
    writeFileSync(path, cut)
    expect(reasonOfOpen()).toMatchObject({ reason: 'Corrupt' })
    expect(readFileSync(path).equals(cut)).toBe(true)
  })

  test('ST9 a flipped byte within a value is found', async () => {
    await fill(40)
    const bytes = readFileSync(path)
    const at = bytes.indexOf('xxxxxxxxxx', Math.floor(bytes.length / 2))
    bytes[at + 5] = 'y'.charCodeAt(0)
    writeFileSync(path, bytes)
    const database = openDatabase(path)
    expect(() => openEmbeddedStore({ database })).toThrow(expect.objectContaining({ reason: 'Corrupt' }))
    database.close()
  })

  test('ST9 a layout of a later version is refused', async () => {
    await fill(1)
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 99')
    database.close()
    expect(reasonOfOpen()).toMatchObject({ reason: 'Corrupt', message: expect.stringContaining('version') })
  })
})

function foreignDatabase(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}
