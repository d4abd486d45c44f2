/** Kills a writing process with SIGKILL, time and again: what it has acknowledged is there afterwards. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { openDatabase } from './database.ts'
import { openEmbeddedStore } from './embedded.ts'

const WRITER = join(import.meta.dirname, 'fixtures', 'writer.ts')

/** Runs the writer until it has acknowledged that many commits, kills it, and returns all that it acknowledged. */
async function acknowledgedUntilKilled(path: string, round: number, count: number): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [WRITER, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const acknowledged = new Map<string, number>()
  for await (const line of createInterface({ input: child.stdout })) {
    const [name = '', revision = ''] = line.split(' ')
    if (revision !== '') acknowledged.set(name, Number(revision))
    if (acknowledged.size >= count) child.kill('SIGKILL')
  }
  await exited
  return acknowledged
}

test('ST3 every acknowledged commit survives kill -9, and a killed process leaves no lock', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'store-kill-'))
  const path = join(folder, 'store.db')
  const acknowledged = new Map<string, number>()
  try {
    for (let round = 0; round < 6; round++) {
      for (const [name, revision] of await acknowledgedUntilKilled(path, round, 1 + round * 97))
        acknowledged.set(name, revision)
      const database = openDatabase(path)
      const store = openEmbeddedStore({ database })
      const { records, revision } = await store.list('sprites')
      const stored = new Map(records.map((record) => [record.name, record.revision]))
      for (const [name, at] of acknowledged) expect(stored.get(name), name).toBe(at)
      expect(new Set(stored.values()).size).toBe(stored.size)
      expect(revision).toBe(Math.max(...stored.values()))
      await store.close()
      database.close()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  expect(acknowledged.size).toBeGreaterThan(1_000)
})
