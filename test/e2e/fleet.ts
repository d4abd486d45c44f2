/** A production shape on one machine, for tests that break it: several control planes, Firestore, Redis and Fly emulated. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Transition } from '../../controller/providers/fly-emulator/world.ts'
import { realClock } from '../../system/clock.ts'
import { startFirestoreEmulator, type FirestoreEmulator } from './firestore-emulator.ts'
import { Plane } from './plane.ts'
import { RedisServer } from './redis-server.ts'
import { WallClock } from './wall-clock.ts'
import { layWire, type Wire } from './wire.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HOST = '127.0.0.1'
const IDENTITY = { CONTROL_PLANE_ID: 'cp-0123456789ab', MASTER_KEY: '5a'.repeat(32) }

/** One control plane's own way to each server that all share: so each can be cut off alone, and told from the others. */
export type Wires = { readonly store: Wire; readonly redis: Wire; readonly fly: Wire }

/** What several control planes share, and the control planes. */
export class Fleet {
  readonly firestore: FirestoreEmulator
  readonly redis: RedisServer
  readonly planes: Plane[] = []
  readonly #wires = new Map<Plane, Wires>()
  readonly #clocks = new Map<Plane, WallClock>()
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

  /** The settings that a control plane of the fleet gets: the same for all but for the ways to the servers. */
  #environment({ store, redis, fly }: Wires): Readonly<Record<string, string>> {
    return {
      ...IDENTITY,
      STORE: 'firestore',
      FIRESTORE_PROJECT: this.#project,
      FIRESTORE_EMULATOR_HOST: `${HOST}:${store.port}`,
      METADATA_SERVER_DETECTION: 'none',
      REDIS_URL: `redis://${HOST}:${redis.port}`,
      FLY_API_TOKEN: this.#fly.token,
      FLY_FLAPS_BASE_URL: `http://${HOST}:${fly.port}`,
      COORDINATOR_URL: `http://${HOST}:${this.#door.port}`,
    }
  }

  /** The ways of one control plane. */
  wires(plane: Plane): Wires {
    const wires = this.#wires.get(plane)
    if (wires === undefined) throw new Error('This control plane is not one of the fleet')
    return wires
  }

  /** Sets the wall clock of one control plane, in seconds ahead. */
  setClock(plane: Plane, aheadSeconds: number): void {
    this.#clocks.get(plane)?.set(aheadSeconds)
  }

  /** Starts one more control plane and waits until it is ready. */
  async add(args: readonly string[] = []): Promise<Plane> {
    const plane = await Plane.create('serve')
    this.#clocks.set(plane, new WallClock(plane.folder))
    this.planes.push(plane)
    const ports = [this.firestore.port, this.redis.port, Number(new URL(this.#fly.url).port)]
    const [store, redis, fly] = await Promise.all(ports.map(layWire))
    if (store === undefined || redis === undefined || fly === undefined) throw new Error('Three ports have three wires')
    this.#wires.set(plane, { store, redis, fly })
    await this.start(plane, args)
    return plane
  }

  /** Starts a control plane of the fleet, again. */
  async start(plane: Plane, args: readonly string[] = []): Promise<void> {
    const said = portsIn(plane.output).length
    const clock = this.#clocks.get(plane)?.environment
    await plane.start(args, { ...this.#environment(this.wires(plane)), ...clock })
    // Ready a moment before it says where it listens.
    await plane.until('the port for sprites', () => Promise.resolve(portsIn(plane.output).length > said))
    const port = portsIn(plane.output).at(-1) ?? 0
    if (!args.includes('--roles') || args.some((arg) => arg.split(',').includes('coordinator')))
      this.#door.admit(plane, port)
  }

  /** Where a control plane listens for sprites and apps. */
  httpUrl(plane: Plane): string {
    return `http://${HOST}:${portsIn(plane.output).at(-1) ?? 0}`
  }

  /** kill -9 of one; sprites reach the others. */
  async kill(plane: Plane): Promise<void> {
    this.#door.dismiss(plane)
    await plane.kill()
  }

  /** SIGTERM of one, while sprites still reach it; how long it took, in ms, and its exit code. */
  async stop(plane: Plane): Promise<{ readonly tookMs: number; readonly code: number | null }> {
    const startedMs = realClock.monotonic()
    const code = await plane.stop()
    this.#door.dismiss(plane)
    return { tookMs: realClock.monotonic() - startedMs, code }
  }

  /** Every change of every machine so far (at most 10,000), in order. */
  async transitions(): Promise<readonly Transition[]> {
    return (await this.#control<{ transitions: readonly Transition[] }>('GET', 'transitions')).transitions
  }

  /** Ends the processes of all machines, as an error in their image would. Gives how many. */
  async crashMachines(): Promise<number> {
    const { machines } = await this.#control<{ machines: readonly MachineRow[] }>('GET', 'machines')
    const running = machines.filter((machine) => machine.has_process)
    for (const { id } of running) await this.#control('POST', `machines/${id}/exit`, { code: 1 }).catch(() => {})
    return running.length
  }

  async #control<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#fly.url}/_emulator/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#fly.controlToken}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`)
    return (text === '' ? undefined : JSON.parse(text)) as T // the test knows what it asks for
  }

  /** Ends all of it; nothing is left running. */
  async destroy(): Promise<void> {
    await Promise.all(
      this.planes.map(async (plane) => {
        // One that is stopped would never take a SIGTERM, and one whose servers are gone has nothing to hand over.
        await plane.kill()
        await plane.destroy()
      }),
    )
    const wires = [...this.#wires.values()].flatMap(({ store, redis, fly }) => [store, redis, fly])
    await Promise.all([this.#fly.stop(), this.redis.destroy(), this.firestore.stop(), this.#door.close()])
    await Promise.all(wires.map((wire) => wire.close()))
  }
}

/** Where the starts of a control plane have listened for sprites, in order. */
const portsIn = (output: string): readonly number[] =>
  [...output.matchAll(/"httpUrl":"http:\/\/[^":]+:(\d+)"/g)].map(([, port]) => Number(port))

type MachineRow = { readonly id: string; readonly app: string; readonly name: string; readonly has_process: boolean }

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
