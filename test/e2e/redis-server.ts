/** A real redis-server of its own for tests: on a free port, in a temp folder; can be killed, frozen, restarted, flushed. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { realClock } from '../../system/clock.ts'

/** Whether redis-server is on the PATH; tests skip, and say so, where it is not. */
export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0

/** Between two looks at whether the server answers, in ms. */
const LOOK_MS = 10
const READY_TIMEOUT_MS = 15_000
/** Another process may take the free port between the look and the start. */
const PORTS_TRIED_MAX = 5

/** One redis-server. Its port and folder stay the same over `kill` and `start`. */
export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #args: readonly string[]
  #child: ChildProcess | undefined
  #output = ''
  #admin: Redis | undefined

  private constructor(port: number, folder: string, args: readonly string[]) {
    this.port = port
    this.#folder = folder
    this.#args = args
  }

  /**
   * Starts one with nothing stored and without persistence, unless `args` (as on the command line of redis-server, such
   * as `--appendonly yes`) ask for it. Rejects when it does not answer.
   */
  static async start(args: readonly string[] = []): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const folder = await mkdtemp(join(tmpdir(), 'redis-'))
      const server = new RedisServer(await freePort(), folder, args)
      try {
        await server.start()
        return server
      } catch (error) {
        await server.destroy()
        if (tries >= PORTS_TRIED_MAX) throw error
      }
    }
  }

  /** URL of the default user, without a password. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get output(): string {
    return this.#output
  }

  /** A client for what a test does behind the backs of those that it tests; closed by `destroy`. Connects by itself. */
  get admin(): Redis {
    this.#admin ??= quietClient(this.port)
    return this.#admin
  }

  /** Starts the process again on the same port and folder; does nothing while one runs. `extra` arguments come last. */
  async start(extra: readonly string[] = []): Promise<void> {
    if (this.#child !== undefined) return
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '']
    const child = spawn('redis-server', [...own, ...this.#args, ...extra], { stdio: ['ignore', 'pipe', 'pipe'] })
    const take = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-20_000)
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    this.#child = child
    const deadline = realClock.monotonic() + READY_TIMEOUT_MS
    while (!(await answersPing(this.port))) {
      if (child.exitCode !== null || realClock.monotonic() > deadline) {
        await this.kill()
        throw new Error(`Look at the output of redis-server: it does not answer\n${this.#output.slice(-2_000)}`)
      }
      await realClock.sleep(LOOK_MS)
    }
  }

  /** kill -9; what was not persisted is lost. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM, as an orderly restart would. */
  async stop(): Promise<void> {
    this.resume()
    await this.#end('SIGTERM')
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** SIGSTOP: connections stay open and nobody answers. */
  freeze(): void {
    this.#child?.kill('SIGSTOP')
  }

  /** SIGCONT after `freeze`. */
  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** FLUSHALL and SCRIPT FLUSH: keys and scripts are gone; users and connections stay. */
  async flush(): Promise<void> {
    await this.admin.flushall()
    await this.admin.script('FLUSH')
  }

  /** kill -9 and a start with nothing stored: keys, scripts and users are gone. Not for servers that persist. */
  async restartEmpty(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** Ends the process and removes its folder. */
  async destroy(): Promise<void> {
    this.#admin?.disconnect()
    this.#admin = undefined
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

function quietClient(port: number): Redis {
  const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: null, retryStrategy: () => 20 })
  client.on('error', () => {}) // a test kills the server on purpose
  return client
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // an IP listener has one
  server.close()
  await once(server, 'close')
  return port
}

/** Whether a server there answers PING, with PONG or with a refusal such as NOAUTH; LOADING counts as no. */
async function answersPing(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [reply] = (await once(socket, 'data')) as [Buffer] // no encoding is set
    return /^\+PONG|^-NO/.test(reply.toString())
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
