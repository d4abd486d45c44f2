/** The data folder: a store that is gone is not taken for a first start. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataFolderError, dataPaths, refuseLostStore } from './data-folder.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'data-folder-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('data folder', () => {
  it('S4 a store that was there and is gone, or is empty, is refused: its machines would be destroyed', async () => {
    const paths = dataPaths(folder)
    await refuseLostStore(paths)
    writeFileSync(paths.identity, '{}')
    await expect(refuseLostStore(paths)).rejects.toThrow(DataFolderError)
    writeFileSync(paths.store, '')
    await expect(refuseLostStore(paths)).rejects.toThrow(/restore it from a backup/)
    writeFileSync(paths.store, 'something')
    await refuseLostStore(paths)
  })

  it('S4 a first start that was killed before it had an identity is a first start', async () => {
    const paths = dataPaths(folder)
    writeFileSync(paths.store, '')
    await refuseLostStore(paths)
  })
})
