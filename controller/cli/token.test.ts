/** Tests of the commands that make tokens and kubeconfigs and look after the audit log, against a real API server. */
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import { openAuditLog } from '../assembly/audit-log.ts'
import { accessTokenKind, type AccessToken } from '../kinds/accesstoken/schema.ts'
import { auditEventOf } from '../server/audit-event.ts'
import { readKubeconfig, writeKubeconfig } from '../server/kubeconfig.ts'
import { keyIdOf } from '../server/tokens.ts'
import { GROWTH_LIMITS, namespaceOf, readyCondition, tenantOf } from './objects-for-tests.ts'
import { cliWorld, folderWith, runLine, type CliWorld } from './testing.ts'

let world: CliWorld
let folder: Awaited<ReturnType<typeof folderWith>>

beforeEach(async () => {
  world = await cliWorld()
  await world.put(tenantOf('acme', { limits: GROWTH_LIMITS, conditions: [readyCondition('Active')] }))
  await world.put(namespaceOf('acme'))
  await world.put(namespaceOf('sprites-system'))
  folder = await folderWith({})
})
afterEach(async () => {
  await world.close()
  await folder.remove()
})

const stored = (name: string, namespace = 'acme'): Promise<AccessToken> =>
  world.client.get(accessTokenKind, { namespace, name })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

describe('token create', () => {
  it('CLI22 prints the token alone, once, and stores its hash alone', async () => {
    const { code, out, err } = await world.run(['token', 'create', 'ci', '--tenant', 'acme', '--role', 'member'])
    expect(code).toBe(0)
    expect(out).toMatch(/^sprt_[0-9a-f]{16}_[0-9a-f]{72}\n$/)
    const token = out.trim()
    const { spec } = await stored('ci')
    expect(spec).toEqual({ keyId: keyIdOf(token), sha256: sha256(token), role: 'member' })
    expect(err).toBe('Token "ci" of tenant acme is good as member until it is revoked. It is shown only now: keep it\n')
    expect(JSON.stringify(await stored('ci'))).not.toContain(token)
  })

  it('CLI22 may be for a user, end, and say what it is for', async () => {
    const { code, err } = await world.run(
      ['token', 'create', 'ann', '-n', 'acme', '--user', 'ann', '--expires', '90d', '--description', 'Ann’s laptop'],
      { clock: new TestClock(Date.UTC(2026, 0, 1)) },
    )
    expect(code).toBe(0)
    const { spec } = await stored('ann')
    expect(spec).toMatchObject({ user: 'ann', expireTime: '2026-04-01T00:00:00Z', description: 'Ann’s laptop' })
    expect(spec.role).toBeUndefined()
    expect(err).toContain('good as user ann until 2026-04-01T00:00:00Z')
  })

  it('CLI22 for the platform is a platform admin of the system’s namespace', async () => {
    const { code } = await world.run(['token', 'create', 'argocd', '--platform', '--expires', '2099-01-01T00:00:00Z'])
    expect(code).toBe(0)
    expect((await stored('argocd', 'sprites-system')).spec).toMatchObject({
      role: 'platform-admin',
      expireTime: '2099-01-01T00:00:00Z',
    })
  })

  it('CLI22 prints a kubeconfig with it, or JSON', async () => {
    const made = await world.run(['token', 'create', 'a', '-n', 'acme', '--role', 'viewer', '-o', 'kubeconfig'])
    const file = join(folder.path, 'kubeconfig')
    await writeFile(file, made.out)
    const config = await readKubeconfig(file)
    expect(config).toMatchObject({ server: world.url, namespace: 'acme' })
    expect(sha256(config.token)).toBe((await stored('a')).spec.sha256)
    const json = JSON.parse((await world.run(['token', 'create', 'b', '--platform', '-o', 'json'])).out) as {
      token: string
      namespace: string
    }
    expect(json).toMatchObject({ name: 'b', namespace: 'sprites-system', spec: { role: 'platform-admin' } })
    expect(keyIdOf(json.token)).toBe((await stored('b', 'sprites-system')).spec.keyId)
  })

  it.each<[string, readonly string[]]>([
    ['Name the tenant with --tenant', ['--role', 'admin']],
    ['not both', ['--tenant', 'acme', '--platform', '--role', 'admin']],
    ['not both', ['--tenant', 'acme', '--role', 'admin', '--user', 'ann']],
    ['Leave --role and --user out', ['--platform', '--role', 'admin']],
    ['Say what the token is good for', ['--tenant', 'acme']],
    ['Name an end', ['--tenant', 'acme', '--role', 'admin', '--expires', 'soon']],
    ['Name an end', ['--tenant', 'acme', '--role', 'admin', '--expires', '90']],
    ['Name a duration', ['--tenant', 'acme', '--role', 'admin', '--expires', '90y']],
    ['still to come', ['--tenant', 'acme', '--role', 'admin', '--expires', '2020-01-01T00:00:00Z']],
    ['Leave --expires out', ['--tenant', 'acme', '--role', 'admin', '--expires', '999999999d']],
    ['owner', ['--tenant', 'acme', '--role', 'owner']],
  ])('CLI22 tells of a wrong command line (%s) and makes nothing', async (message, flags) => {
    const before = await world.revision()
    const { code, out, err } = await world.run(['token', 'create', 'ci', ...flags])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(await world.revision()).toBe(before)
  })

  it('CLI22 tells of a tenant that is missing, a name that is taken or bad, and an API that is away', async () => {
    const create = (name: string, tenant: string) =>
      world.run(['token', 'create', name, '--tenant', tenant, '--role', 'admin'])
    const missing = await create('ci', 'nobody')
    expect([missing.code, missing.out]).toEqual([1, ''])
    expect(missing.err).toBe('Error: Find no tenant "nobody": apply it first, or name another\n')
    await create('ci', 'acme')
    const taken = await create('ci', 'acme')
    expect([taken.code, taken.out]).toEqual([1, ''])
    expect(taken.err).toContain('there is a token "ci"')
    const bad = await create('Not_A_Name', 'acme')
    expect([bad.code, bad.out]).toEqual([1, ''])
    const away = await runLine(['token', 'create', 'x', '--platform', '--data', folder.path])
    expect(away).toMatchObject({ code: 1, out: '' })
    expect(away.err).toContain('Find no kubeconfig')
  })
})

