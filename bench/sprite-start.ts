/** Measures a sprite's start: spawn until it announces itself, and its memory then, against the least Node can do. */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { SPRITE_API, type AnnounceReply } from '../protocol/coordinator.ts'
import { realClock } from '../system/clock.ts'
import { listen, sendJson, type FakeServer } from '../sprite/fake/server.ts'

/** What one measurement of a sprite's start found. */
export type SpriteStart = {
  readonly spawnToReadyMs: number
  readonly bareNodeMs: number
  readonly rssMb: number
  readonly bareRssMb: number
}

/** How a sprite's start is measured. */
export type SpriteStartOptions = {
  /** Rounds, sprite and bare process in turns; the median counts. */
  readonly rounds?: number
  /** The sprite's entry point; the bundle where there is one, else the source. */
  readonly entry?: string
  readonly nodeArguments?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const BUNDLE = fileURLToPath(new URL('../dist/sprite/sprite.mjs', import.meta.url))
const SOURCE = fileURLToPath(new URL('../sprite/main.ts', import.meta.url))

/** The floor: a process that does nothing but say the same over a raw socket. */
const BARE = `
const url = new URL(process.env.SPRITE_COORDINATOR_URL)
const socket = require('node:net').connect(url.port, url.hostname, () =>
  socket.write('POST ${SPRITE_API.announce} HTTP/1.1\\r\\nhost: x\\r\\ncontent-length: 2\\r\\n\\r\\n{}'))
socket.on('data', () => {})
`

const TERMS: AnnounceReply = {
  tenant: 'bench',
  sprite: 'bench',
  agentType: 'copywriter',
  incarnation: 1,
  heartbeatIntervalMs: 60_000,
  idleTimeoutMs: 0,
  lostAfterMs: 60_000,
}

type Sample = { readonly readyMs: number; readonly rssMb: number }

/** Medians over `rounds` (7) of sprite and floor, measured in turns on this machine. Times in ms, memory in MiB. */
export async function measureSpriteStart(options: SpriteStartOptions = {}): Promise<SpriteStart> {
  const entry = options.entry ?? (existsSync(BUNDLE) ? BUNDLE : SOURCE)
  const sprites: Sample[] = []
  const floors: Sample[] = []
  for (let round = 0; round < (options.rounds ?? 7); round++) {
    floors.push(await sample(['-e', BARE], {}))
    sprites.push(await sample([...(options.nodeArguments ?? []), entry], options.env ?? {}))
  }
  return {
    spawnToReadyMs: median(sprites.map(({ readyMs }) => readyMs)),
    bareNodeMs: median(floors.map(({ readyMs }) => readyMs)),
    rssMb: median(sprites.map(({ rssMb }) => rssMb)),
    bareRssMb: median(floors.map(({ rssMb }) => rssMb)),
  }
}

async function sample(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Sample> {
  const { promise: announced, resolve, reject } = Promise.withResolvers<number>()
  const server = await coordinator(() => resolve(realClock.monotonic()))
  const startedAt = realClock.monotonic()
  const child = spawn(process.execPath, command, { env: { ...spriteEnv(server.url), ...env }, stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  child.once('exit', (code) =>
    reject(new Error(`Look at the entry point "${command.at(-1)}": it exited with "${code}"`)),
  )
  child.once('error', reject)
  try {
    const readyMs = (await announced) - startedAt
    return { readyMs, rssMb: await residentMb(child.pid ?? 0) }
  } finally {
    child.kill('SIGKILL')
    await exited
    await server.close()
  }
}

const coordinator = (onAnnounced: () => void): Promise<FakeServer> =>
  listen((request, response) => {
    if (request.path === SPRITE_API.announce) {
      onAnnounced()
      sendJson(response, 200, TERMS)
    } else if (request.path === SPRITE_API.inbox) response.writeHead(200).flushHeaders()
    else if (request.path === SPRITE_API.heartbeat) sendJson(response, 200, { directive: 'continue' })
    else response.writeHead(204).end()
  })

const spriteEnv = (url: string): Record<string, string> => ({
  SPRITE_COORDINATOR_URL: url,
  SPRITE_TENANT: 'bench',
  SPRITE_NAME: 'bench',
  SPRITE_UID: 'bench',
  SPRITE_INCARNATION: '1',
  SPRITE_TOKEN: 'a-token-for-the-benchmark',
  SPRITE_LOG_LEVEL: 'warn',
})

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined)
  const inKb = status?.match(/^VmRSS:\s+(\d+) kB/m)?.[1]
  if (inKb !== undefined) return Number(inKb) / 1024
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout.trim()) / 1024
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
