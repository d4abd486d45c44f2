/** Builds a server over a real registry and a memory store, for the tests of this room. */
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog, type Log } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import type { Actor } from '../api/admission.ts'
import { resourceOf } from '../api/resource-of.ts'
import { KINDS } from '../kinds/kinds.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import type { RegistryOptions } from '../registry/ports.ts'
import type { Registry } from '../registry/registry.ts'
import { createMemoryStore } from '../store/memory.ts'
import { createApiServer, type ApiServer, type ApiServerOptions } from './server.ts'
import { isStream, isWhole, type ApiRequest, type ApiResponse } from './exchange.ts'
import { createTokenSet, mintToken } from './tokens.ts'

export const ADMIN: Actor = { name: 'admin', groups: ['system:masters'] }
export const SPRITES = '/apis/sprites.highera.com/v1alpha1/namespaces/acme/sprites'

export type TestServer = {
  readonly server: ApiServer
  readonly registry: Registry
  readonly clock: TestClock
  readonly token: string
  /** Sends a request with the token; a body that is no string is sent as JSON. */
  readonly send: (method: string, path: string, options?: SendOptions) => Promise<Answer>
}

export type SendOptions = {
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly over?: Partial<ApiRequest>
}

export type Answer = { readonly response: ApiResponse; readonly status: number; readonly body: unknown }

/** A registry with every kind of the product, without admission, over an empty memory store. */
export const memoryRegistry = (
  clock: TestClock,
  store = createMemoryStore(),
  options: Pick<RegistryOptions, 'keepsUnseenStatus'> = {},
): Registry =>
  createRegistry({
    ...options,
    store,
    resources: [...CORE_RESOURCES, ...KINDS.map((kind) => resourceOf(kind))],
    clock,
    entropy: seededEntropy(1),
    builtinAgentTypes: new Set(['copywriter', 'editor']),
  })

/** A server that does with a status what a genuine one does, for comparisons with one. */
export function literalServer(): TestServer {
  const clock = new TestClock()
  const registry = memoryRegistry(clock, createMemoryStore(), { keepsUnseenStatus: true })
  return { ...testServer({ registry, clock }), clock }
}

/** A server that nobody listens for; requests go through `send`. */
export function testServer(over: Partial<ApiServerOptions> & { readonly log?: Log } = {}): TestServer {
  const clock = new TestClock()
  const entropy = seededEntropy(2)
  const registry = over.registry ?? memoryRegistry(clock)
  const { token, record } = mintToken(ADMIN, entropy)
  const server = createApiServer({
    authenticate: createTokenSet([record]).authenticate,
    log: silentLog,
    metrics: createMetrics(),
    clock,
    entropy,
    ...over,
    registry,
  })
  const send = async (method: string, path: string, options: SendOptions = {}): Promise<Answer> => {
    const response = await server.dispatch(requestOf(method, path, { token, ...options }))
    return { response, status: response.status, body: parsedBody(response) }
  }
  return { server, registry, clock, token, send }
}

function requestOf(method: string, path: string, options: SendOptions & { readonly token: string }): ApiRequest {
  const { body, headers = {} } = options
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const all = { host: '127.0.0.1', authorization: `Bearer ${options.token}`, 'user-agent': 'test/1', ...headers }
  return {
    method,
    url: new URL(path, 'http://server.invalid'),
    headers: new Map(Object.entries(all)),
    readBody: () => Promise.resolve(body instanceof Uint8Array ? body : Buffer.from(text)),
    signal: new AbortController().signal,
    isTrustedTransport: true,
    isLoopbackHttp: true,
    ...options.over,
  }
}

function parsedBody({ body, headers }: ApiResponse): unknown {
  if (isStream(body)) return body
  const isJson = String(headers['Content-Type']).startsWith('application/json')
  if (body instanceof Uint8Array && !isJson) return body
  const text = isWhole(body) ? Buffer.from(body).toString() : Buffer.concat([...body]).toString()
  return isJson ? (JSON.parse(text) as unknown) : text
}

/** A Sprite to send. */
export const spriteBody = (
  name: string,
  extra: { readonly spec?: object; readonly metadata?: object } = {},
): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata: { name, namespace: 'acme', ...extra.metadata },
  spec: { agentType: 'copywriter', ...extra.spec },
})

/** Makes the namespace acme. */
export const makeNamespace = (server: TestServer): Promise<Answer> =>
  server.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'acme' } } })
