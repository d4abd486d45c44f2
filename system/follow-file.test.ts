/** Reading a file that grows: to its end, as it grows, until it is complete, and its last lines. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { offsetOfLastLines, readFileFrom, type ReadOptions } from './follow-file.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'follow-file-'))
  file = join(folder, 'a.log')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const read = (options: Partial<ReadOptions> = {}) =>
  readFileFrom(file, { startBytes: 0, isFollowed: false, signal: new AbortController().signal, ...options })

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of chunks) text += chunk.toString()
  return text
}
/** Reads until the text is as long as this one. */
async function nextText(chunks: AsyncIterator<Buffer>, length: number): Promise<string> {
  let text = ''
  while (text.length < length) text += String((await chunks.next()).value)
  return text
}

describe('reading a file', () => {
  it('VW32 reads to the end from where it is told', async () => {
    writeFileSync(file, 'one\ntwo\n')
    expect(await textOf(read())).toBe('one\ntwo\n')
    expect(await textOf(read({ startBytes: 4 }))).toBe('two\n')
    expect(await textOf(read({ startBytes: 100 }))).toBe('')
    rmSync(file)
    await expect(textOf(read())).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(textOf(read({ isFollowed: true }))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('VW32 follows what is appended, even while it reads, and ends at once when told', async () => {
    writeFileSync(file, 'one\n')
    const stop = new AbortController()
    const chunks = read({ isFollowed: true, signal: stop.signal })[Symbol.asyncIterator]()
    expect(await nextText(chunks, 4)).toBe('one\n')
    // While the reader holds the first chunk.
    appendFileSync(file, 'two\n')
    appendFileSync(file, 'three\n')
    expect(await nextText(chunks, 10)).toBe('two\nthree\n')
    const next = chunks.next()
    stop.abort()
    expect((await next).done).toBe(true)
  })

  it('VW32 what was appended before the end was told is read, and nothing is waited for after', async () => {
    writeFileSync(file, 'one\n')
    const complete = new AbortController()
    const chunks = read({ isFollowed: true, complete: complete.signal })[Symbol.asyncIterator]()
    expect(await nextText(chunks, 4)).toBe('one\n')
    appendFileSync(file, 'last\n')
    complete.abort()
    expect(await nextText(chunks, 5)).toBe('last\n')
    expect((await chunks.next()).done).toBe(true)
    expect(await textOf(read({ isFollowed: true, complete: AbortSignal.abort() }))).toBe('one\nlast\n')
  })

  it.each([
    ['a\nb\nc\n', 1, 'c\n'],
    ['a\nb\nc\n', 2, 'b\nc\n'],
    ['a\nb\nc', 1, 'c'],
    ['a\nb\nc\n', 9, 'a\nb\nc\n'],
    ['a\nb\nc\n', 0, ''],
    ['\n\n', 1, '\n'],
    ['', 3, ''],
  ])('VW31 the last lines of %j, %d of them', async (text, lines, tail) => {
    writeFileSync(file, text)
    expect(text.slice(await offsetOfLastLines(file, lines))).toBe(tail)
  })

  it('VW31 the last lines of a file of many blocks are those of its text', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30_000 })
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), fc.integer({ min: 1, max: 22 }), async (texts, lines) => {
        const text = texts.map((each) => `${each}\n`).join('')
        writeFileSync(file, text)
        const tail = texts.slice(-lines).map((each) => `${each}\n`)
        expect(text.slice(await offsetOfLastLines(file, lines))).toBe(tail.join(''))
      }),
      { numRuns: 40 },
    )
  })
})
