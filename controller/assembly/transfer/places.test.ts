/** Tests of places on the command line: how they are named, whose they are, what each refusal tells. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { readEnvironment } from '../../config.ts'
import { openDatabase } from '../../store/database.ts'
import { openEmbeddedStore } from '../../store/embedded.ts'
import { dataPaths, readIdentity } from '../data-folder.ts'
import { addressOf, openEnds } from './places.ts'
import { transfer } from './transfer.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'places-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const ports = (variables: Readonly<Record<string, string>> = {}) => ({
  environment: readEnvironment(variables),
  clock: new TestClock(),
  entropy: seededEntropy(1),
  log: silentLog,
})
const at = (name: string): string => join(folder, name)
const signal = new AbortController().signal

/** A data folder with nothing but an identity and an empty store, and a backup of it. */
async function backedUp(): Promise<{ readonly id: string; readonly key: string }> {
  const { controlPlaneId: id, masterKey: key } = await readIdentity(dataPaths(folder), seededEntropy(2))
  const database = openDatabase(dataPaths(folder).store)
  const store = openEmbeddedStore({ database })
  const namespace = { collection: 'namespaces', namespace: '', name: 'acme' }
  const value = (revision: number): string =>
    JSON.stringify({ kind: 'Namespace', metadata: { name: 'acme', resourceVersion: String(revision) } })
  await store.commit([{ type: 'Put', key: namespace, expectedRevision: 0, value }])
  await store.close()
  database.close()
  const ends = await openEnds(ports(), addressOf(`embedded:${folder}`), addressOf(`file:${at('fleet.backup')}`))
  await transfer(ends.source, ends.target, { mayReplace: false, signal })
  await ends.close()
  return { id, key }
}

describe('places', () => {
  it.each([
    ['embedded:data', { at: 'embedded', folder: 'data' }],
    ['embedded:/a:b', { at: 'embedded', folder: '/a:b' }],
    ['firestore', { at: 'firestore' }],
    ['cluster', { at: 'cluster' }],
    ['file:x.backup', { at: 'file', path: 'x.backup' }],
  ])('TF8 reads %s', (text, address) => {
    expect(addressOf(text)).toEqual(address)
  })

  it.each(['', 'data', 'embedded:', 'file', 'firestore:p', 'etcd:x'])(
    'TF8 refuses "%s" and says what would do',
    (text) => {
      expect(() => addressOf(text)).toThrow(`Cannot read the place "${text}": give embedded:FOLDER`)
    },
  )

  it('TF9 a new folder takes the identity of what comes to it, and another control plane’s is left alone', async () => {
    const { id, key } = await backedUp()
    const given = { CONTROL_PLANE_ID: id, MASTER_KEY: key }
    const [from, to] = [addressOf(`file:${at('fleet.backup')}`), addressOf(`embedded:${at('new')}`)]
    const ends = await openEnds(ports(given), from, to)
    expect(await transfer(ends.source, ends.target, { mayReplace: false, signal })).toMatchObject({
      compared: 1,
      findings: [],
    })
    await ends.close()
    expect(await readIdentity(dataPaths(at('new')), seededEntropy(3))).toEqual({ controlPlaneId: id, masterKey: key })

    const strange = { CONTROL_PLANE_ID: 'cp-aaaaaaaaaaaa', MASTER_KEY: 'b'.repeat(64) }
    await expect(openEnds(ports(strange), from, to)).rejects.toThrow(
      `it is of ${id}, whose machines would be strangers`,
    )
  })

  it('TF8 what is not there is not made by reading it', async () => {
    await readIdentity(dataPaths(folder), seededEntropy(2))
    const [here, none] = [addressOf(`embedded:${folder}`), addressOf(`file:${at('none')}`)]
    await expect(openEnds(ports(), here, none)).rejects.toThrow('Find no control plane in')
    await expect(openEnds(ports(), none, here)).rejects.toThrow('ENOENT')
    expect(existsSync(dataPaths(folder).store)).toBe(false)
  })

  it('TF9 without an identity nothing is made, and the message says whose the backup is', async () => {
    const { id } = await backedUp()
    const [from, to] = [addressOf(`file:${at('fleet.backup')}`), addressOf(`embedded:${at('new')}`)]
    await expect(openEnds(ports(), from, to)).rejects.toThrow(`the backup is of ${id}`)
    expect(existsSync(at('new'))).toBe(false)
  })

  it.each([
    ['firestore', 'Set FIRESTORE_PROJECT'],
    ['cluster', 'Set KUBECONFIG'],
  ])('TF8 %s asks for what says where it is', async (text, asked) => {
    await backedUp()
    await expect(openEnds(ports(), addressOf(`embedded:${folder}`), addressOf(text))).rejects.toThrow(asked)
  })
})
