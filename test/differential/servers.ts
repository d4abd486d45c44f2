/** The two servers of a differential run behind one face: ours, in this process, and the oracle. */
import type { KindDefinition } from '../../controller/api/define-kind.ts'
import type { TestServer } from '../../controller/server/testing.ts'
import { ORACLE_URL } from '../oracle.ts'

/** One request. */
export type Exchange = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  /** application/json unless it is a patch. */
  readonly contentType?: string
  readonly accept?: string
}

/** What a client sees of an answer; times, ids and versions are in the body still. */
export type Answer = { readonly code: number; readonly body: Body }

/** The parts that a run looks at; an object, a list, a table or a Status. */
export type Body = {
  readonly kind?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly items?: readonly Body[]
  readonly reason?: string
  readonly message?: string
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly field?: string; readonly message?: string }[]
  }
}

/** One event of a watch. */
export type WatchedEvent = { readonly type: string; readonly object: Body }

/** A watch that is being read. */
export type OpenWatch = { readonly events: readonly WatchedEvent[]; readonly close: () => Promise<void> }

/** A server under comparison. */
export type Judged = {
  readonly name: 'ours' | 'theirs'
  readonly send: (exchange: Exchange) => Promise<Answer>
  /** Resolves when the answer has begun; a refusal is one ERROR event. */
  readonly watch: (path: string) => Promise<OpenWatch>
}

const AGENT = 'fuzz/1'

/** Our own server. */
export function ours(server: TestServer): Judged {
  const headersOf = ({ contentType = 'application/json', accept = 'application/json' }: Partial<Exchange>) => ({
    'content-type': contentType,
    accept,
    'user-agent': AGENT,
  })
  return {
    name: 'ours',
    send: async (exchange) => {
      const { method, path, body } = exchange
      const options = { headers: headersOf(exchange), ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
      const { status, body: answer } = await server.send(method, path, options)
      return { code: status, body: answer as Body } // every answer of the API is an object
    },
    watch: async (path) => {
      const ending = new AbortController()
      const over = { signal: ending.signal }
      const { status, response, body } = await server.send('GET', path, { headers: headersOf({}), over })
      // A refused watch is answered with a Status.
      if (status !== 200) return { events: [{ type: 'ERROR', object: body as Body }], close: () => Promise.resolve() }
      // A watch's body is its lines, one string each.
      return reading(response.body as AsyncIterable<string>, ending)
    },
  }
}

/** The genuine server. */
export const theirs = (): Judged => ({
  name: 'theirs',
  send: async ({ method, path, body, contentType = 'application/json', accept = 'application/json' }) => {
    const response = await fetch(ORACLE_URL + path, {
      method,
      headers: { 'content-type': contentType, accept, 'user-agent': AGENT },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { code: response.status, body: bodyOf(await response.text()) }
  },
  watch: async (path) => {
    const ending = new AbortController()
    const response = await fetch(ORACLE_URL + path, { signal: ending.signal, headers: { 'user-agent': AGENT } })
    if (!response.ok)
      return { events: [{ type: 'ERROR', object: bodyOf(await response.text()) }], close: () => Promise.resolve() }
    return reading(linesOf(response.body), ending)
  },
})

/** Some refusals come as text, not as a Status. */
function bodyOf(text: string): Body {
  try {
    return JSON.parse(text) as Body // every answer of the API is an object
  } catch {
    return { message: text }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines.filter((line) => line !== '')
  }
}

function reading(lines: AsyncIterable<string>, ending: AbortController): OpenWatch {
  const events: WatchedEvent[] = []
  const done = (async () => {
    for await (const line of lines) events.push(JSON.parse(line) as WatchedEvent) // as the API frames its events
  })().catch((error: unknown) => {
    if (!ending.signal.aborted) events.push({ type: 'BROKEN', object: { message: String(error) } })
  })
  return {
    events,
    close: async () => {
      ending.abort()
      await done
    },
  }
}

/** Where objects of a kind lie; namespaced ones in acme. */
export const collectionOf = (kind: KindDefinition): string =>
  `/apis/${kind.apiVersion}/${kind.scope === 'Namespaced' ? 'namespaces/acme/' : ''}${kind.plural}`
