/** What cached objects cost: a store full of them, read through the registry as caches read them. */
import { resourceOf } from '../../controller/api/resource-of.ts'
import { spriteKind } from '../../controller/kinds/sprite/schema.ts'
import { CORE_RESOURCES, namespaceResource } from '../../controller/registry/core.ts'
import { createRegistry } from '../../controller/registry/create-registry.ts'
import { createMemoryStore } from '../../controller/store/memory.ts'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { heapMb } from './meter.ts'
import { serveOrders } from './messages.ts'
import { NAMESPACE, spriteBody } from './objects.ts'

type Order = { readonly do: 'measure'; readonly objects: number } | { readonly do: 'stop' }

const actor = { name: 'admin', groups: ['system:masters'] }
const sprites = resourceOf(spriteKind)
const store = createMemoryStore()
const registry = createRegistry({
  store,
  resources: [...CORE_RESOURCES, sprites],
  clock: realClock,
  entropy: realEntropy,
  builtinAgentTypes: new Set(['copywriter']),
})
/** A cache as an informer keeps it: by key, the objects of the registry themselves. */
const cache = new Map<string, unknown>()
let made = 0

async function measure(objects: number): Promise<Record<string, number>> {
  const before = heapMb()
  const names = Array.from({ length: objects }, () => `s-${made++}`)
  for (const name of names)
    await registry.create(sprites, NAMESPACE, spriteBody(name), { actor, fieldManager: 'bench' })
  let jsonBytes = 0
  for (const name of names) {
    const object = await registry.get(sprites, { namespace: NAMESPACE, name })
    cache.set(name, object)
    jsonBytes += Buffer.byteLength(JSON.stringify(object))
  }
  return { heapMb: heapMb() - before, jsonMb: jsonBytes / 1024 / 1024 }
}

await registry.create(namespaceResource, '', { metadata: { name: NAMESPACE } }, { actor })
serveOrders<Order>(
  {},
  (order) => measure(order.do === 'measure' ? order.objects : 0),
  () => undefined,
)
