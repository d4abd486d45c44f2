/** Sends requests to a Kubernetes API server by client-node's machinery: its kubeconfigs, credentials and fetch. */
import type { KubeConfig, RequestContext } from '@kubernetes/client-node'
import type { Clock } from '../../system/clock.ts'
import { ApiError } from '../api/errors.ts'
import { refusalError } from './kube-errors.ts'

/** Where the server and the credentials are found. */
export type KubeConfigSource =
  | { readonly from: 'Text'; readonly text: string }
  /** Paths inside the file are relative to it. */
  | { readonly from: 'File'; readonly path: string }
  /** The service account of the pod that this process runs in. */
  | { readonly from: 'Cluster' }

/** One request. */
export type WireRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** application/json unless it is a patch. */
  readonly contentType?: string
  readonly body?: unknown
}

/**
 * The wire to one server. Failures are ApiError: those of the server by its Status, a connection that fails or breaks
 * is ServiceUnavailable, an answer that does not come in time is Timeout. An aborted caller gets its signal's reason.
 */
export interface KubeWire {
  /** The parsed body of a success. */
  send(request: WireRequest, signal?: AbortSignal): Promise<unknown>
  /** The lines of a stream, until it ends, breaks off (ServiceUnavailable) or the signal aborts. */
  lines(request: WireRequest, signal: AbortSignal): AsyncIterable<string>
  /** Breaks off what is under way (ServiceUnavailable) and closes every connection. */
  close(): Promise<void>
  /** Aborts when the wire closes. */
  readonly closing: AbortSignal
}

/** How long an answer may take to come whole; a stream's, to begin. */
const ANSWER_MS_MAX = 60_000
/** A page of 500 objects of 0.5 MB each. */
const BODY_CHARS_MAX = 256 * 1024 * 1024
/** An object is at most 1 MiB; escapes and managedFields come on top. */
const LINE_CHARS_MAX = 16 * 1024 * 1024
const REFUSAL_CHARS_MAX = 64 * 1024

type ClientNode = typeof import('@kubernetes/client-node')
type Dispatcher = NonNullable<ReturnType<RequestContext['getDispatcher']>>
type Loaded = { readonly k8s: ClientNode; readonly config: KubeConfig; readonly server: string }
type Opened = { readonly chunks: AsyncIterable<string>; readonly code: number; readonly retryAfter?: string }

/** Makes the wire; client-node, which takes a second to load, is imported at the first request. */
export function createKubeWire(source: KubeConfigSource, clock: Clock): KubeWire {
  const closing = new AbortController()
  const connections = createConnections(source)

  /** The chunks of an answer, under one signal of caller, closing and time limit; a stream's limit ends as it begins. */
  async function* limited(request: WireRequest, caller: AbortSignal | undefined, isStream: boolean) {
    caller?.throwIfAborted()
    if (closing.signal.aborted) throw closedError()
    const late = new AbortController()
    const cancel = clock.after(ANSWER_MS_MAX, () => late.abort(), { background: true })
    const signals = [closing.signal, late.signal, ...(caller === undefined ? [] : [caller])]
    try {
      const opened = await connections.open(request, AbortSignal.any(signals))
      if (opened.code < 200 || opened.code > 299) throw await refused(opened)
      if (isStream) cancel()
      for await (const chunk of opened.chunks) yield chunk
    } catch (cause) {
      if (cause instanceof ApiError) throw cause
      if (caller?.aborted) throw caller.reason
      if (closing.signal.aborted) throw closedError()
      if (late.signal.aborted) throw new ApiError('Timeout', `No answer in ${ANSWER_MS_MAX / 1000} s`, {}, { cause })
      throw new ApiError('ServiceUnavailable', 'The connection to the API server failed or broke off', {}, { cause })
    } finally {
      cancel()
    }
  }

  return {
    send: async (request, signal) => parsedBody(await joined(limited(request, signal, false), BODY_CHARS_MAX)),
    lines: (request, signal) => linesOf(limited(request, signal, true)),
    closing: closing.signal,
    close: async () => {
      closing.abort(closedError())
      await connections.close()
    },
  }
}

type Connections = {
  readonly open: (request: WireRequest, signal: AbortSignal) => Promise<Opened>
  readonly close: () => Promise<void>
}

