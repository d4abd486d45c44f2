/** The shell of the User: looks for others with the same e-mail address. */
import { keyOf, type Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions } from '../../engine/types.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { moved } from '../changes.ts'
import { publishStatus, SMALL_KIND, type KindPorts } from '../publish.ts'
import { sameEmail } from './admit.ts'
import { decideUser, type UserWorld } from './decide.ts'
import { userKind, type User } from './schema.ts'

/** The controller `user`. */
export function userController(ports: KindPorts): ControllerOptions {
  return {
    name: 'user',
    kind: userKind,
    watches: [watchOf(userKind, (user, previous) => namesakesToWake(ports, user, previous))],
    reconcile: async (key, signal) => {
      const world = observeUser(ports, key)
      if (world === undefined) return DONE
      await publishStatus(ports, userKind, world.user, { ...decideUser(world), signal })
      return DONE
    },
    ...SMALL_KIND,
  }
}

/** Those who have, or had, the address of a User that came, went or changed it. */
function namesakesToWake(ports: KindPorts, user: User, previous: User | undefined): readonly Key[] {
  if (!moved(user, previous, (one) => one.spec.email.toLowerCase())) return []
  return ports.cache
    .list(userKind, user.metadata.namespace)
    .filter((other) => other.metadata.name !== user.metadata.name)
    .filter((other) => sameEmail(other, user) || (previous !== undefined && sameEmail(other, previous)))
    .map(keyOf)
}

function observeUser(ports: KindPorts, key: Key): UserWorld | undefined {
  const user = ports.cache.get(userKind, key)
  if (user === undefined) return undefined
  const others = ports.cache.list(userKind, key.namespace)
  const namesakes = others.filter((other) => other.metadata.name !== key.name && sameEmail(other, user))
  return { user, now: timestamp(ports.clock.now()), namesakes }
}
