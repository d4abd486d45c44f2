/** A real control plane in a process of its own, for end-to-end tests: started, asked, killed and started again. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readKubeconfig } from '../../controller/server/kubeconfig.ts'
import { realClock } from '../../system/clock.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Between two looks of `until`, in ms. */
const LOOK_MS = 20

export type SpriteProcess = { readonly pid: number; readonly tenant: string; readonly sprite: string }

/** One data folder and the process, if any, that serves it. */
export class Plane {
  readonly folder: string
  #child: ChildProcess | undefined
  #output = ''
  #agent = new Agent({ keepAlive: true })

  readonly #command: 'up' | 'serve'

  private constructor(folder: string, command: 'up' | 'serve') {
    this.folder = folder
    this.#command = command
  }

  /** A plane with an empty data folder; nothing runs yet. */
  static async create(command: 'up' | 'serve' = 'up'): Promise<Plane> {
    return new Plane(await mkdtemp(join(tmpdir(), 'plane-')), command)
  }

  /** The process that serves it; undefined when none does. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Sends the process a signal, such as SIGSTOP. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  get output(): string {
    return this.#output
  }

  /** Starts the process and waits until it is ready. */
  async start(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = this.launch(args, env)
    await this.until('the API to be ready', async () => {
      if (child.exitCode !== null)
        throw new ExitedError(`The control plane ended with ${child.exitCode}\n${this.#output}`)
      return (await this.status('/readyz')) === 200
    })
  }

  /** Starts the process and returns at once. */
  launch(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const ports = args.includes('--port') ? [] : ['--port', '0', '--http-port', '0']
    const command = [this.#command, '--data', this.folder, ...ports, ...args]
    const child = spawn(process.execPath, ['controller/cli/main.ts', ...command], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '', HOME: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const take = (chunk: Buffer): void => {
      this.#output += chunk.toString()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    this.#child = child
    return child
  }

  /** kill -9 of the control plane alone; its sprites live on. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    this.#forget()
  }

  /** SIGTERM; gives the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
    this.#forget()
    return child.exitCode
  }

  #forget(): void {
    this.#child = undefined
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true })
  }

  /** Ends everything of this folder, sprites too, and removes it. */
  async destroy(): Promise<void> {
    await this.stop()
    for (const { pid } of await this.sprites()) killQuietly(pid)
    await rm(this.folder, { recursive: true, force: true })
  }

  /** GET as JSON; rejects for anything but 2xx. */
  async get<T>(path: string): Promise<T> {
    const { status, text } = await this.ask('GET', path)
    if (status < 200 || status > 299) throw new Error(`GET ${path}: ${status} ${text.slice(0, 300)}`)
    return JSON.parse(text) as T // the test knows what it asks for
  }

  /** The items of a list of one of our kinds, in all namespaces. */
  async list<T>(plural: string): Promise<readonly T[]> {
    return (await this.get<{ items: T[] }>(`/apis/sprites.highera.com/v1alpha1/${plural}`)).items
  }

  async post(path: string, body: object): Promise<void> {
    const { status, text } = await this.ask('POST', path, body)
    if (status < 200 || status > 299) throw new Error(`POST ${path}: ${status} ${text.slice(0, 500)}`)
  }

  /** The status of a GET; 0 while nobody answers. */
  async status(path: string): Promise<number> {
    return await this.ask('GET', path).then(
      (reply) => reply.status,
      () => 0,
    )
  }

  async ask(
    method: string,
    path: string,
    body?: object,
    contentType = 'application/json',
  ): Promise<{ status: number; text: string }> {
    const { server, token, caCert } = await readKubeconfig(join(this.folder, 'kubeconfig'))
    const sentText = body === undefined ? '' : JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': contentType,
      // Without it Node sends the body of a DELETE as if it were the next request.
      'content-length': Buffer.byteLength(sentText),
    }
    return await new Promise((resolve, reject) => {
      const sent = request(new URL(path, server), { method, headers, ca: caCert, agent: this.#agent }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(sentText)
    })
  }

  /** Looks until it holds; rejects with what was awaited and the process's output when it never does. */
  async until(what: string, holds: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    const deadline = realClock.monotonic() + timeoutMs
    for (;;) {
      const isSo = await holds().catch((error: unknown) => {
        if (error instanceof ExitedError) throw error
        return false
      })
      if (isSo) return
      if (realClock.monotonic() > deadline) throw new Error(`Waited in vain for ${what}\n${this.#output.slice(-4_000)}`)
      await realClock.sleep(LOOK_MS)
    }
  }

  /** Processes that run as sprites of this data folder, seen from the outside. */
  async sprites(): Promise<readonly SpriteProcess[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
    const found = await Promise.all(pids.map((pid) => this.#spriteOf(Number(pid))))
    return found.filter((one) => one !== undefined)
  }

  async #spriteOf(pid: number): Promise<SpriteProcess | undefined> {
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
    const environment = await read('environ')
    if (!environment.includes(this.folder) || !environment.includes('SPRITE_NAME=')) return undefined
    if ((await read('stat')).split(') ')[1]?.startsWith('Z') !== false) return undefined
    const value = (name: string): string => new RegExp(`(?:^|\\0)${name}=([^\\0]*)`).exec(environment)?.[1] ?? ''
    return { pid, tenant: value('SPRITE_TENANT'), sprite: value('SPRITE_NAME') }
  }
}

/** The process is gone while something was awaited of it. */
class ExitedError extends Error {
  override readonly name = 'ExitedError'
}

/** kill -9 of a process that may be gone. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone already.
  }
}
