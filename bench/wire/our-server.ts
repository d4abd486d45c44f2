/** The product's API server over a store, as a process of the wire benchmark. */
import { join } from 'node:path'
import { resourceOf } from '../../controller/api/resource-of.ts'
import { KINDS } from '../../controller/kinds/kinds.ts'
import { spriteKind } from '../../controller/kinds/sprite/schema.ts'
import { CORE_RESOURCES, namespaceResource } from '../../controller/registry/core.ts'
import { createRegistry } from '../../controller/registry/create-registry.ts'
import { createFairSeats } from '../../controller/server/fair-seats.ts'
import { createApiServer } from '../../controller/server/server.ts'
import { createTokenSet, mintToken } from '../../controller/server/tokens.ts'
import { openDatabase } from '../../controller/store/database.ts'
import { openEmbeddedStore } from '../../controller/store/embedded.ts'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { cpuMs, heapMb } from './meter.ts'
import { serveOrders, type ServerOrder, type ServerStart } from './messages.ts'
import { NAMESPACE, spriteBody } from './objects.ts'

const start = JSON.parse(process.argv[2] ?? '{}') as ServerStart
const [clock, entropy, log, metrics] = [realClock, realEntropy, silentLog, createMetrics()]
const database = openDatabase(start.folder === undefined ? ':memory:' : join(start.folder, 'store.db'))
const store = openEmbeddedStore({ database })
const sprites = resourceOf(spriteKind)
const registry = createRegistry({
  store,
  resources: [...CORE_RESOURCES, ...KINDS.map((kind) => (kind === spriteKind ? sprites : resourceOf(kind)))],
  clock,
  entropy,
  builtinAgentTypes: new Set(['copywriter']),
})
const actor = { name: 'admin', groups: ['system:masters'] }
const { token, record } = mintToken(actor, entropy)
const server = createApiServer({
  registry,
  authenticate: createTokenSet([record]).authenticate,
  seats: createFairSeats({ clock, metrics }),
  clock,
  entropy,
  log,
  metrics,
})

const create = (name: string) => registry.create(sprites, NAMESPACE, spriteBody(name), { actor, fieldManager: 'bench' })

async function createMany(count: number, inFlight: number, prefix: string): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await create(`${prefix}-${next++}`)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
}

/** The first change must be one: the objects are made with 10,000. */
let emitted = 1
let batches = 0

async function run(order: ServerOrder): Promise<Record<string, number>> {
  switch (order.do) {
    case 'fill':
      await createMany(order.objects, 64, 's')
      return {}
    case 'emit': {
      // Five digits: every event is as long as the others.
      const patch = { spec: { idleTimeoutSeconds: 10_000 + (emitted++ % 2) } }
      const key = { namespace: NAMESPACE, name: 's-0' }
      await registry.patch(sprites, key, { type: 'merge', body: patch }, { actor, fieldManager: 'bench' })
      return {}
    }
    case 'create': {
      const startedMs = clock.monotonic()
      await createMany(order.count, order.inFlight, `c${batches++}`)
      return { durationMs: clock.monotonic() - startedMs }
    }
    case 'cpu':
      return { cpuMs: cpuMs() }
    case 'heap':
      return { heapMb: heapMb() }
    case 'stop':
      return {}
  }
}

await registry.create(namespaceResource, '', { metadata: { name: NAMESPACE } }, { actor })
const { httpPort } = await server.listen({ http: { host: '127.0.0.1', port: 0 } })
serveOrders<ServerOrder>({ port: httpPort, token }, run, async () => {
  await server.close({ graceMs: 100 })
  await store.close()
  database.close()
})
