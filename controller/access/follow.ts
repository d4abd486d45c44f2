/** Follows all objects of a resource by list and watch, and begins anew whenever the watch ends. */
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Registry } from '../registry/registry.ts'

/** What following needs of the process. */
export type FollowPorts = {
  readonly registry: Pick<Registry, 'list' | 'watch'>
  readonly clock: Clock
  readonly log: Log
}

/** Who is told. */
export type Follower = {
  /** Everything that there is, at the beginning and after a gap. */
  readonly replace: (objects: readonly KubeObject[]) => void
  readonly put: (object: KubeObject) => void
  readonly remove: (object: KubeObject) => void
}

/** Between the end of a watch and the next list. */
const RELIST_MS = 500

/** Follows until the signal aborts; `onSynced` is called after the first list. Never rejects. */
export async function follow(
  ports: FollowPorts,
  resource: ResourceDefinition,
  follower: Follower & { readonly onSynced: () => void },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await once(ports, resource, follower, signal)
    } catch (error) {
      const why = error instanceof Error ? error.message : 'unknown'
      if (!signal.aborted) ports.log.warn({ resource: resource.plural, why }, 'rights are listed anew')
    }
    await ports.clock.sleep(RELIST_MS, signal).catch(() => undefined)
  }
}

async function once(
  { registry }: FollowPorts,
  resource: ResourceDefinition,
  follower: Follower & { readonly onSynced: () => void },
  signal: AbortSignal,
): Promise<void> {
  const { items, resourceVersion } = await registry.list(resource)
  if (signal.aborted) return
  follower.replace(items)
  follower.onSynced()
  for await (const { type, object } of registry.watch(resource, { resourceVersion }, signal)) {
    if (type === 'DELETED') follower.remove(object)
    else if (type !== 'BOOKMARK') follower.put(object)
  }
}
