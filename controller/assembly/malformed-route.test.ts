/** Tests of the route that names malformed documents, over loopback http. */
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { allowAll } from '../access/authorizer.ts'
import { MALFORMED_PATH, replyOf, routeMalformed, type Malformed, type MalformedRoutePorts } from './malformed-route.ts'

let server: http.Server
let malformed: readonly Malformed[] | undefined

beforeEach(async () => {
  malformed = [{ path: 'tenants/acme/work/x', fault: 'kind must be …' }]
  // The route asks the store for nothing else.
  const store = { malformed: () => malformed ?? [] } as unknown as MalformedRoutePorts['store']
  const ports: MalformedRoutePorts = {
    store,
    authenticate: (token) => (['admin', 'member'].includes(token) ? { name: token, groups: [] } : undefined),
    authorizer: {
      decidePath: (actor, verb, path) =>
        actor.name === 'admin'
          ? allowAll.decidePath(actor, verb, path)
          : { isAllowed: false, reason: 'only platform admins may', isHidden: false },
    },
  }
  server = http.createServer((request, response) => {
    const url = new URL(`http://server.invalid${request.url ?? '/'}`)
    void routeMalformed(ports, request, response, url).then((isOurs) => isOurs || response.writeHead(404).end())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
})
afterEach(async () => {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
})

async function ask(token?: string, method = 'GET', path = MALFORMED_PATH): Promise<readonly [number, unknown]> {
  // It listens on a port.
  const { port } = server.address() as AddressInfo
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers })
  return [response.status, response.status === 404 ? undefined : await response.json()]
}

it('DR10 platform admins are told what is malformed', async () => {
  expect(await ask('admin')).toEqual([200, { documents: malformed, more: 0 }])
})

it('DR10 nobody else is, and nothing but a read is answered', async () => {
  expect((await ask())[0]).toBe(401)
  expect((await ask('stranger'))[0]).toBe(401)
  expect(await ask('member')).toMatchObject([403, { reason: 'Forbidden' }])
  expect((await ask('admin', 'DELETE'))[0]).toBe(405)
  expect((await ask('admin', 'GET', `${MALFORMED_PATH}/x`))[0]).toBe(404)
})

it('DR10 of very many the first are named, and the rest counted', () => {
  const many = Array.from({ length: 250 }, (_, index) => ({
    path: `plans/${String(index).padStart(3, '0')}`,
    fault: 'x',
  }))
  const { documents, more } = replyOf(many.toReversed())
  expect([documents.length, documents[0]?.path, more]).toEqual([100, 'plans/000', 150])
})