/** client-node makes an agent a request, and with it a TLS handshake: here one is kept until it fails. */
function createConnections(source: KubeConfigSource): Connections {
  let loading: Promise<Loaded> | undefined
  let dispatcher: Dispatcher | undefined
  // What could not be read may be there the next time.
  const loaded = (): Promise<Loaded> =>
    (loading ??= load(source).catch((error: unknown) => {
      loading = undefined
      throw error
    }))
  const keep = (fresh: Dispatcher | undefined): Dispatcher | undefined => (dispatcher ??= fresh)
  const forget = (failed: Dispatcher | undefined): void => {
    if (failed === undefined || failed !== dispatcher) return
    dispatcher = undefined
    // What still runs on it may end; a failure to close is the end of it too.
    failed.close().catch(() => {})
  }
  const open: Connections['open'] = async (request, signal) => {
    const { k8s, config, server } = await loaded()
    const context = await contextOf(k8s, config, { request, server })
    const used = keep(context.getDispatcher())
    if (used !== undefined) context.setDispatcher(used)
    context.setSignal(signal)
    try {
      const response = await new k8s.IsomorphicFetchHttpLibrary().send(context).toPromise()
      // New credentials may come with a new certificate.
      if (response.httpStatusCode === 401) forget(used)
      const retryAfter = response.headers['retry-after']
      return {
        code: response.httpStatusCode,
        chunks: decoded(response.body.stream()),
        ...(retryAfter === undefined ? {} : { retryAfter }),
      }
    } catch (cause) {
      if (!signal.aborted) forget(used)
      throw cause
    }
  }
  const close = async (): Promise<void> => {
    await dispatcher?.destroy()
    dispatcher = undefined
  }
  return { open, close }
}

const closedError = (): ApiError => new ApiError('ServiceUnavailable', 'The client is closed')

async function load(source: KubeConfigSource): Promise<Loaded> {
  const k8s = await import('@kubernetes/client-node')
  const config = new k8s.KubeConfig()
  try {
    if (source.from === 'Text') config.loadFromString(source.text)
    else if (source.from === 'File') config.loadFromFile(source.path)
    else config.loadFromCluster()
    const server = config.getCurrentCluster()?.server
    if (server !== undefined) return { k8s, config, server: server.replace(/\/+$/, '') }
  } catch (cause) {
    const where = source.from === 'File' ? ` "${source.path}"` : ''
    throw new ApiError('BadRequest', `Cannot read the kubeconfig${where}: it is no kubeconfig`, {}, { cause })
  }
  throw new ApiError('BadRequest', 'Cannot use the kubeconfig: its current context names no cluster')
}

async function contextOf(
  k8s: ClientNode,
  config: KubeConfig,
  { request, server }: { readonly request: WireRequest; readonly server: string },
): Promise<RequestContext> {
  const context = new k8s.RequestContext(server + request.path, request.method)
  for (const [name, value] of Object.entries(request.query ?? {})) context.setQueryParam(name, value)
  context.setHeaderParam('Accept', 'application/json')
  if (request.body !== undefined) {
    context.setHeaderParam('Content-Type', request.contentType ?? 'application/json')
    context.setBody(JSON.stringify(request.body))
  }
  // Also refuses plain http, unless the kubeconfig says that it may be.
  await config.applySecurityAuthentication(context)
  return context
}

async function* decoded(stream: ReturnType<BodyOf>): AsyncGenerator<string> {
  if (stream === null) return
  const decoder = new TextDecoder()
  for await (const chunk of stream) yield decoder.decode(chunk, { stream: true })
  yield decoder.decode()
}

type BodyOf = import('@kubernetes/client-node').ResponseBody['stream']

async function refused(opened: Opened): Promise<ApiError> {
  const text = await joined(opened.chunks, REFUSAL_CHARS_MAX)
  const { code, retryAfter } = opened
  return refusalError({ code, text, ...(retryAfter === undefined ? {} : { retryAfter }) })
}

async function joined(chunks: AsyncIterable<string>, charsMax: number): Promise<string> {
  const parts: string[] = []
  let chars = 0
  for await (const chunk of chunks) {
    chars += chunk.length
    if (chars > charsMax)
      throw new ApiError('RequestEntityTooLarge', `The answer is longer than ${charsMax} characters`)
    parts.push(chunk)
  }
  return parts.join('')
}

async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_CHARS_MAX) throw new ApiError('ServiceUnavailable', 'A line of the stream is too long')
    for (const line of lines) if (line !== '') yield line
  }
  // What is left was cut off in the middle: who watches on gets it whole.
}

function parsedBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ApiError('InternalError', 'The API server answered with something that is not JSON', {}, { cause })
  }
}
