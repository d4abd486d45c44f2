/** Opens what gives sprites their own access to Redis, for every sprite that there is. */
import type { SpriteOnBus, SpriteUsers } from '../bus/sprite-users.ts'
import type { Cache } from '../engine/types.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import type { Foundations, Objects } from './foundations.ts'
import type { Undo } from './undo.ts'

/** Users of sprites; undefined without a Redis. `undo` ends them. */
export async function openSpriteUsers(parts: Foundations & Objects, undo: Undo): Promise<SpriteUsers | undefined> {
  const { environment, manager, masterKey, identity, clock, entropy, log } = parts
  const { REDIS_URL: url } = environment
  if (url === undefined) return undefined
  const { createSpriteUsers } = await import('../bus/redis/users.ts')
  const users = createSpriteUsers({
    url,
    masterKey,
    prefix: `${identity.controlPlaneId}:`,
    clock,
    entropy,
    log,
    current: () => (manager.isSynced ? spritesOnBus(manager.cache) : undefined),
  })
  undo.add(() => users.close())
  return users
}

/** Every sprite's current incarnation. */
export function* spritesOnBus(cache: Pick<Cache, 'list'>): Generator<SpriteOnBus> {
  for (const { metadata, status } of cache.list(spriteKind)) {
    const incarnation = status?.machine?.incarnation ?? status?.incarnation
    if (incarnation !== undefined && metadata.uid !== undefined)
      yield { tenant: metadata.namespace ?? '', sprite: metadata.name, uid: metadata.uid, incarnation }
  }
}
