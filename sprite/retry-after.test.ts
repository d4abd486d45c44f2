/** Retry-After in all its forms, and the version that a sprite announces. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { retryAfterMs } from './retry-after.ts'
import { SPRITE_VERSION } from './version.ts'

const nowMs = Date.UTC(2026, 0, 1)
const read = (headers: Readonly<Record<string, string>>) => retryAfterMs((name) => headers[name], nowMs)

describe('retryAfterMs', () => {
  it.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '0.5' }, 500],
    [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:03 GMT' }, 3_000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-5e9' }, undefined],
    [{}, undefined],
  ])('CC2 reads %j as %s ms', (headers, expected) => {
    expect(read(headers as Record<string, string>)).toBe(expected)
  })
})

describe('version', () => {
  it('CC1 is the package’s', async () => {
    const file = await readFile(new URL('../package.json', import.meta.url), 'utf8')
    expect((JSON.parse(file) as { version: string }).version).toBe(SPRITE_VERSION)
  })
})
