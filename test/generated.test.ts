/** The generated files in the repository are those that would be generated now. */
import { mkdtemp, rm, mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { FIRST_LINE, generatedFiles, staleFiles } from '../scripts/generate.ts'

const folders: string[] = []

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })))
})

async function rootWith(files: ReadonlyMap<string, string>): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'generated-'))
  folders.push(root)
  await mkdir(path.join(root, 'crds'))
  for (const [file, text] of files) await writeFile(path.join(root, file), text)
  return root
}

describe('generated files', () => {
  it('GEN1 are fresh in the repository; run npm run generate when this fails', async () => {
    expect(await staleFiles(path.resolve(import.meta.dirname, '..'))).toEqual([])
  })

  it('GEN2 say in line 1 that they are generated', () => {
    for (const text of generatedFiles().values()) expect(text.startsWith(FIRST_LINE)).toBe(true)
  })

  it('GEN3 are named when missing, changed or left over', async () => {
    const files = new Map(generatedFiles())
    files.delete('crds/sprites.sprites.highera.com.yaml')
    files.set('crds/plans.sprites.highera.com.yaml', 'changed')
    files.set('crds/gone.sprites.highera.com.yaml', 'left over')
    expect(await staleFiles(await rootWith(files))).toEqual([
      'crds/gone.sprites.highera.com.yaml',
      'crds/plans.sprites.highera.com.yaml',
      'crds/sprites.sprites.highera.com.yaml',
    ])
  })

  it('GEN4 are the same each time, without anchors or aliases', () => {
    expect([...generatedFiles()]).toEqual([...generatedFiles()])
    for (const text of generatedFiles().values()) expect(text).not.toMatch(/: [&*]\w/)
  })
})
