/** The data folder: a store that is gone is not taken for a first start. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import {
  DataFolderError,
  dataPaths,
  openDataFolder,
  openIdentity,
  readIdentity,
  refuseLostStore,
} from './data-folder.ts'

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

describe('identity', () => {
  const given = { CONTROL_PLANE_ID: 'cp-0123456789ab', MASTER_KEY: 'ab'.repeat(32) }

  it('CF5 processes that are given one share it, and no file holds it', async () => {
    const paths = dataPaths(folder)
    expect(await openIdentity(paths, seededEntropy(1), given)).toEqual({
      controlPlaneId: given.CONTROL_PLANE_ID,
      masterKey: given.MASTER_KEY,
    })
    expect(readdirSync(folder)).toEqual([])
  })

  it('CF5 a data folder of another control plane is refused', async () => {
    const paths = dataPaths(folder)
    const own = await readIdentity(paths, seededEntropy(1))
    await expect(openIdentity(paths, seededEntropy(2), given)).rejects.toThrow(own.controlPlaneId)
    const foreignKey = { CONTROL_PLANE_ID: own.controlPlaneId, MASTER_KEY: given.MASTER_KEY }
    await expect(openIdentity(paths, seededEntropy(2), foreignKey)).rejects.toThrow('MASTER_KEY')
    const same = { CONTROL_PLANE_ID: own.controlPlaneId, MASTER_KEY: own.masterKey }
    expect(await openIdentity(paths, seededEntropy(2), same)).toEqual(own)
  })
})

it.skipIf(!existsSync('/proc/self'))('SY41 a data folder that cannot be made is told with what would do', async () => {
  await expect(openDataFolder('/proc/nope')).rejects.toThrow(
    'Cannot write to the data folder "/proc/nope" (ENOENT): choose another with --data, or change its owner',
  )
})
