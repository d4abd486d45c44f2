/** What the processes of the wire benchmark say to each other, and how one asks another. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a server is asked. */
export type ServerOrder =
  | { readonly do: 'fill'; readonly objects: number }
  /** One change of one object, told to every open watch. */
  | { readonly do: 'emit' }
  /** In-process creates, so many in flight. */
  | { readonly do: 'create'; readonly count: number; readonly inFlight: number }
  | { readonly do: 'cpu' }
  | { readonly do: 'heap' }
  | { readonly do: 'stop' }

/** What a server is started with. */
export type ServerStart = {
  /** The bare server's answers: path to a file with the body. */
  readonly files?: Readonly<Record<string, string>>
  /** One watch event, for the bare server to send. */
  readonly event?: string
  /** A folder for a durable store; absent: in memory. */
  readonly folder?: string
}

/** What the load is asked: how many requests are answered in a while, or to hold watches open. */
export type LoadOrder =
  | {
      readonly do: 'request'
      readonly port: number
      readonly head: string
      readonly body?: string
      readonly connections: number
      readonly durationMs: number
    }
  | {
      readonly do: 'create'
      readonly port: number
      readonly head: string
      readonly body: string
      readonly count: number
      readonly connections: number
    }
  | { readonly do: 'open'; readonly port: number; readonly head: string; readonly watches: number }
  /** Resolves when every watch has received as many bytes more. */
  | { readonly do: 'await'; readonly sizeBytes: number }
  | { readonly do: 'close' }
  | { readonly do: 'stop' }

/** A process of the benchmark. */
export type Peer<O> = {
  readonly ask: (order: O) => Promise<Record<string, number>>
  readonly stop: () => Promise<void>
}

/** Starts a module of this folder as a process; `ask` waits for its answer, one at a time. */
export async function startPeer<O>(
  module: string,
  start: object,
): Promise<Peer<O> & { readonly hello: Record<string, unknown> }> {
  const path = fileURLToPath(new URL(`./${module}`, import.meta.url))
  const child = fork(path, [JSON.stringify(start)], {
    execArgv: [
      '--expose-gc',
      ...(process.env['BENCH_PROFILE'] === undefined
        ? []
        : ['--cpu-prof', `--cpu-prof-dir=${process.env['BENCH_PROFILE']}`]),
    ],
  })
  const answered = answers(child)
  const hello = await answered()
  return {
    hello,
    ask: async (order) => {
      child.send(order as object)
      // Answers are numbers; only the greeting says more.
      return (await answered()) as Record<string, number>
    },
    stop: async () => {
      if (!child.connected) return
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.send({ do: 'stop' })
      await exited
    },
  }
}

function answers(child: ChildProcess): () => Promise<Record<string, unknown>> {
  return () =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`A process of the benchmark ended with ${code}`))
      child.once('exit', onExit)
      child.once('message', (message) => {
        child.off('exit', onExit)
        resolve(message as Record<string, unknown>)
      })
    })
}

/** Answers orders in this process, one at a time, until it is told to stop. */
export function serveOrders<O extends { readonly do: string }>(
  hello: object,
  run: (order: O) => Promise<Record<string, number>>,
  stop: () => Promise<void> | void,
): void {
  process.send?.(hello)
  process.on('message', (order: O) => {
    void (async () => {
      if (order.do === 'stop') {
        await stop()
        process.disconnect()
        return
      }
      process.send?.(await run(order))
    })()
  })
}
