/** Tests of folders that are made with all above them. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeFolder } from './make-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'make-folder-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

it('SY40 makes a folder and all above it for the owner alone, and is content with one that is there', async () => {
  const deep = join(folder, 'a', 'b', 'c')
  makeFolder(deep)
  makeFolder(deep)
  expect((await stat(deep)).mode & 0o777).toBe(0o700)
  expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700)
})

it('SY41 refuses a file in the place of a folder', async () => {
  await writeFile(join(folder, 'file'), '')
  expect(() => makeFolder(join(folder, 'file'))).toThrow(/EEXIST/)
  expect(() => makeFolder(join(folder, 'file', 'deeper'))).toThrow(/ENOTDIR/)
})

it.skipIf(!existsSync('/proc/self'))(
  'SY41 says at once what cannot be made, also where node itself tries for ever',
  () => {
    expect(() => makeFolder('/proc/nope/deeper')).toThrow(/ENOENT/)
    expect(() => makeFolder('/proc/nope')).toThrow(/ENOENT/)
  },
)
