/** Puts the registry together: one write path over a store, with a lock a key, and one hub for all watches. */
import { formatKey, type Key } from '../api/object.ts'
import { resourceName } from '../api/define-kind.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { apply } from './apply.ts'
import { create } from './create.ts'
import { remove } from './delete.ts'
import { createKeyedLock } from './keyed-lock.ts'
import type { RegistryOptions } from './ports.ts'
import { list } from './read.ts'
import type { Registry } from './registry.ts'
import { patch, update } from './update.ts'
import { WatchHub } from './watch-hub.ts'
import { readLive } from './write.ts'

/** Builds the registry over a store. It holds no timer and no subscription while nobody watches. */
export function createRegistry(ports: RegistryOptions): Registry {
  const hub = new WatchHub(ports)
  const lock = createKeyedLock()
  const locked = <T>(resource: ResourceDefinition, key: Key, run: () => Promise<T>): Promise<T> =>
    lock(`${resourceName(resource)}|${formatKey(key)}`, run)
  return {
    resources: ports.resources,
    get: (resource, key) => readLive(ports, resource, key),
    list: (resource, options = {}) => list(ports, resource, options),
    watch: (resource, options, signal) => hub.watch(resource, options, signal),
    create: (resource, namespace, body, context) => create(ports, resource, { namespace, body, context }),
    update: (resource, key, body, context) =>
      locked(resource, key, () => update(ports, resource, { key, body, context })),
    patch: (resource, key, asked, context) =>
      locked(resource, key, () => patch(ports, resource, { key, patch: asked, context })),
    apply: (resource, key, body, context) =>
      locked(resource, key, () => apply(ports, resource, { key, body, context })),
    delete: (resource, key, options, context) =>
      locked(resource, key, () => remove(ports, resource, { key, options, context })),
  }
}
