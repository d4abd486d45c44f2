/** Makes what controllers run in, over any place where objects lie, and runs it in the order that its end needs. */
import type { Client } from '../client/client.ts'
import { createManager, type Manager } from '../engine/manager.ts'
import { createRegistryEventSink } from '../engine/registry-ports.ts'
import { KINDS } from '../kinds/kinds.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import type { MachineFeed } from '../providers/machine-feed.ts'
import type { Registry } from '../registry/registry.ts'
import type { Foundations } from './foundations.ts'
import type { Machines } from './machines.ts'
import type { Share } from './shards.ts'
import type { Undo } from './undo.ts'

/** What the controllers look at and write to. */
type Ports = Pick<Foundations, 'clock' | 'entropy' | 'log' | 'metrics'> & {
  readonly client: Client
  readonly registry: Registry
  readonly share: Share
}

/** Passes that wait for a store or a Fly that does not answer must not use up the time to stop, in ms, twice. */
const STOP_GRACE_MS = 3_000

/** The manager of all kinds; a tenant's turns are by the priority that its plan gives. No controller is added yet. */
export function openControllers({ client, clock, entropy, log, metrics, registry, share }: Ports): Manager {
  const manager: Manager = createManager({
    client,
    clock,
    entropy,
    log,
    metrics,
    events: createRegistryEventSink(registry),
    kinds: KINDS,
    shards: share,
    stopGraceMs: STOP_GRACE_MS,
    weightOf: (tenant) => manager.cache.get(tenantKind, { namespace: '', name: tenant })?.status?.limits?.priority ?? 1,
  })
  return manager
}

/** Starts them, and what feeds them; `undo` ends all of it. Without a feed this process has caches but no controllers. */
export async function runControllers(
  parts: {
    readonly manager: Manager
    readonly machines: Machines
    readonly share: Share
    readonly feed: MachineFeed | undefined
  },
  undo: Undo,
): Promise<void> {
  const { manager, machines, share, feed } = parts
  // Sprites go while the Coordinator still answers: they give their work back. Controllers stop before that.
  undo.add(() => machines.close())
  // Shards are given back when nothing acts for them any more.
  undo.add(() => share.stop())
  undo.add(() => manager.stop())
  await manager.start()
  feed?.start()
  undo.add(async () => feed?.stop())
  share.start()
}
