/** The clients of the wire benchmark, in a process of their own: raw sockets, so that they cost less than any server. */
import { connect, type Socket } from 'node:net'
import { setImmediate } from 'node:timers'
import { realClock } from '../../system/clock.ts'
import { serveOrders, type LoadOrder } from './messages.ts'

const END_OF_HEAD = Buffer.from('\r\n\r\n')
const LAST_CHUNK = '0\r\n\r\n'

type Answers = { readonly socket: Socket; readonly send: (text: string) => Promise<number> }

/** A connection on which one request at a time is answered; `send` gives the size of the answer. */
function connection(port: number): Answers {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let done: ((sizeBytes: number) => void) | undefined
  let expectedBytes = -1
  let seenBytes = 0
  let head: Buffer[] = []
  const onHead = (chunk: Buffer): void => {
    head.push(chunk)
    const all = head.length === 1 ? chunk : Buffer.concat(head)
    const end = all.indexOf(END_OF_HEAD)
    if (end < 0) return
    const text = all.toString('latin1', 0, end)
    if (!/^HTTP\/1.1 20[01]/.test(text)) throw new Error(`The server refused: ${all.toString().slice(0, 2_000)}`)
    const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
    // Infinity: in chunks, until the empty one.
    expectedBytes = length === undefined ? Infinity : end + 4 + Number(length)
    seenBytes = all.length
  }
  let tail = ''
  const isEnd = (chunk: Buffer): boolean => {
    if (expectedBytes < Infinity) return seenBytes >= expectedBytes
    tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - LAST_CHUNK.length))).slice(-LAST_CHUNK.length)
    return tail === LAST_CHUNK
  }
  socket.on('data', (chunk: Buffer) => {
    if (expectedBytes < 0) onHead(chunk)
    else seenBytes += chunk.length
    if (expectedBytes < 0 || !isEnd(chunk)) return
    const sizeBytes = seenBytes
    expectedBytes = -1
    head = []
    done?.(sizeBytes)
  })
  const send = (text: string): Promise<number> =>
    new Promise((resolve) => {
      done = resolve
      socket.write(text)
    })
  return { socket, send }
}

/**
 * Keeps this process from sleeping while `run` lasts. Whoever writes to a sleeping process pays for waking it, in a
 * virtual machine more than for the whole answer: a busy server would look better than it is, and a fast one worse.
 */
async function awake<T>(run: () => Promise<T>): Promise<T> {
  let isDone = false
  const turn = (): void => {
    if (!isDone) setImmediate(turn)
  }
  turn()
  try {
    return await run()
  } finally {
    isDone = true
  }
}

async function request(order: Extract<LoadOrder, { do: 'request' }>): Promise<Record<string, number>> {
  const connections = Array.from({ length: order.connections }, () => connection(order.port))
  const startedMs = realClock.monotonic()
  let answers = 0
  await Promise.all(
    connections.map(async ({ socket, send }) => {
      while (realClock.monotonic() - startedMs < order.durationMs) {
        await send(order.head)
        answers += 1
      }
      socket.destroy()
    }),
  )
  return { answers, durationMs: realClock.monotonic() - startedMs }
}

let made = 0

async function create(order: Extract<LoadOrder, { do: 'create' }>): Promise<Record<string, number>> {
  const connections = Array.from({ length: order.connections }, () => connection(order.port))
  const startedMs = realClock.monotonic()
  let left = order.count
  await Promise.all(
    connections.map(async ({ socket, send }) => {
      while (left-- > 0) {
        const body = order.body.replace('NAME', `h-${made++}`)
        await send(order.head.replace('LENGTH', String(Buffer.byteLength(body))) + body)
      }
      socket.destroy()
    }),
  )
  return { durationMs: realClock.monotonic() - startedMs }
}

type Watch = { readonly socket: Socket; sizeBytes: number }
const watches: Watch[] = []
let awaited: { sizeBytes: number; left: number; done: () => void } | undefined

async function open(order: Extract<LoadOrder, { do: 'open' }>): Promise<Record<string, number>> {
  for (let index = 0; index < order.watches; index++) {
    const socket = connect({ port: order.port, host: '127.0.0.1' })
    const watch: Watch = { socket, sizeBytes: 0 }
    await new Promise<void>((resolve) => {
      socket.once('data', () => resolve())
      socket.write(order.head)
    })
    socket.on('data', (chunk: Buffer) => {
      const before = watch.sizeBytes
      watch.sizeBytes += chunk.length
      if (awaited === undefined || before >= awaited.sizeBytes || watch.sizeBytes < awaited.sizeBytes) return
      awaited.left -= 1
      if (awaited.left === 0) awaited.done()
    })
    watches.push(watch)
  }
  return {}
}

async function received(sizeBytes: number): Promise<Record<string, number>> {
  const left = watches.filter((watch) => watch.sizeBytes < sizeBytes).length
  if (left > 0)
    await new Promise<void>((resolve) => {
      awaited = { sizeBytes, left, done: resolve }
    })
  // What frames the next event may already be here; it is far smaller than an event.
  for (const watch of watches) watch.sizeBytes = 0
  awaited = undefined
  return { atMs: realClock.monotonic() }
}

function closeWatches(): Record<string, number> {
  for (const { socket } of watches.splice(0)) socket.destroy()
  return {}
}

function run(order: LoadOrder): Promise<Record<string, number>> {
  return awake(() => runOne(order))
}

async function runOne(order: LoadOrder): Promise<Record<string, number>> {
  switch (order.do) {
    case 'request':
      return request(order)
    case 'create':
      return create(order)
    case 'open':
      return open(order)
    case 'await':
      return received(order.sizeBytes)
    case 'close':
      return closeWatches()
    case 'stop':
      return {}
  }
}

serveOrders<LoadOrder>({}, run, () => closeWatches() && undefined)
