/** Which files of a folder are read. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { readSources } from './sources.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sources-'))
  folders.push(folder)
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

const FILES = { 'a.yaml': 'a', 'b/c.yml': 'c', 'flux/.spritesignore': '', 'flux/d.yaml': 'd', 'flux/deep/e.yaml': 'e' }

test('CLI40 a folder with .spritesignore, and all below it, is left out of the folder above', async () => {
  const folder = await folderOf(FILES)
  const sources = await readSources([folder])
  expect(sources.map(({ file }) => relative(folder, file))).toEqual(['a.yaml', 'b/c.yml'])
})

test('CLI40 named itself, it is read', async () => {
  const folder = await folderOf(FILES)
  const sources = await readSources([join(folder, 'flux')])
  expect(sources.map(({ text }) => text)).toEqual(['d', 'e'])
})
