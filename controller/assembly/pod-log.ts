/** Answers pods/log: what the machine behind a pod wrote, from the file that it writes to. */
import { stat } from 'node:fs/promises'
import type { Clock } from '../../system/clock.ts'
import { offsetOfLastLines, readFileFrom } from '../../system/follow-file.ts'
import { ApiError } from '../api/errors.ts'
import type { Key } from '../api/object.ts'
import { notServed, type ApiResponse } from '../server/exchange.ts'
import type { ServedSubresource } from '../server/subresources.ts'
import type { ReadableView } from '../views/fixed-collection.ts'
import { logFilter, logOptionsOf, type LogFilter, type LogOptions } from '../views/log-lines.ts'
import { CONTAINER, isOver, machineOf, type Pod } from '../views/pod-of.ts'
import { podLog, podResource } from '../views/pod-resource.ts'

/** What the log of a pod needs of the process. */
export type PodLogPorts = {
  readonly pods: ReadableView
  /** Where a machine's log lies; undefined where the provider keeps it. */
  readonly logPath: (machineId: string) => string | undefined
  readonly clock: Clock
  /** Aborts when the server stops: a log that is followed has no end of its own. */
  readonly closing: AbortSignal
}

/** pods/log, for the API server. */
export function podLogSubresource(ports: PodLogPorts): ServedSubresource {
  return {
    resource: podResource,
    definition: podLog,
    serve: async (_verb, { path, request }) => {
      if (path.namespace === undefined || path.name === undefined) throw notServed()
      const key = { namespace: path.namespace, name: path.name }
      const options = logOptionsOf(request.url.searchParams, key.name, ports.clock.now())
      const pod = podFrom(await ports.pods.get(key))
      checkContainer(options, key.name)
      const file = await fileOf(ports, pod, options)
      return textStream(logText(ports, { key, pod, options, file, gone: request.signal }))
    },
  }
}

/** The view of pods gives pods. */
const podFrom = (object: unknown): Pod => object as Pod

function checkContainer({ container }: LogOptions, pod: string): void {
  if (container === undefined || container === CONTAINER) return
  throw new ApiError('BadRequest', `container ${container.slice(0, 63)} is not valid for pod ${pod}`)
}

type LogSource = { readonly path: string; readonly startMs: number }

/** The file that holds the log that is asked for, and when it began. */
async function fileOf(ports: PodLogPorts, pod: Pod, { isPrevious }: LogOptions): Promise<LogSource> {
  const { name } = pod.metadata
  const machine = isPrevious ? machineOf(pod).previous : machineOf(pod).current
  if (machine === undefined) throw isPrevious ? noPrevious(name) : notStarted(name)
  const path = ports.logPath(machine)
  if (path === undefined)
    throw new ApiError(
      'NotFound',
      `Machine "${machine}" keeps its log at the provider: read it with "fly logs --machine ${machine}"`,
    )
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined) return { path, startMs: found.birthtimeMs }
  if (isPrevious) throw noPrevious(name)
  throw isOver(pod)
    ? new ApiError('NotFound', `The log of machine "${machine}" is not kept any more`)
    : notStarted(name)
}

const noPrevious = (pod: string): ApiError =>
  new ApiError('BadRequest', `previous terminated container "${CONTAINER}" in pod "${pod}" not found`)

const notStarted = (pod: string): ApiError =>
  new ApiError('BadRequest', `container "${CONTAINER}" in pod "${pod}" is waiting to start: ContainerCreating`)

type Reading = {
  readonly key: Key
  readonly pod: Pod
  readonly options: LogOptions
  readonly file: LogSource
  /** Aborts when the client has gone. */
  readonly gone: AbortSignal
}

async function* logText(ports: PodLogPorts, reading: Reading): AsyncGenerator<string, void, undefined> {
  const { options, file } = reading
  const startBytes = options.tailLines === undefined ? 0 : await offsetOfLastLines(file.path, options.tailLines)
  const done = new AbortController()
  const signal = AbortSignal.any([reading.gone, ports.closing, done.signal])
  const isFollowed = options.isFollowed && !options.isPrevious
  const complete = isFollowed ? endOf(ports.pods, reading, signal) : AbortSignal.abort()
  try {
    const chunks = readFileFrom(file.path, { startBytes, isFollowed, signal, complete })
    yield* filtered(chunks, logFilter(options, file.startMs))
  } finally {
    done.abort()
  }
}

async function* filtered(chunks: AsyncIterable<Buffer>, filter: LogFilter): AsyncGenerator<string, void, undefined> {
  // A character may be cut by the border of two chunks.
  const decoder = new TextDecoder()
  for await (const chunk of chunks) {
    const text = filter.take(decoder.decode(chunk, { stream: true }))
    if (text !== '') yield text
    if (filter.isFull()) return
  }
  const rest = `${filter.take(decoder.decode())}${filter.rest()}`
  if (rest !== '') yield rest
}

/** Aborts when the machine of the pod has ended or is another one's: it writes no more. */
function endOf(pods: ReadableView, { key, pod }: Reading, signal: AbortSignal): AbortSignal {
  const ended = new AbortController()
  const look = async (): Promise<void> => {
    if (isOver(pod)) return
    const { resourceVersion, uid } = pod.metadata
    const options = { namespace: key.namespace, fieldSelector: `metadata.name=${key.name}`, resourceVersion }
    for await (const { type, object } of pods.watch(options, signal))
      if (type === 'DELETED' || object.metadata.uid !== uid || isOver(podFrom(object))) return
  }
  // A watch that fails cannot tell the end any more: what is there is sent, and the client asks again.
  void look()
    .catch(() => undefined)
    .finally(() => ended.abort())
  return ended.signal
}

const textStream = (body: AsyncIterable<string>): ApiResponse => ({
  status: 200,
  headers: {
    'Content-Type': 'text/plain; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    // A proxy that buffers would hold lines back.
    'X-Accel-Buffering': 'no',
  },
  body,
})
