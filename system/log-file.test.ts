/** The log's file: order, mode, and that nothing which befalls the file ends the process. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLogFile } from './log-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'log-file-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('log file', () => {
  it('LF1 lines are appended in order, for the owner alone, and all are there after close', async () => {
    const path = join(folder, 'a.log')
    for (const run of ['first', 'second']) {
      const file = openLogFile(path)
      for (let at = 0; at < 1_000; at++) file.write(`${run} ${at} ü\n`)
      await file.close()
    }
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(2_000)
    expect([lines[0], lines[999], lines[1_999]]).toEqual(['first 0 ü', 'first 999 ü', 'second 999 ü'])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it.skipIf(!existsSync('/dev/full'))('LF2 a full disk costs lines, not the process', async () => {
    const file = openLogFile('/dev/full')
    for (let at = 0; at < 100; at++) file.write('line\n')
    await file.close()
    expect(existsSync('/dev/full')).toBe(true)
  })

  it('LF3 what waits is bounded, and what was dropped is told', async () => {
    const path = join(folder, 'b.log')
    const file = openLogFile(path)
    const line = `${'x'.repeat(1_048_575)}\n`
    for (let at = 0; at < 12; at++) file.write(line)
    await file.close()
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    const dropped = Number(
      /"(\d+) log lines could not be written"/.exec(lines.find((one) => one.startsWith('{')) ?? '')?.[1],
    )
    expect(dropped).toBeGreaterThan(0)
    expect(lines.filter((one) => one.startsWith('x')).length + dropped).toBe(12)
  })

  it('LF4 a folder that does not let it be made is told at once', () => {
    const path = join(folder, 'no', 'c.log')
    chmodSync(folder, 0o500)
    expect(() => openLogFile(path)).toThrow(/ENOENT|EACCES/)
    chmodSync(folder, 0o700)
  })
})
