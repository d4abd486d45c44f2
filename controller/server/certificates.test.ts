/** Tests of the local CA and of the kubeconfig, in a folder of their own. */
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { realEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { ensureCertificates } from './certificates.ts'
import { KubeconfigError, readKubeconfig, writeKubeconfig } from './kubeconfig.ts'

const DAY_MS = 86_400_000
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certificates-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const ensure = (clock = new TestClock(), extraHosts: readonly string[] = []) =>
  ensureCertificates({ folder: join(folder, 'pki'), clock, entropy: realEntropy, extraHosts })

describe('certificates', () => {
  it('SV16 makes a CA and a server certificate for the loopback names, then keeps them', async () => {
    const made = await ensure()
    expect(made.renewed).toBe('All')
    const leaf = new X509Certificate(made.cert)
    const ca = new X509Certificate(made.caCert)
    expect(leaf.verify(ca.publicKey)).toBe(true)
    expect(leaf.checkIssued(ca)).toBe(true)
    expect(ca.ca).toBe(true)
    expect(leaf.ca).toBe(false)
    expect([leaf.checkIP('127.0.0.1'), leaf.checkIP('::1'), leaf.checkHost('localhost')]).toEqual([
      '127.0.0.1',
      '::1',
      'localhost',
    ])
    expect(leaf.checkHost('example.com')).toBeUndefined()
    expect(await ensure()).toEqual({ ...made, renewed: 'Nothing' })
  })

  it('SV16 keys are for their owner alone and no temporary file stays', async () => {
    await ensure()
    for (const name of ['ca.key', 'tls.key']) expect((await stat(join(folder, 'pki', name))).mode & 0o777).toBe(0o600)
    expect((await readdir(join(folder, 'pki'))).sort()).toEqual(['ca.crt', 'ca.key', 'tls.crt', 'tls.key'])
  })

  it('SV16 the server certificate is renewed under the same CA when fewer than 30 days are left', async () => {
    const clock = new TestClock()
    const first = await ensure(clock)
    clock.jumpWall(334 * DAY_MS)
    expect((await ensure(clock)).renewed).toBe('Nothing')
    clock.jumpWall(2 * DAY_MS)
    const second = await ensure(clock)
    expect(second.renewed).toBe('Server')
    expect(second.caCert).toBe(first.caCert)
    expect(second.cert).not.toBe(first.cert)
  })

  it('SV16 a CA near its end is made anew, with the server certificate', async () => {
    const clock = new TestClock()
    await ensure(clock)
    clock.jumpWall(3630 * DAY_MS)
    expect((await ensure(clock)).renewed).toBe('All')
  })

  it.each([
    ['tls.crt', 'Server'],
    ['tls.key', 'Server'],
    ['ca.crt', 'All'],
    ['ca.key', 'All'],
  ])('SV16 a damaged %s is healed: %s', async (name, renewed) => {
    await ensure()
    await writeFile(join(folder, 'pki', name), 'not a PEM')
    expect((await ensure()).renewed).toBe(renewed)
    expect((await ensure()).renewed).toBe('Nothing')
  })

  it('SV16 another host asks for another certificate', async () => {
    await ensure()
    const made = await ensure(new TestClock(), ['sprites.internal', '10.0.0.7'])
    expect(made.renewed).toBe('Server')
    expect(new X509Certificate(made.cert).checkIP('10.0.0.7')).toBe('10.0.0.7')
  })
})

describe('kubeconfig', () => {
  const config = { server: 'https://127.0.0.1:8443', caCert: 'PEM\n', token: 'sprt_x', namespace: 'acme' }

  it('SV17 is read as it was written, 0600, and replaced as a whole', async () => {
    const file = join(folder, 'kubeconfig')
    await writeFile(file, 'old', { mode: 0o644 })
    await writeKubeconfig(file, config)
    expect(await readKubeconfig(file)).toEqual(config)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['kubeconfig'])
    expect(await readFile(file, 'utf8')).toContain('current-context: sprites')
  })

  it('SV17 a missing file, broken YAML and a file without a token are told apart', async () => {
    const reasonOf = async (text?: string): Promise<string> => {
      const file = join(folder, 'kubeconfig')
      if (text !== undefined) await writeFile(file, text)
      const error = await readKubeconfig(file).catch((thrown: unknown) => thrown)
      return error instanceof KubeconfigError ? error.reason : String(error)
    }
    expect(await reasonOf()).toBe('NotFound')
    expect(await reasonOf('{{{')).toBe('Invalid')
    expect(await reasonOf('a: &a [1]\nb: *a')).toBe('Invalid')
    expect(await reasonOf('kind: Config')).toBe('Invalid')
    expect(await reasonOf('42')).toBe('Invalid')
  })

  it('SV17 a folder that is not there rejects and leaves nothing', async () => {
    await expect(writeKubeconfig(join(folder, 'none', 'kubeconfig'), config)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await readdir(folder)).toEqual([])
  })
})