describe('token list and revoke', () => {
  it('CLI23 shows them as a table, without anything that lets in', async () => {
    await world.run(['token', 'create', 'ci', '-n', 'acme', '--role', 'member'])
    await world.run(['token', 'create', 'argocd', '--platform'])
    const one = await world.run(['token', 'list', '-n', 'acme'])
    expect(one.code).toBe(0)
    expect(one.out).toMatch(/^NAME +ROLE +USER +EXPIRES/)
    expect(one.out).toContain('member')
    expect(one.out).not.toContain('argocd')
    const all = await world.run(['token', 'list', '-A'])
    expect(all.out).toContain('argocd')
    expect(all.out).toContain('ci')
    const platform = await world.run(['token', 'list', '--platform', '-o', 'name'])
    expect(platform.out).toBe('accesstoken.sprites.highera.com/argocd\n')
    expect((await world.run(['token', 'list'])).code).toBe(2)
    expect((await world.run(['token', 'list', '--platform', '-n', 'acme'])).code).toBe(2)
  })

  it('CLI23 revokes one, and tells when there is none', async () => {
    await world.run(['token', 'create', 'ci', '-n', 'acme', '--role', 'member'])
    const { code, out } = await world.run(['token', 'revoke', 'ci', '-n', 'acme'])
    expect([code, out]).toEqual([0, 'accesstoken.sprites.highera.com/ci revoked\n'])
    await expect(stored('ci')).rejects.toMatchObject({ reason: 'NotFound' })
    const again = await world.run(['token', 'revoke', 'ci', '-n', 'acme'])
    expect([again.code, again.out]).toEqual([1, ''])
    expect(again.err).toContain('"ci" not found')
  })
})

