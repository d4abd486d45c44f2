/** Runs the Ledger contract on the ledger in a file, and looks at what a kill leaves of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import { ledgerContract } from './contract.ts'
import { createEmbeddedLedger } from './embedded.ts'

const reservation = { tenant: 'acme', period: '2026-01', id: 'r1', tokens: 60, limit: 100, expiresAfterMs: 1_000 }

ledgerContract('embedded', (clock) => {
  const database = new DatabaseSync(':memory:')
  return {
    ledger: createEmbeddedLedger({ database, clock }),
    restart: () => createEmbeddedLedger({ database, clock }),
    dispose: () => database.close(),
  }
})

describe('embedded ledger file', () => {
  it('LE6 another connection sees a reservation as soon as reserve has resolved', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ledger-'))
    const path = join(folder, 'store.db')
    const clock = new TestClock()
    const [first, second] = [new DatabaseSync(path), new DatabaseSync(path)]
    try {
      first.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
      const ledger = createEmbeddedLedger({ database: first, clock })
      expect(first.prepare('PRAGMA synchronous').get()).toMatchObject({ synchronous: 2 })
      await ledger.reserve(reservation)
      // The first connection is neither closed nor asked: as after kill -9.
      const other = createEmbeddedLedger({ database: second, clock })
      expect(await other.read('acme', '2026-01')).toEqual({ spent: 0, reserved: 60 })
      await clock.advance(1_000)
      expect(await other.read('acme', '2026-01')).toEqual({ spent: 60, reserved: 0 })
    } finally {
      first.close()
      second.close()
      rmSync(folder, { recursive: true })
    }
  })

  it('LE6 a failing transaction leaves nothing behind and the handle usable', async () => {
    const database = new DatabaseSync(':memory:')
    const ledger = createEmbeddedLedger({ database, clock: new TestClock() })
    await expect(ledger.reserve({ ...reservation, tokens: 0.5 })).rejects.toThrow()
    expect(database.isTransaction).toBe(false)
    expect(await ledger.read('acme', '2026-01')).toEqual({ spent: 0, reserved: 0 })
    database.close()
  })

  it('LE2 forgets answers an hour after their fate is known, so that the file stays small', async () => {
    const database = new DatabaseSync(':memory:')
    const clock = new TestClock()
    const ledger = createEmbeddedLedger({ database, clock })
    await ledger.reserve(reservation)
    await ledger.settle('acme', 'r1', 10)
    await clock.advance(3_600_000)
    expect(await ledger.read('acme', '2026-01')).toEqual({ spent: 10, reserved: 0 })
    expect(database.prepare('SELECT count(*) AS n FROM ledger_reservation').get()).toMatchObject({ n: 0 })
    database.close()
  })
})
