/** Tests of the audit log on disk: its chain, its files, and what becomes of it when somebody or something breaks it. */
import { writeSync } from 'node:fs'
import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, asyncProperty, integer, nat } from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog, type Log } from '../../system/log.ts'
import { createMetrics, type Metrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import type { AuditEvent } from '../server/audit.ts'
import { auditEventOf } from '../server/audit-event.ts'
import { fullFiles, openAuditFile, putAside, type AuditFile } from './audit-file.ts'
import { openAuditLog, type AuditLog, type AuditLogOptions } from './audit-log.ts'
import { verifyAuditFiles, type AuditVerdict } from './audit-verify.ts'

let folder: string
let path: string
let clock: TestClock
let metrics: Metrics
let logged: string[]
let opened: AuditLog[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'))
  path = join(folder, 'audit.log')
  clock = new TestClock()
  metrics = createMetrics()
  logged = []
  opened = []
})

afterEach(async () => {
  for (const one of opened) one.close()
  await rm(folder, { recursive: true, force: true })
})

const noting: Log = {
  ...silentLog,
  error: (fields, message) => void logged.push(JSON.stringify({ ...fields, message })),
}

function openLog(over: Partial<AuditLogOptions> = {}): AuditLog {
  const log = openAuditLog({
    path,
    fileBytesMax: 1_000_000,
    filesKept: 3,
    clock,
    entropy: seededEntropy(1),
    log: noting,
    metrics,
    ...over,
  })
  opened.push(log)
  return log
}

const eventOf = (id: number | string, message = ''): AuditEvent =>
  auditEventOf({
    auditId: String(id),
    method: 'POST',
    url: new URL('http://server.invalid/x'),
    verb: 'create',
    code: 201,
    endedAtMs: 0,
    durationMs: 1,
    ...(message === '' ? {} : { message }),
  })

function writeMany(log: AuditLog, count: number, from = 0): void {
  for (let index = from; index < from + count; index++) log.write(eventOf(index))
}

const linesOf = async (file = path): Promise<AuditEvent[]> =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent) // what the log wrote

const verdict = (): Promise<AuditVerdict> => verifyAuditFiles([...fullFiles(path), path])

/** The kill leaves the file as it is: only the handle goes. */
const kill = (log: AuditLog): void => log.close()

/** A file whose disk is full while `isFull` says so. */
const fullDisk =
  (isFull: () => boolean): ((file: string) => AuditFile) =>
  (file) => {
    const real = openAuditFile(file)
    return {
      get sizeBytes() {
        return real.sizeBytes
      },
      look: real.look,
      tail: real.tail,
      close: real.close,
      append: (text) => {
        if (isFull()) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        real.append(text)
      },
    }
  }

