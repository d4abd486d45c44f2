/** A production shape on one machine, for tests that break it: several control planes, Firestore, Redis and Fly emulated. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Transition } from '../../controller/providers/fly-emulator/world.ts'
import { startFirestoreEmulator, type FirestoreEmulator } from './firestore-emulator.ts'
import { Plane } from './plane.ts'
import { RedisServer } from './redis-server.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HOST = '127.0.0.1'
const IDENTITY = { CONTROL_PLANE_ID: 'cp-0123456789ab', MASTER_KEY: '5a'.repeat(32) }

/** What several control planes share, and the control planes. */
export class Fleet {
  readonly firestore: FirestoreEmulator
  readonly redis: RedisServer
  readonly planes: Plane[] = []
  readonly #fly: FlyProcess
  readonly #door: Door
  readonly #project: string

  private constructor(parts: { firestore: FirestoreEmulator; redis: RedisServer; fly: FlyProcess; door: Door }) {
    this.firestore = parts.firestore
    this.redis = parts.redis
    this.#fly = parts.fly
    this.#door = parts.door
    this.#project = parts.firestore.project()
  }

  /** Starts everything but control planes. */
  static async create(): Promise<Fleet> {
    const [firestore, redis, fly, door] = await Promise.all([
      startFirestoreEmulator(),
      RedisServer.start(),
      startFly(),
      openDoor(),
    ])
    return new Fleet({ firestore, redis, fly, door })
  }

  /** The settings that every control plane of the fleet gets. */
  get environment(): Readonly<Record<string, string>> {
    return {
      ...IDENTITY,
      STORE: 'firestore',
      FIRESTORE_PROJECT: this.#project,
      FIRESTORE_EMULATOR_HOST: this.firestore.host,
      METADATA_SERVER_DETECTION: 'none',
      REDIS_URL: this.redis.url,
      FLY_API_TOKEN: this.#fly.token,
      FLY_FLAPS_BASE_URL: this.#fly.url,
      COORDINATOR_URL: `http://${HOST}:${this.#door.port}`,
    }
  }

  /** Starts one more control plane and waits until it is ready. */
  async add(args: readonly string[] = []): Promise<Plane> {
    const plane = await Plane.create('serve')
    this.planes.push(plane)
    await this.start(plane, args)
    return plane
  }

  /** Starts a control plane of the fleet, again. */
  async start(plane: Plane, args: readonly string[] = []): Promise<void> {
    await plane.start(args, this.environment)
    this.#door.admit(plane, portIn(plane.output))
  }

  /** kill -9 of one; sprites reach the others. */
  async kill(plane: Plane): Promise<void> {
    this.#door.dismiss(plane)
    await plane.kill()
  }

  /** Every change of every machine so far, in order. */
  async transitions(): Promise<readonly Transition[]> {
    const response = await fetch(`${this.#fly.url}/_emulator/transitions`, {
      headers: { authorization: `Bearer ${this.#fly.controlToken}` },
    })
    const { transitions } = (await response.json()) as { transitions: readonly Transition[] }
    return transitions
  }

  /** Ends all of it; nothing is left running. */
  async destroy(): Promise<void> {
    await Promise.all(this.planes.map((plane) => plane.destroy()))
    await Promise.all([this.#fly.stop(), this.redis.destroy(), this.firestore.stop(), this.#door.close()])
  }
}

/** Where the last start of a control plane listens for sprites. */
function portIn(output: string): number {
  const urls = [...output.matchAll(/"httpUrl":"http:\/\/[^":]+:(\d+)"/g)]
  return Number(urls.at(-1)?.[1] ?? 0)
}

type FlyProcess = {
  readonly url: string
  readonly token: string
  readonly controlToken: string
  readonly stop: () => Promise<void>
}

/** The emulator of Fly in a process of its own, whose machines are real sprites. */
async function startFly(): Promise<FlyProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'fly-'))
  const sprite = `exec ${process.execPath} --disable-warning=ExperimentalWarning sprite/main.ts`
  const args = ['fly-emulator', '--port', '0', '--data', folder, '--run', sprite, '--no-rate-limits', '-o', 'json']
  const child = spawn(process.execPath, ['controller/cli/main.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await firstLine(child)
  const found = JSON.parse(line) as { url: string; token: string; controlToken: string }
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
    await rm(folder, { recursive: true, force: true })
  }
  return { ...found, stop }
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.includes('\n')) return text
  }
  throw new Error('The emulator of Fly ended before it said where it is')
}

type Door = {
  readonly port: number
  readonly admit: (plane: Plane, port: number) => void
  readonly dismiss: (plane: Plane) => void
  readonly close: () => Promise<void>
}

/** One address for all Coordinators, as a load balancer has it: each connection goes to the next that is there. */
async function openDoor(): Promise<Door> {
  const behind = new Map<Plane, number>()
  const sockets = new Set<Socket>()
  let turn = 0
  const server: Server = createServer((near) => {
    const ports = [...behind.values()]
    const port = ports[turn++ % Math.max(1, ports.length)]
    if (port === undefined) {
      near.destroy()
      return
    }
    const far = connect(port, HOST)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  return {
    // A TCP listener's address is always of this form.
    port: (server.address() as AddressInfo).port,
    admit: (plane, port) => void behind.set(plane, port),
    dismiss: (plane) => void behind.delete(plane),
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
