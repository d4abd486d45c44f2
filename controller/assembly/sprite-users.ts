/** Opens what gives sprites their own access to Redis, for every sprite that there is. */
import type { SpriteOnBus, SpriteUsers } from '../bus/sprite-users.ts'
import type { Manager } from '../engine/manager.ts'
import type { Cache } from '../engine/types.ts'
import { spriteKind, type Sprite } from '../kinds/sprite/schema.ts'
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
  revokeEnded(manager, users)
  return users
}

/** Ends the access of an incarnation as soon as it is over; what fails then is left to the sweep. Before the manager starts. */
export function revokeEnded(manager: Pick<Manager, 'onChange'>, users: Pick<SpriteUsers, 'revoke'>): void {
  manager.onChange(spriteKind, (object, previous, { type }) => {
    // The informer of sprites has nothing else.
    const [before] = onBus((previous ?? object) as Sprite)
    const [now] = type === 'DELETED' ? [] : onBus(object as Sprite)
    if (before === undefined || (before.uid === now?.uid && before.incarnation === now.incarnation)) return
    void users.revoke(before)
  })
}

/** Every sprite's current incarnation. */
export function* spritesOnBus(cache: Pick<Cache, 'list'>): Generator<SpriteOnBus> {
  for (const sprite of cache.list(spriteKind)) yield* onBus(sprite)
}

/** The current incarnation, if there is one. */
function onBus({ metadata, status }: Sprite): readonly SpriteOnBus[] {
  const incarnation = status?.machine?.incarnation ?? status?.incarnation
  if (incarnation === undefined || incarnation < 1 || metadata.uid === undefined) return []
  return [{ tenant: metadata.namespace ?? '', sprite: metadata.name, uid: metadata.uid, incarnation }]
}