describe('the file', () => {
  it('AU7 has one JSON line an event, at once, for the owner alone', async () => {
    const log = openLog()
    writeMany(log, 3)
    const lines = await linesOf()
    expect(lines.map(({ auditID }) => auditID)).toEqual(['0', '1', '2'])
    expect(lines[0]).toMatchObject({ kind: 'Event', apiVersion: 'audit.k8s.io/v1', verb: 'create' })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(log.problem()).toBeUndefined()
  })

  it('AU8 is chained from its start, over restarts', async () => {
    writeMany(openLog(), 2)
    opened.pop()?.close()
    writeMany(openLog(), 2, 2)
    expect(await verdict()).toMatchObject({ lines: 4, tornLines: 0, isFromStart: true, hasOpenEnd: false })
    expect((await verdict()).broken).toBeUndefined()
  })

  it('AU8 keeps annotations, and texts that look like the chain, as they are', async () => {
    const log = openLog()
    const text = '"audit.sprites.highera.com/hash":"0"}}\n","audit.sprites.highera.com/torn":"\u2028é'
    log.write({ ...eventOf(1, text), annotations: { a: text } })
    writeMany(log, 1)
    expect((await linesOf())[0]).toMatchObject({ responseStatus: { message: text }, annotations: { a: text } })
    expect((await verdict()).broken).toBeUndefined()
  })

  it('AU9 goes on in a new file when it is full; the chain runs through, and the oldest goes', async () => {
    const log = openLog({ fileBytesMax: 4_000, filesKept: 2 })
    writeMany(log, 60)
    const full = fullFiles(path)
    expect(full).toHaveLength(2)
    for (const file of full) expect((await stat(file)).size).toBeGreaterThanOrEqual(4_000)
    const found = await verdict()
    expect(found).toMatchObject({ isFromStart: false })
    expect(found.broken).toBeUndefined()
    expect((await linesOf()).length + (await linesOf(full[0])).length + (await linesOf(full[1])).length).toBe(
      found.lines,
    )
  })

  it('AU9 is put aside after all others, also when the clock was set back', async () => {
    const log = openLog({ fileBytesMax: 1_000, filesKept: 50 })
    for (let index = 0; index < 20; index++) {
      writeMany(log, 1, index)
      clock.jumpWall(-3_600_000)
    }
    const found = await verdict()
    expect(found).toMatchObject({ lines: 20, isFromStart: true })
    expect(found.broken).toBeUndefined()
  })

  it('AU9 takes up the chain of the newest full file when it is empty', async () => {
    writeMany(openLog({ fileBytesMax: 1 }), 2)
    kill(opened.pop() ?? openLog())
    // As a crash leaves it right after the old file was put aside.
    putAside(path, clock.now())
    writeMany(openLog(), 1, 2)
    expect(await verdict()).toMatchObject({ lines: 3, isFromStart: true })
    expect((await verdict()).broken).toBeUndefined()
  })
})

