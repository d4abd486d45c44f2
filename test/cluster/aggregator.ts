/** Stands in for kube-apiserver's aggregator: knows callers by token, names them by headers, proves itself by a certificate. */
import * as https from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestPair } from '../../controller/server/test-certificates.ts'
import { passOn } from './pass-on.ts'

/** A caller as the cluster knows it. */
export type ClusterUser = { readonly name: string; readonly groups: readonly string[] }

/** Where it listens, and for whom. */
export type AggregatorOptions = {
  readonly serving: TestPair
  /** With which it proves itself to our API. */
  readonly client: TestPair
  readonly apiPort: number
  readonly apiCa: string
  /** Callers by token. */
  readonly users: ReadonlyMap<string, ClusterUser>
}

/** A running aggregator. */
export type Aggregator = { readonly url: string; readonly stop: () => Promise<void> }

/** Opens it on a free port. */
export async function openAggregator(options: AggregatorOptions): Promise<Aggregator> {
  const agent = new https.Agent({ keepAlive: true, ca: options.apiCa, ...options.client })
  const server = https.createServer(options.serving, (request, response) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
    const user = options.users.get(token ?? '')
    if (user === undefined) {
      response.writeHead(401, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 401 }))
    } else passOnAs({ ...options, agent }, { request, response, user })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is always of this form.
  const { port } = server.address() as AddressInfo
  return {
    url: `https://127.0.0.1:${port}`,
    stop: async () => {
      agent.destroy()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function passOnAs(
  { agent, apiPort }: Pick<AggregatorOptions, 'apiPort'> & { readonly agent: https.Agent },
  { request, response, user }: { request: IncomingMessage; response: ServerResponse; user: ClusterUser },
): void {
  // As kube-apiserver does: the caller's credentials stay here, and its own word for who it is goes nowhere.
  const kept = Object.entries(request.headersDistinct).filter(
    ([name]) => name !== 'authorization' && name !== 'host' && !name.startsWith('x-remote-'),
  )
  const headers = { ...Object.fromEntries(kept), 'x-remote-user': user.name, 'x-remote-group': [...user.groups] }
  const { method, url } = request
  passOn(request, response, (onAnswer) =>
    https.request({ host: '127.0.0.1', port: apiPort, agent, method, path: url, headers }, onAnswer),
  )
}
