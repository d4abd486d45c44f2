/** Which certificate the API is served with, and what is told of files that will not do. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { ensureCertificates } from '../server/certificates.ts'
import { openTls } from './tls.ts'

let folder: string
const clock = new TestClock()
const entropy = seededEntropy(1)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-'))
})
afterEach(() => rm(folder, { recursive: true }))

const open = (environment: Parameters<typeof openTls>[0]['environment'], host = '127.0.0.1', at = clock) =>
  openTls({ environment, folder: join(folder, 'own'), host, clock: at, entropy })

/** Files as a platform team would bring them, from another authority. */
async function filesFor(...extraHosts: readonly string[]) {
  const other = join(folder, `other-${extraHosts.length}`)
  await ensureCertificates({ folder: other, clock, entropy, extraHosts })
  return {
    TLS_CERT_FILE: join(other, 'tls.crt'),
    TLS_KEY_FILE: join(other, 'tls.key'),
    TLS_CA_FILE: join(other, 'ca.crt'),
  }
}

test('TL1 without files the local CA signs, for the address that is listened on too', async () => {
  expect(await open({})).toMatchObject({ host: '127.0.0.1', caCert: expect.stringContaining('CERTIFICATE') })
  expect((await open({}, '0.0.0.0')).host).toBe('127.0.0.1')
  expect((await open({}, '10.1.2.3')).host).toBe('10.1.2.3')
})

test('TL2 files are taken as they are; clients are told the authority where it is named', async () => {
  const files = await filesFor()
  const tls = await open(files)
  expect(tls.cert).not.toBe((await open({})).cert)
  expect(tls.caCert).toContain('CERTIFICATE')
  const { TLS_CA_FILE: _ca, ...bare } = files
  expect(await open(bare)).not.toHaveProperty('caCert')
})

test('TL3 clients are sent to the name of the certificate where it does not have the address', async () => {
  const files = await filesFor('sprites.example.com')
  expect((await open(files)).host).toBe('127.0.0.1')
  expect((await open(files, '10.0.0.9')).host).toBe('localhost')
})

test.each([
  [
    'a file that is not there',
    { TLS_CERT_FILE: '/nowhere/tls.crt' },
    /TLS_CERT_FILE: cannot read "\/nowhere\/tls.crt"/,
  ],
  ['a key of another certificate', { TLS_KEY_FILE: 'other' }, /TLS_KEY_FILE: .* is not the key/],
  ['a file without PEM', { TLS_CERT_FILE: 'junk' }, /TLS_CERT_FILE: .* holds no PEM/],
  ['an authority without PEM', { TLS_CA_FILE: 'junk' }, /TLS_CA_FILE: .* holds no PEM/],
])('TL4 %s is told with the setting and the file', async (_, wrong, message) => {
  const files = await filesFor()
  const junk = join(folder, 'junk')
  await writeFile(junk, 'nothing')
  const others = await filesFor('another.example.com')
  const real = { junk, other: others.TLS_KEY_FILE }
  const given = Object.fromEntries(
    Object.entries(wrong).map(([name, file]) => [name, real[file as keyof typeof real] ?? file]),
  )
  await expect(open({ ...files, ...given })).rejects.toThrow(message)
})

test('TL5 a certificate that is over is refused', async () => {
  const files = await filesFor()
  const later = new TestClock(clock.now() + 3 * 366 * 86_400_000)
  await expect(open(files, '127.0.0.1', later)).rejects.toThrow(/Renew TLS_CERT_FILE/)
})
