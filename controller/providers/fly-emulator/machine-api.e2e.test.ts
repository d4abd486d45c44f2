/** The emulator alone, as a person starts it: its machines are processes that reach their own API, are frozen, and end with it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { packageRoot } from '../../cli/version.ts'
import { startedAt } from './process-table.ts'

/** Writes its own metadata, and asks who it is, through its socket. */
const WORKER = `
import { request } from 'node:http'
const ask = (method, path, body) => new Promise((resolve, reject) => {
  const asked = request({ socketPath: process.env.FLY_API_SOCKET, method, path }, (reply) => {
    let text = ''
    reply.on('data', (chunk) => (text += chunk))
    reply.on('end', () => resolve(text))
  })
  asked.on('error', reject)
  asked.end(JSON.stringify(body))
})
const token = await ask('POST', '/v1/tokens/oidc', { aud: 'me' })
const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
const self = '/v1/apps/' + process.env.FLY_APP_NAME + '/machines/' + process.env.FLY_MACHINE_ID
await ask('POST', self + '/metadata/sub', { value: sub })
setInterval(() => {}, 1000)
`

type Place = { readonly url: string; readonly token: string; readonly controlToken: string }
type Row = { readonly state: string; readonly config: { readonly metadata: Readonly<Record<string, string>> } }

describe('the emulator alone', () => {
  let folder = ''
  let cli: ChildProcess | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fly-'))
    writeFileSync(join(folder, 'worker.mjs'), WORKER)
  })
  afterEach(() => {
    cli?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it('FR9 a machine writes its own metadata and proves who it is through its socket, freezes, and ends with SIGTERM', async () => {
    const run = `exec "${process.execPath}" "${join(folder, 'worker.mjs')}"`
    const args = ['fly-emulator', '--port', '0', '-o', 'json', '--data', join(folder, 'd'), '--run', run]
    cli = spawn(process.execPath, [join(packageRoot, 'controller/cli/main.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(cli.stdout as NonNullable<typeof cli.stdout> /* It is piped. */, 'data')) as [Buffer]
    const place = JSON.parse(line.toString()) as Place
    const ask = async (method: string, path: string, body?: object): Promise<Response> =>
      fetch(`${place.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${place.token}` },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
    await ask('POST', '/v1/apps', { name: 'a1', org_slug: 'personal' })
    const made = await ask('POST', '/v1/apps/a1/machines', { name: 'm', config: { image: 'x' } })
    const { id } = (await made.json()) as { id: string }
    const path = `/v1/apps/a1/machines/${id}`
    const row = async (): Promise<Row> => (await (await ask('GET', path)).json()) as Row
    await vi.waitFor(async () => expect((await row()).config.metadata).toEqual({ sub: 'personal:a1:m' }), {
      timeout: 20_000,
      interval: 300,
    })
    const [{ pid = 0 } = {}] = (await (await ask('GET', `${path}/ps`)).json()) as { pid?: number }[]
    expect(startedAt(pid)).toBeDefined()
    await ask('POST', `${path}/suspend`)
    await vi.waitFor(() => expect(processState(pid)).toBe('T'), { timeout: 5_000, interval: 20 })
    cli.kill('SIGTERM')
    const [code] = (await once(cli, 'exit')) as [number | null]
    expect(code).toBe(0)
    expect(startedAt(pid)).toBeUndefined()
  })
})

/** The letter of a process's state. */
const processState = (pid: number): string | undefined =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.charAt(0)
