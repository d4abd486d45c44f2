/** Tests of by what a front proxy is known: read from files or the cluster, followed, and refused when it says nothing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { realClock } from '../../system/clock.ts'
import { silentLog } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { ApiError } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import { readEnvironment } from '../config.ts'
import { testAuthority } from '../server/test-certificates.ts'
import { createUndo, type Undo } from './undo.ts'
import { followTrust, openFrontProxy, trustOfCluster } from './front-proxy.ts'

let first: string
let second: string
const undos: Undo[] = []
const folders: string[] = []

beforeAll(async () => {
  first = (await testAuthority('one', realClock.now())).caCert
  second = (await testAuthority('two', realClock.now())).caCert
})
afterEach(async () => {
  for (const undo of undos.splice(0)) await undo.run()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

function ports(variables: Readonly<Record<string, string>>) {
  const undo = createUndo()
  undos.push(undo)
  const environment = readEnvironment(variables)
  return { undo, ports: { environment, clock: new TestClock(), entropy: seededEntropy(1), log: silentLog } }
}

async function fileWith(text: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'front-proxy-'))
  folders.push(folder)
  const file = path.join(folder, 'ca.crt')
  await writeFile(file, text)
  return file
}

test('KF6 without a setting nobody is a front proxy', async () => {
  const { ports: given, undo } = ports({})
  expect(await openFrontProxy(given, undo)).toBeUndefined()
})

test('KF6 a file names the authorities, and the setting the names; both are checked at start', async () => {
  const file = await fileWith(`# ours\n${first}\n${second}`)
  const open = async (variables: Readonly<Record<string, string>>) => {
    const { ports: given, undo } = ports(variables)
    return (await openFrontProxy(given, undo))?.current()
  }
  const trust = await open({ REQUESTHEADER_CLIENT_CA_FILE: file })
  expect(trust?.ca.match(/BEGIN/g)).toHaveLength(2)
  expect(trust?.allowedNames).toEqual(new Set(['front-proxy-client']))
  const named = await open({ REQUESTHEADER_CLIENT_CA_FILE: file, REQUESTHEADER_ALLOWED_NAMES: 'a, b' })
  expect(named?.allowedNames).toEqual(new Set(['a', 'b']))
  const any = await open({ REQUESTHEADER_CLIENT_CA_FILE: file, REQUESTHEADER_ALLOWED_NAMES: '*' })
  expect(any?.allowedNames).toBeUndefined()
  await expect(open({ REQUESTHEADER_CLIENT_CA_FILE: `${file}.none` })).rejects.toThrow('ENOENT')
  await expect(open({ REQUESTHEADER_CLIENT_CA_FILE: await fileWith('x') })).rejects.toThrow('no PEM')
  const broken = await fileWith('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  await expect(open({ REQUESTHEADER_CLIENT_CA_FILE: broken })).rejects.toThrow('cannot be read')
  await expect(open({ REQUESTHEADER_FROM_CLUSTER: 'true' })).rejects.toThrow('Set KUBECONFIG')
})

const mapOf = (data: Readonly<Record<string, string>>) => ({
  get: () => Promise.resolve({ data } as unknown as KubeObject),
})

test('KF6 the cluster’s ConfigMap names both', async () => {
  const users = { 'requestheader-username-headers': '["X-Remote-User"]' }
  const ca = { 'requestheader-client-ca-file': first }
  const names = { 'requestheader-allowed-names': '["aggregator"]' }
  expect(await trustOfCluster(mapOf({ ...users, ...ca, ...names }))).toEqual({
    ca: `${first.trim()}\n`,
    allowedNames: new Set(['aggregator']),
  })
  expect((await trustOfCluster(mapOf({ ...users, ...ca }))).allowedNames).toBeUndefined()
  await expect(trustOfCluster(mapOf({ ...ca, ...names }))).rejects.toThrow('X-Remote-User')
  await expect(trustOfCluster(mapOf({ ...users, ...names }))).rejects.toThrow('no PEM')
  await expect(trustOfCluster(mapOf({ ...users, ...ca, 'requestheader-allowed-names': '[1' }))).rejects.toThrow('JSON')
  await expect(trustOfCluster(mapOf({ ...users, ...ca, 'requestheader-allowed-names': '{}' }))).rejects.toThrow('JSON')
})

test('KF6 a change counts within a minute; a look that fails changes nothing', async () => {
  const clock = new TestClock()
  const undo = createUndo()
  undos.push(undo)
  let next = (): Promise<{ ca: string }> => Promise.resolve({ ca: first })
  const source = await followTrust(() => next(), { clock, log: silentLog }, undo)
  let changes = 0
  source.onChange(() => (changes += 1))
  const minute = async (): Promise<string> => {
    await clock.advance(60_000)
    await settle()
    return source.current().ca
  }
  expect(await minute()).toBe(first)
  next = () => Promise.reject(new ApiError('ServiceUnavailable', 'away'))
  expect(await minute()).toBe(first)
  expect(changes).toBe(0)
  next = () => Promise.resolve({ ca: second })
  expect(await minute()).toBe(second)
  expect(changes).toBe(1)
})
