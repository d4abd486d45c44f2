/** Opens this process's share of the tenants: all of them where no other process works on them, else what its leases say. */
import { hostname } from 'node:os'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { isShared, rolesOf, type Environment } from '../config.ts'
import { soleOwner, type Ownership } from '../engine/ownership.ts'
import { createRegistryLeasesPort } from '../engine/registry-ports.ts'
import { createShards, type Shards } from '../engine/shards.ts'
import type { Registry } from '../registry/registry.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { Undo } from './undo.ts'

/** Where the store does not answer, others take the shards when the lease has ended: a stop need not wait for long. In ms. */
const STOP_MS = 4_000

/** A share of the tenants; `start` joins, `stop` gives everything back. */
export type Share = Ownership & Pick<Shards, 'start' | 'stop'>

/** All tenants, where no other process works on them. */
export const wholeShare = (): Share => ({ ...soleOwner(), start: () => {}, stop: () => Promise.resolve() })

/** The share of this process; nothing is claimed before `start`. */
export function openShare(ports: {
  readonly environment: Environment
  readonly registry: Registry
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
}): Share {
  const { environment, registry, clock, entropy } = ports
  if (!isShared(environment) || !rolesOf(environment).has('controller')) return wholeShare()
  const log = ports.log.child({ part: 'shards' })
  const shards = createShards({
    port: createRegistryLeasesPort(registry, { clock, log }),
    clock,
    entropy,
    log,
    namespace: SYSTEM_NAMESPACE,
    identity: hostname(),
    stopMs: STOP_MS,
  })
  const held = ports.metrics.gauge('sprites_shards_held', 'Shards of tenants that this process acts for.')
  held.set(0)
  shards.onChange(() => held.set(shards.held.length))
  return shards
}

/** Ends what was begun; waits for it. */
export type Ending = () => Promise<void>

/** Keeps something running while this process has what is nobody's: `begin` gives what ends it. */
export function whileOurs(
  share: Ownership,
  begin: () => Promise<Ending>,
  { log }: { readonly log: Log },
  undo: Undo,
): void {
  let last: Promise<Ending | undefined> = Promise.resolve(undefined)
  const follow = (isOurs: boolean): Promise<void> => {
    last = last.then(async (end) => {
      if (isOurs === (end !== undefined)) return end
      if (!isOurs) {
        await end?.()
        return undefined
      }
      return await begin().catch((error: unknown) => {
        log.error({ err: error }, 'cannot begin the upkeep of the store')
        return undefined
      })
    })
    return last.then(() => {})
  }
  const unlisten = share.onChange((change) => (change.has('') ? follow(change.type === 'gained') : undefined))
  void follow(share.owns(''))
  undo.add(async () => {
    unlisten()
    await follow(false)
  })
}