describe('kubeconfig', () => {
  const CA = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
  const config = { server: 'https://127.0.0.1:8443', caCert: CA, token: 'sprt_admin' }
  const run = (args: readonly string[], stdin?: string) =>
    runLine(['kubeconfig', '--data', folder.path, ...args], stdin === undefined ? {} : { stdin })

  beforeEach(() => writeKubeconfig(join(folder.path, 'kubeconfig'), config))

  it('CLI24 tells the shell where it is, when nothing else is asked', async () => {
    const { code, out } = await run([])
    expect(code).toBe(0)
    expect(out).toBe(`# https://127.0.0.1:8443\nexport KUBECONFIG='${join(folder.path, 'kubeconfig')}'\n`)
    expect((await run(['--format', 'shell', '--name', 'x'])).code).toBe(2)
  })

  it('CLI24 prints one for another holder, namespace and name', async () => {
    const { code, out, err } = await run(
      ['--token-file', '-', '--user', 'ann', '--namespace', 'acme', '--name', 'fleet'],
      'sprt_other\n',
    )
    expect([code, err]).toEqual([0, ''])
    expect(parse(out)).toEqual({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'fleet',
      clusters: [
        {
          name: 'fleet',
          cluster: {
            server: 'https://127.0.0.1:8443',
            'certificate-authority-data': Buffer.from(CA).toString('base64'),
          },
        },
      ],
      contexts: [{ name: 'fleet', context: { cluster: 'fleet', user: 'ann', namespace: 'acme' } }],
      users: [{ name: 'ann', user: { token: 'sprt_other' } }],
    })
  })

  it('CLI24 prints the Secret by which Argo CD knows a cluster', async () => {
    const args = ['--format', 'argocd', '--server', 'https://fleet.example.com', '--name', 'fleet', '-n', 'acme']
    const { code, out, err } = await run(args)
    expect([code, err]).toEqual([0, ''])
    const secret = parse(out) as { stringData: { config: string } }
    expect(secret).toMatchObject({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'fleet', namespace: 'argocd', labels: { 'argocd.argoproj.io/secret-type': 'cluster' } },
      type: 'Opaque',
      stringData: { name: 'fleet', server: 'https://fleet.example.com', namespaces: 'acme', clusterResources: 'false' },
    })
    expect(JSON.parse(secret.stringData.config)).toEqual({
      bearerToken: 'sprt_admin',
      tlsClientConfig: { insecure: false, caData: Buffer.from(CA).toString('base64') },
    })
  })

  it('CLI24 prints the Secret by which Flux does, and warns of an address that only we reach', async () => {
    const { code, out, err } = await run(['--format', 'flux', '--name', 'fleet'])
    expect(code).toBe(0)
    expect(err).toContain('https://127.0.0.1:8443 is reached from this machine alone')
    const secret = parse(out) as { metadata: object; stringData: { value: string } }
    expect(secret.metadata).toEqual({ name: 'fleet', namespace: 'flux-system' })
    expect(parse(secret.stringData.value)).toMatchObject({ users: [{ user: { token: 'sprt_admin' } }] })
  })

  it('CLI24 tells of a token file that is none, and of wrong flags', async () => {
    expect((await run(['--token-file', join(folder.path, 'none')])).err).toContain('(ENOENT)')
    expect((await run(['--token-file', '-'], 'two words')).err).toContain('Find no token')
    expect((await run(['--token-file', '-'], '')).code).toBe(1)
    expect((await run(['--token-file', '-', '--token', 'x'], 'y')).code).toBe(2)
    expect((await run(['--format', 'flux', '--name', 'Not A Name'])).code).toBe(2)
    expect((await run(['--format', 'helm'])).code).toBe(2)
    await rm(join(folder.path, 'kubeconfig'))
    expect((await run([])).code).toBe(1)
    expect((await run(['--format', 'flux'])).err).toContain('Find no kubeconfig')
  })
})

describe('audit verify', () => {
  const write = (count: number): void => {
    const log = openAuditLog({
      path: join(folder.path, 'audit.log'),
      fileBytesMax: 2_000,
      filesKept: 5,
      clock: new TestClock(),
      entropy: seededEntropy(1),
      log: silentLog,
      metrics: createMetrics(),
    })
    const url = new URL('http://server.invalid/x')
    for (let index = 0; index < count; index++)
      log.write(
        auditEventOf({
          auditId: `e${index}`,
          method: 'POST',
          url,
          verb: 'create',
          code: 201,
          endedAtMs: 0,
          durationMs: 0,
        }),
      )
    log.close()
  }
  const run = (...args: readonly string[]) => runLine(['audit', 'verify', '--data', folder.path, ...args])

  it('CLI25 follows the chain through all files of the data folder', async () => {
    write(9)
    const { code, out } = await run()
    expect(code).toBe(0)
    expect(out).toMatch(/^9 lines, each follows the one before\nlast [0-9a-f]{64}\n$/)
    expect(JSON.parse((await run('-o', 'json')).out)).toMatchObject({ lines: 9, isFromStart: true })
  })

  it('CLI25 tells where it breaks, with exit code 1', async () => {
    write(3)
    const path = join(folder.path, 'audit.log')
    await writeFile(path, (await readFile(path, 'utf8')).replace('"auditID":"e1"', '"auditID":"e9"'))
    const { code, out, err } = await run()
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(`Error: ${path}:2: it was changed, or is no line of the log\n`)
  })

  it('CLI25 finds a hash that was noted, and misses one that was cut', async () => {
    write(2)
    const last = /last (\w+)/.exec((await run()).out)?.[1] ?? ''
    write(2)
    expect((await run('--expect', last)).code).toBe(0)
    const { code, err } = await run('--expect', 'f'.repeat(64))
    expect(code).toBe(1)
    expect(err).toContain('Find no line with the hash')
    expect((await run('--expect', 'f')).code).toBe(2)
  })

  it('CLI25 tells of a log that is not there', async () => {
    expect((await run()).err).toContain('Find no audit log')
    expect((await run(join(folder.path, 'none'))).err).toContain('(ENOENT)')
    expect((await run()).code).toBe(1)
  })
})

describe('completion', () => {
  it('CLI20 knows the commands for tokens and the audit log', async () => {
    const propose = async (...words: readonly string[]) => (await runLine(['__complete', ...words])).out.split('\n')
    expect(await propose('')).toEqual(expect.arrayContaining(['token', 'audit', 'kubeconfig']))
    expect(await propose('token', '')).toEqual(expect.arrayContaining(['create', 'list', 'revoke']))
    expect(await propose('token', 'create', 'x', '--ro')).toContain('--role')
    expect(await propose('token', 'create', 'x', '--role', '')).toContain('viewer')
    expect(await propose('kubeconfig', '--format', '')).toEqual(expect.arrayContaining(['argocd', 'flux']))
  })
})
