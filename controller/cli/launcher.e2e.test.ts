/** Tests of bin/*.mjs as real processes: installing, locking, signals, exit codes, and failures of `up` in one line. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from './version.ts'

let clone: string
let isInstalledBefore: () => Promise<void>

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), 'clone-'))
  await cp(join(packageRoot, 'bin'), join(clone, 'bin'), { recursive: true })
  await writeFile(join(clone, 'package.json'), '{"version": "0.0.0"}')
  const lock = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/b': { version: '1.0.0', optional: true },
    },
  }
  await writeFile(join(clone, 'package-lock.json'), JSON.stringify(lock))
  isInstalledBefore = async () => {
    await mkdir(join(clone, 'node_modules'), { recursive: true })
    await writeFile(join(clone, 'node_modules', '.package-lock.json'), JSON.stringify(lock))
  }
})
afterEach(() => rm(clone, { recursive: true, force: true }))

type Ended = { readonly code: number | null; readonly out: string; readonly err: string }

/** Starts the launcher of the clone on a file with this text. */
function start(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly node?: string; readonly cwd?: string } = {},
) {
  const child = spawn(options.node ?? process.execPath, args, {
    cwd: options.cwd ?? clone,
    env: { PATH: process.env['PATH'] ?? '', HOME: clone, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const ended: Promise<Ended> = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  const saysReady = async (): Promise<void> => {
    while (!out.includes('ready')) await once(child.stdout, 'data')
  }
  return { child, ended, saysReady }
}

const launch = async (text: string, args: readonly string[] = [], options?: Parameters<typeof start>[1]) => {
  await writeFile(join(clone, 'run.mjs'), text)
  return start([join(clone, 'bin', 'launch.mjs'), 'run.mjs', ...args], options)
}

/** An npm that notes that it ran, takes its time, and does what is asked. */
async function fakeNpm(does: string): Promise<Readonly<Record<string, string>>> {
  const file = join(clone, 'npm-cli.js')
  await writeFile(
    file,
    `const { appendFileSync, mkdirSync, copyFileSync } = require('node:fs')
appendFileSync('npm-ran.txt', process.argv.slice(2).join(' ') + '\\n')
const done = () => { mkdirSync('node_modules', { recursive: true }); copyFileSync('package-lock.json', 'node_modules/.package-lock.json') }
${does}`,
  )
  return { npm_execpath: file }
}

const npmRuns = (): string[] =>
  existsSync(join(clone, 'npm-ran.txt')) ? readFileSync(join(clone, 'npm-ran.txt'), 'utf8').trimEnd().split('\n') : []

describe('launch.mjs', () => {
  it('CLI19 passes arguments on and ends with the exit code of the child', async () => {
    await isInstalledBefore()
    const { ended } = await launch('console.log(process.argv.slice(2).join()); process.exit(7)', ['--a', 'b'])
    expect(await ended).toEqual({ code: 7, out: '--a,b\n', err: '' })
  })

  it('CLI19 ends with 128 + the signal that killed the child', async () => {
    await isInstalledBefore()
    const { ended } = await launch("process.kill(process.pid, 'SIGKILL')")
    expect((await ended).code).toBe(137)
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('CLI19 passes %s on and waits for the child', async (signal) => {
    await isInstalledBefore()
    const { child, ended, saysReady } = await launch(
      `process.on('${signal}', () => { console.log('got ${signal}'); setTimeout(() => process.exit(3), 50) })
       setInterval(() => {}, 1000); console.log('ready')`,
    )
    await saysReady()
    child.kill(signal)
    expect(await ended).toEqual({ code: 3, out: `ready\ngot ${signal}\n`, err: '' })
  })

  it('CLI19 installs what is missing, once also when two start together', async () => {
    const env = await fakeNpm('setTimeout(done, 600)')
    const first = await launch('console.log("ran")', [], { env })
    const second = await launch('console.log("ran")', [], { env })
    const both = [await first.ended, await second.ended]
    expect(both.map(({ code, out }) => [code, out])).toEqual([
      [0, 'ran\n'],
      [0, 'ran\n'],
    ])
    expect(npmRuns()).toEqual(['ci --include=dev --no-audit --no-fund --loglevel=error'])
    expect(both.map(({ err }) => err).toSorted()).toEqual([
      'Another process installs the dependencies: waiting for it …\n',
      expect.stringContaining('Installing dependencies (npm ci), once'),
    ])
    expect(await readdir(clone)).not.toContain('.install-lock')
  })

  it('CLI19 installs nothing when only the time of the lockfile moved', async () => {
    const env = await fakeNpm('done()')
    await isInstalledBefore()
    await utimes(join(clone, 'package-lock.json'), new Date(), new Date(Date.now() + 60_000))
    expect((await (await launch('', [], { env })).ended).code).toBe(0)
    expect(npmRuns()).toEqual([])
  })

  it('CLI19 installs anew when the lockfile says something else', async () => {
    const env = await fakeNpm('done()')
    await isInstalledBefore()
    await writeFile(join(clone, 'package-lock.json'), '{"packages": {"node_modules/a": {"version": "2.0.0"}}}')
    await utimes(join(clone, 'package-lock.json'), new Date(), new Date(Date.now() + 60_000))
    await (
      await launch('', [], { env })
    ).ended
    expect(npmRuns()).toHaveLength(1)
  })

  it('CLI19 says in one line why installing failed, and leaves no lock', async () => {
    const env = await fakeNpm("console.error('npm error code E404\\nnpm error 404 Not Found - GET a'); process.exit(1)")
    const { code, out, err } = await (await launch('console.log("ran")', [], { env })).ended
    expect([code, out]).toEqual([1, ''])
    expect(err.split('\n')).toEqual([
      expect.stringContaining('Installing dependencies'),
      'Cannot install dependencies: 404 Not Found - GET a; run "npm ci" to see all of it',
      '',
    ])
    expect(await readdir(clone)).not.toContain('.install-lock')
  })

  it('CLI19 takes over the lock of a process that was killed', async () => {
    const env = await fakeNpm('done()')
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    await mkdir(join(clone, '.install-lock'))
    await writeFile(join(clone, '.install-lock', `owner-${dead}`), '')
    expect((await (await launch('', [], { env })).ended).code).toBe(0)
    expect(npmRuns()).toHaveLength(1)
    expect(await readdir(clone)).not.toContain('.install-lock')
  })

  it('CLI19 goes from an older Node to the one in node_modules', async ({ skip }) => {
    const found = spawnSync('node', ['-v'], { encoding: 'utf8', env: { PATH: '/usr/local/bin:/usr/bin:/bin' } })
    if (!/^v2[0-3]\./.test(found.stdout ?? '')) skip('needs a Node from 20 to 23 on the PATH')
    const system = spawnSync('sh', ['-c', 'command -v node'], {
      encoding: 'utf8',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    }).stdout.trim()
    const ran = spawnSync(system, [join(packageRoot, 'bin', 'spritectl.mjs'), '--version'], { encoding: 'utf8' })
    expect([ran.status, ran.stdout.trim(), ran.stderr]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+$/), ''])
  })
})

describe('spritectl.mjs', () => {
  it('CLI19 of an installed package installs nothing, and says when it is incomplete', async () => {
    await rm(join(clone, 'package-lock.json'))
    const { ended } = start([join(clone, 'bin', 'spritectl.mjs'), 'version'])
    const { code, err } = await ended
    expect(code).toBe(1)
    expect(err).toMatch(/^Cannot find ".*dist\/controller\/spritectl\.mjs": install the package anew.*\n$/)
  })

  it('CLI19 of an installed package runs its bundle', async () => {
    await rm(join(clone, 'package-lock.json'))
    await mkdir(join(clone, 'dist', 'controller'), { recursive: true })
    await writeFile(join(clone, 'dist', 'controller', 'spritectl.mjs'), 'console.log(process.argv.slice(2).join())')
    expect(await start([join(clone, 'bin', 'spritectl.mjs'), 'get', 'x']).ended).toEqual({
      code: 0,
      out: 'get,x\n',
      err: '',
    })
  })
})

/** Runs `up` of the real package in a data folder of its own. */
const up = (args: readonly string[]) =>
  start([join(packageRoot, 'bin', 'launch.mjs'), 'controller/cli/main.ts', 'up', '--log-level', 'silent', ...args], {
    cwd: packageRoot,
  })

const FREE = ['--port', '0', '--http-port', '0']

describe('up', () => {
  it('CLI2 says who has the port, and offers the flag', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const { code, err } = await up(['--data', join(clone, 'data'), '--port', String(port), '--http-port', '0']).ended
    holder.close()
    expect(code).toBe(1)
    const by = process.platform === 'linux' ? `process ${process.pid} \\(.+\\)` : '.+'
    expect(err).toMatch(
      new RegExp(`^Error: Port ${port} is taken by ${by}: choose another with --port, 0 takes a free one\\n$`),
    )
  })

  it('CLI2 says that the data folder cannot be written', async () => {
    await writeFile(join(clone, 'file'), '')
    const { code, err } = await up(['--data', join(clone, 'file', 'data'), ...FREE]).ended
    expect(code).toBe(1)
    expect(err).toMatch(
      /^Error: Cannot write to the data folder ".*file\/data" \(ENOTDIR\): choose another with --data.*\n$/,
    )
  })

  it('CLI2 says that the store is damaged, and does not touch it', async () => {
    await mkdir(join(clone, 'data'))
    const file = join(clone, 'data', 'control-plane.db')
    await writeFile(file, 'not a database'.repeat(100))
    const { code, err } = await up(['--data', join(clone, 'data'), ...FREE]).ended
    expect([code, err.trimEnd().split('\n')]).toEqual([1, [expect.stringMatching(/^Error: .*control-plane\.db/)]])
    expect(readFileSync(file, 'utf8')).toBe('not a database'.repeat(100))
  })

  it('CLI21 runs examples/ to the end: every deliverable, who waits and why, exit 0', async () => {
    const args = ['--apply', 'examples', '--exit-when-done', '--data', join(clone, 'data')]
    const { code, out, err } = await up([...args, ...FREE]).ended
    expect([code, err]).toEqual([0, ''])
    const chain = ['director → strategist', 'strategist → copywriter', 'copywriter → editor']
    for (const handOff of chain) expect(out).toContain(`acme-corp hand-off ${handOff}: `)
    expect(out).toContain('startup-xyz hand-off copywriter → editor: ')
    expect(out).toMatch(/^acme-corp: 4 of 4 tasks done, [\d,]+ of 5,000,000 tokens used this month$/m)
    expect(out.match(/^ {2}✓ \S+ by the \S+ \(rehearsal\): “[^#>].*$/gm)?.length).toBeGreaterThanOrEqual(6)
    expect(out).toMatch(
      /^ {2}… blog-social: Waits for a slot at position 1: 2 of 2 run \(blog-copywriter, blog-editor\)$/m,
    )
  })

  it('CLI19 killed with -9, it leaves no spritectl behind', async () => {
    const args = [join(packageRoot, 'bin', 'spritectl.mjs'), 'fly-emulator', '--port', '0', '-o', 'json']
    const { child, ended } = start(args)
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    // Its output is shared: it closes when the last of both has ended.
    expect((await ended).err).toBe('')
  })

  it('CLI2 says that another control plane uses the data folder; SIGTERM stops one in order', async () => {
    const data = join(clone, 'data')
    const first = up(['--data', data, ...FREE])
    let out = ''
    first.child.stdout.on('data', (text: string) => (out += text))
    while (!out.includes('The control plane is up')) await once(first.child.stdout, 'data')
    const second = await up(['--data', data, ...FREE]).ended
    first.child.kill('SIGTERM')
    const { code, err } = await first.ended
    expect([second.code, second.err.trimEnd().split('\n')]).toEqual([
      1,
      [expect.stringMatching(/^Error: Cannot use the data folder .*another process uses it.*--data/)],
    ])
    expect([code, err]).toEqual([0, 'Stopping: sprites give their work back …\n'])
  })
})
