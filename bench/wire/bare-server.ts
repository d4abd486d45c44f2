/** The floor: the least that node:http needs to send the same bytes. */
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpuMs, heapMb } from './meter.ts'
import { serveOrders, type ServerOrder, type ServerStart } from './messages.ts'

const start = JSON.parse(process.argv[2] ?? '{}') as ServerStart
const bodies = new Map(Object.entries(start.files ?? {}).map(([path, file]) => [path, readFileSync(file)]))
const event = Buffer.from(start.event ?? '')
const open = new Set<ServerResponse>()

const server = createServer((request, response) => {
  if (request.url?.includes('watch=1') === true) {
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
    open.add(response)
    response.once('close', () => open.delete(response))
    return
  }
  const body = bodies.get(request.url ?? '')
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body?.length ?? 0 })
  response.end(body)
})

function run(order: ServerOrder): Record<string, number> {
  if (order.do === 'emit') for (const response of open) response.write(event)
  if (order.do === 'cpu') return { cpuMs: cpuMs() }
  if (order.do === 'heap') return { heapMb: heapMb() }
  return {}
}

server.maxConnections = 5_000
server.listen(0, '127.0.0.1', () =>
  serveOrders<ServerOrder>(
    // A TCP listener's address is always of this form.
    { port: (server.address() as AddressInfo).port },
    (order) => Promise.resolve(run(order)),
    () => {
      server.close()
      server.closeAllConnections()
    },
  ),
)