describe('verification', () => {
  it('AU8 finds any line that was changed, cut, added or moved', async () => {
    writeMany(openLog(), 12)
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n')
    await assert(
      asyncProperty(nat(10), integer({ min: 0, max: 3 }), nat(), async (at, how, where) => {
        const changed = [...lines]
        const line = changed[at] ?? ''
        if (how === 0) changed[at] = flipped(line, where % line.length)
        if (how === 1) changed.splice(at, 1)
        if (how === 2) changed.splice(at, 0, changed[(at + 5) % 12] ?? '')
        if (how === 3) changed.splice(at, 2, changed[at + 1] ?? '', line)
        await writeFile(path, `${changed.join('\n')}\n`)
        const { broken } = await verdict()
        // The first line alone names what it follows: without it the log begins later, and says so.
        if (how === 1 && at === 0) expect((await verdict()).isFromStart).toBe(false)
        else expect(broken?.line).toBeGreaterThanOrEqual(at)
        if (broken !== undefined) expect(broken.line).toBeLessThanOrEqual(at + 2)
      }),
      { numRuns: 150 },
    )
  })

  it('AU8 tells how far the chain reaches, so that a cut end is seen against what was noted', async () => {
    const log = openLog()
    writeMany(log, 3)
    const before = await verdict()
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1))
    const after = await verdict()
    expect(after.broken).toBeUndefined()
    expect(after.last).not.toBe(before.last)
  })

  it('AU8 finds a file that is missing between two', async () => {
    const log = openLog({ fileBytesMax: 1_500, filesKept: 9 })
    writeMany(log, 20)
    const [first = '', , third = ''] = fullFiles(path)
    expect((await verifyAuditFiles([first, third])).broken).toMatchObject({ file: third, line: 1 })
  })

  it('AU8 refuses what is no audit log, and rejects for what cannot be read', async () => {
    await writeFile(path, 'hello\nworld\n')
    expect((await verdict()).broken).toMatchObject({ line: 1 })
    await writeFile(path, 'x'.repeat(2_000_000))
    expect((await verdict()).broken).toMatchObject({ line: 1 })
    await expect(verifyAuditFiles([join(folder, 'none')])).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('after a crash', () => {
  it('AU10 takes up the chain wherever the last line was cut off, and records it', async () => {
    writeMany(openLog(), 4)
    kill(opened.pop() ?? openLog())
    const text = await readFile(path)
    const start = text.lastIndexOf(10, text.length - 2) + 1
    await assert(
      asyncProperty(integer({ min: start, max: text.length }), async (length) => {
        await writeFile(path, text.subarray(0, length))
        const log = openLog()
        writeMany(log, 2, 9)
        kill(log)
        const found = await verdict()
        expect(found.broken).toBeUndefined()
        const isTorn = length > start && length < text.length - 1
        expect(found).toMatchObject({ tornLines: isTorn ? 1 : 0, isFromStart: true, hasOpenEnd: false })
      }),
      { numRuns: 40 },
    )
  })

  it('AU10 takes up a file of nothing but a cut line, in the middle of a character', async () => {
    await writeFile(path, Buffer.from('{"kind":"Event","é').subarray(0, -1))
    writeMany(openLog(), 1)
    expect(await verdict()).toMatchObject({ lines: 3, tornLines: 1, isFromStart: true })
    expect((await verdict()).broken).toBeUndefined()
  })

  it('AU10 does not take a changed line for one that was cut off', async () => {
    writeMany(openLog(), 3)
    kill(opened.pop() ?? openLog())
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace('"auditID":"2"', '"auditID":"7"'))
    writeMany(openLog(), 1)
    expect((await verdict()).broken).toMatchObject({ line: 3 })
    expect((await linesOf())[3]?.responseStatus.message).toBe('the lines before this one were changed')
  })
})

describe('a flood of refusals', () => {
  const refusalOf = (username: string): AuditEvent => ({
    ...eventOf(username),
    user: { username, groups: [] },
    responseStatus: { code: 401 },
  })

  it('AU15 of one caller is counted beyond 200 in 10 s; writes and other callers are not touched by it', async () => {
    const log = openLog()
    for (let index = 0; index < 1_000; index++) log.write(refusalOf('system:anonymous'))
    log.write(refusalOf('ann'))
    writeMany(log, 3)
    expect(await linesOf()).toHaveLength(204)
    await clock.advance(10_000)
    writeMany(log, 1, 3)
    const lines = await linesOf()
    expect(lines).toHaveLength(206)
    expect(lines[204]).toMatchObject({
      verb: 'record',
      user: { username: 'system:anonymous' },
      responseStatus: { message: '800 more refusals of this caller were not written one by one' },
    })
    expect((await verdict()).broken).toBeUndefined()
  })

  it('AU15 of somebody who is called as another pushes none of that one’s out', async () => {
    const log = openLog()
    const mallory = { ...refusalOf('ann@x.test'), user: { username: 'ann@x.test', groups: [], uid: 'a-user' } }
    for (let index = 0; index < 500; index++) log.write(mallory)
    log.write(refusalOf('ann@x.test'))
    expect((await linesOf()).at(-1)?.user).toEqual({ username: 'ann@x.test', groups: [] })
  })

  it('AU15 of very many callers is bounded too, and told at the close', async () => {
    const log = openLog()
    for (let index = 0; index < 3_000; index++) log.write(refusalOf(`user-${index}`))
    expect((await linesOf()).length).toBe(1_200)
    log.close()
    expect((await linesOf()).at(-1)).toMatchObject({
      user: { username: 'others' },
      responseStatus: { message: '1800 more refusals of this caller were not written one by one' },
    })
  })
})

describe('when it cannot be written', () => {
  it('AU11 says so, keeps what comes, and writes it in order when it can again', async () => {
    let isFull = false
    const log = openLog({ open: fullDisk(() => isFull) })
    writeMany(log, 2)
    isFull = true
    writeMany(log, 3, 2)
    expect(log.problem()).toBe('The audit log cannot be written: ENOSPC')
    expect(logged).toEqual(['{"code":"ENOSPC","message":"Audit log cannot be written"}'])
    expect(await linesOf()).toHaveLength(2)
    isFull = false
    expect(log.problem()).toBeUndefined()
    expect((await linesOf()).map(({ auditID }) => auditID)).toEqual(['0', '1', '2', '3', '4'])
    expect((await verdict()).broken).toBeUndefined()
    expect(await metrics.expose()).toMatch(/audit_write_failures_total [1-9]/)
  })

  it('AU11 counts what it has no room for, and writes how much that was', async () => {
    let isFull = true
    const log = openLog({ open: fullDisk(() => isFull) })
    const big = { ...eventOf(1), annotations: { big: 'x'.repeat(1_000_000) } }
    for (let index = 0; index < 12; index++) log.write(big)
    isFull = false
    expect(log.problem()).toBeUndefined()
    expect((await linesOf()).at(-1)?.responseStatus.message).toBe('4 events before this line could not be written')
    expect(await metrics.expose()).toContain('audit_events_lost_total 4')
    expect((await verdict()).broken).toBeUndefined()
  })

  it('AU11 leaves nothing of a line behind that the disk had no room for', async () => {
    let leftBytes = 8
    const file = openAuditFile(path, (to, bytes, offset) => {
      const count = writeSync(to, bytes, offset, Math.min(leftBytes, bytes.length - offset))
      leftBytes -= count
      return count
    })
    file.append('whole\n')
    expect(() => file.append('too long\n')).toThrow('The disk takes nothing')
    expect(await readFile(path, 'utf8')).toBe('whole\n')
    leftBytes = 100
    file.append('again\n')
    file.close()
    expect(await readFile(path, 'utf8')).toBe('whole\nagain\n')
  })

  it('AU11 a file that was removed, moved or cut meanwhile is told, and it goes on', async () => {
    const log = openLog()
    writeMany(log, 2)
    await rm(path)
    writeMany(log, 2, 2)
    expect((await linesOf()).map(({ verb }) => verb)).toEqual(['record', 'create', 'create'])
    await rename(path, join(folder, 'moved'))
    writeMany(log, 1, 4)
    expect((await linesOf()).map(({ verb }) => verb)).toEqual(['record', 'create'])
    await truncate(path, 0)
    writeMany(log, 1, 5)
    const lines = await linesOf()
    expect(lines[0]?.responseStatus.message).toBe('the file was cut before this line')
    expect(lines[1]?.auditID).toBe('5')
    expect(logged.map((line) => line.includes('something to say of itself'))).toEqual([true, true, true])
  })

  it('AU11 lines that somebody else wrote are found, and it goes on', async () => {
    const log = openLog()
    writeMany(log, 2)
    await appendFile(path, 'forged\n')
    writeMany(log, 1, 2)
    expect((await verdict()).broken).toMatchObject({ line: 3 })
  })

  it('AU11 a file that cannot be put aside is written on', async () => {
    const log = openLog({ fileBytesMax: 1_500 })
    // A time that is none has no name for a file.
    const now = clock.now()
    clock.now = () => Number.MAX_VALUE
    for (let index = 0; index < 4; index++) log.write({ ...eventOf(index), stageTimestamp: '' })
    clock.now = () => now
    expect(logged.join()).toContain('cannot be put aside')
    writeMany(log, 10, 4)
    expect(fullFiles(path).length).toBeGreaterThan(0)
    expect((await verdict()).broken).toBeUndefined()
  })

  it('AU12 is closed with what waits written; what comes later is an error', async () => {
    let isFull = true
    const log = openLog({ open: fullDisk(() => isFull) })
    writeMany(log, 2)
    isFull = false
    log.close()
    expect(await linesOf()).toHaveLength(2)
    logged = []
    log.write(eventOf(3))
    expect(logged.join()).toContain('after the audit log was closed')
    expect(await linesOf()).toHaveLength(2)
  })

  it('AU12 that cannot be opened at all stops the start', async () => {
    expect(() => openLog({ path: folder })).toThrow()
    expect(await readdir(folder)).toEqual([])
  })
})

/** The line with one letter or digit changed for another. */
function flipped(line: string, at: number): string {
  const char = line[at] ?? ''
  return `${line.slice(0, at)}${char === 'x' ? 'y' : 'x'}${line.slice(at + 1)}`
}
