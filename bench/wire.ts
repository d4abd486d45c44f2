/** The API on the wire against a bare node:http server that sends the same bytes: GET, LIST, fan-out, creates. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '../system/clock.ts'
import type { Row } from './table.ts'
import { startPeer, type LoadOrder, type Peer, type ServerOrder } from './wire/messages.ts'
import { SPRITES_PATH } from './wire/objects.ts'

const OBJECTS = 10_000
const WATCHES = 1_000
const EVENTS = 20
const ROUNDS = 5

type ServerPeer = Peer<ServerOrder> & {
  readonly port: number
  readonly token: string
  readonly head: (method: string, path: string) => string
}

/** What a server did in its best round: per second, and CPU of the server per answer. */
type Best = { perSecond: number; cpuMs: number }

async function startServer(module: string, start: object, token = ''): Promise<ServerPeer> {
  const peer = await startPeer<ServerOrder>(module, start)
  // Both servers greet with their port, ours with a token too.
  const { port, token: own = token } = peer.hello as { readonly port: number; readonly token?: string }
  const head = (method: string, path: string): string =>
    `${method} ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${own}\r\nAccept: application/json\r\nUser-Agent: bench/1\r\n`
  return { ...peer, port, token: own, head }
}

async function textAt(server: ServerPeer, path: string): Promise<Buffer> {
  const headers = { authorization: `Bearer ${server.token}`, 'accept-encoding': 'identity' }
  const response = await fetch(`http://localhost:${server.port}${path}`, { headers })
  return Buffer.from(await response.arrayBuffer())
}

/** Rows for GET, LIST and fan-out; best of five rounds, ours and bare in turns. */
export async function benchWire(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-wire-'))
  const ours = await startServer('our-server.ts', {})
  const load = await startPeer<LoadOrder>('load.ts', {})
  const stops: (() => Promise<void>)[] = [ours.stop, load.stop, () => rm(folder, { recursive: true, force: true })]
  try {
    await ours.ask({ do: 'fill', objects: OBJECTS })
    const one = `${SPRITES_PATH}/s-0`
    const files = { [one]: join(folder, 'one.json'), [SPRITES_PATH]: join(folder, 'list.json') }
    for (const [path, file] of Object.entries(files)) await writeFile(file, await textAt(ours, path))
    const object = String(await textAt(ours, one)).trim()
    const event = `{"type":"MODIFIED","object":${object}}\n`
    const bare = await startServer('bare-server.ts', { files, event }, ours.token)
    stops.push(bare.stop)
    const answers = await benchAnswers(load, { ours, bare, one, sizeBytes: object.length })
    return [...answers, ...(await benchFanOut(load, { ours, bare, sizeBytes: object.length }))]
  } finally {
    for (const stop of stops) await stop()
  }
}

async function benchAnswers(
  load: Peer<LoadOrder>,
  at: { readonly ours: ServerPeer; readonly bare: ServerPeer; readonly one: string; readonly sizeBytes: number },
): Promise<Row[]> {
  const get = await inTurns(at, (server) =>
    requests(load, server, { path: at.one, connections: 16, durationMs: 1_500 }),
  )
  const list = await inTurns(at, (server) =>
    requests(load, server, { path: SPRITES_PATH, connections: 2, durationMs: 2_000 }),
  )
  return [...rows(`GET of one object of ${at.sizeBytes} bytes`, get, 0.6), ...rows(`LIST of ${OBJECTS} objects`, list)]
}

async function requests(
  load: Peer<LoadOrder>,
  server: ServerPeer,
  of: { readonly path: string; readonly connections: number; readonly durationMs: number },
): Promise<Best> {
  const { path, ...rest } = of
  const order = { do: 'request', port: server.port, head: `${server.head('GET', path)}\r\n`, ...rest } as const
  const before = await server.ask({ do: 'cpu' })
  const { answers = 0, durationMs = NaN } = await load.ask(order)
  const after = await server.ask({ do: 'cpu' })
  return { perSecond: (answers / durationMs) * 1000, cpuMs: cpuBetween(before, after) / answers }
}

const cpuBetween = (before: Record<string, number>, after: Record<string, number>): number =>
  (after['cpuMs'] ?? NaN) - (before['cpuMs'] ?? NaN)

/** The best round of each server; the order changes from round to round. */
async function inTurns(
  at: { readonly ours: ServerPeer; readonly bare: ServerPeer },
  round: (server: ServerPeer) => Promise<Best>,
): Promise<{ readonly ours: Best; readonly bare: Best }> {
  const best = { ours: { perSecond: 0, cpuMs: Infinity }, bare: { perSecond: 0, cpuMs: Infinity } }
  for (let index = 0; index < ROUNDS; index++)
    for (const name of index % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)) {
      const one = await round(at[name])
      best[name].perSecond = Math.max(best[name].perSecond, one.perSecond)
      best[name].cpuMs = Math.min(best[name].cpuMs, one.cpuMs)
    }
  return best
}

function rows(what: string, { ours, bare }: { readonly ours: Best; readonly bare: Best }, aim?: number): Row[] {
  const perSecond = ({ perSecond: rate }: Best): string => (rate < 100 ? rate.toFixed(1) : String(Math.round(rate)))
  const inUs = ({ cpuMs }: Best): string => (cpuMs > 1 ? `${cpuMs.toFixed(1)} ms` : `${(cpuMs * 1000).toFixed(1)} us`)
  return [
    {
      what: `${what}, per second`,
      ours: `${perSecond(ours)}/s`,
      divisor: `bare node:http ${perSecond(bare)}/s`,
      ratio: ours.perSecond / bare.perSecond,
      ...(aim === undefined ? {} : { aim: { ratio: aim, atMost: false } }),
    },
    {
      what: `${what}, CPU of the server each`,
      ours: inUs(ours),
      divisor: `bare node:http ${inUs(bare)}`,
      ratio: ours.cpuMs / bare.cpuMs,
    },
  ]
}

async function benchFanOut(
  load: Peer<LoadOrder>,
  at: { readonly ours: ServerPeer; readonly bare: ServerPeer; readonly sizeBytes: number },
): Promise<Row[]> {
  const idleMb: number[] = []
  const best = await inTurns(at, async (server) => {
    const { heapMb: before = NaN } = await server.ask({ do: 'heap' })
    const path = `${SPRITES_PATH}?watch=1&resourceVersion=${server === at.ours ? await newestOf(at.ours) : '1'}`
    await load.ask({ do: 'open', port: server.port, head: `${server.head('GET', path)}\r\n`, watches: WATCHES })
    const { heapMb: after = NaN } = await server.ask({ do: 'heap' })
    if (server === at.ours) idleMb.push(after - before)
    const found = await emit(load, server, at.sizeBytes)
    await load.ask({ do: 'close' })
    return found
  })
  return [
    ...rows(`fan-out to ${WATCHES} watches, events delivered`, best, 0.7),
    {
      what: `heap of ${WATCHES} idle watches, sockets included`,
      ours: `${Math.min(...idleMb).toFixed(1)} MiB`,
      divisor: '1 MiB',
      ratio: Math.min(...idleMb),
    },
  ]
}

async function emit(load: Peer<LoadOrder>, server: ServerPeer, sizeBytes: number): Promise<Best> {
  const before = await server.ask({ do: 'cpu' })
  const startedMs = realClock.monotonic()
  for (let index = 0; index < EVENTS; index++) {
    await server.ask({ do: 'emit' })
    await load.ask({ do: 'await', sizeBytes })
  }
  const seconds = (realClock.monotonic() - startedMs) / 1000
  const after = await server.ask({ do: 'cpu' })
  const deliveries = EVENTS * WATCHES
  return { perSecond: deliveries / seconds, cpuMs: cpuBetween(before, after) / deliveries }
}

async function newestOf(server: ServerPeer): Promise<string> {
  const text = String(await textAt(server, `${SPRITES_PATH}?limit=1`))
  return /"resourceVersion":"(\d+)"/.exec(text)?.[1] ?? ''
}
