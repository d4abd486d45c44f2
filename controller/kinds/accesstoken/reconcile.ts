/** The shell of the AccessToken: looks for the User that it names, and at the clock. */
import { isDeleting, keyOf, type Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions } from '../../engine/types.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { moved } from '../changes.ts'
import { outcomeOf, publishStatus, SMALL_KIND, type KindPorts } from '../publish.ts'
import { userKind, type User } from '../user/schema.ts'
import { decideAccessToken, type AccessTokenWorld } from './decide.ts'
import { accessTokenKind } from './schema.ts'

/** The controller `accesstoken`. */
export function accessTokenController(ports: KindPorts): ControllerOptions {
  return {
    name: 'accesstoken',
    kind: accessTokenKind,
    watches: [watchOf(userKind, (user, previous) => tokensOf(ports, user, previous))],
    reconcile: async (key, signal) => {
      const world = observeAccessToken(ports, key)
      if (world === undefined) return DONE
      const decision = decideAccessToken(world)
      await publishStatus(ports, accessTokenKind, world.token, { status: decision.status, signal })
      return outcomeOf(decision)
    },
    ...SMALL_KIND,
  }
}

/** The tokens of a User that came, went or is going. */
function tokensOf(ports: KindPorts, user: User, previous: User | undefined): readonly Key[] {
  if (!moved(user, previous, () => undefined)) return []
  return ports.cache
    .list(accessTokenKind, user.metadata.namespace)
    .filter((token) => token.spec.user === user.metadata.name)
    .map(keyOf)
}

function observeAccessToken(ports: KindPorts, key: Key): AccessTokenWorld | undefined {
  const token = ports.cache.get(accessTokenKind, key)
  if (token === undefined) return undefined
  const nowMs = ports.clock.now()
  return { token, nowMs, now: timestamp(nowMs), hasUser: hasUser(ports, key.namespace, token.spec.user) }
}

function hasUser(ports: KindPorts, namespace: string, name: string | undefined): boolean {
  if (name === undefined) return true
  const user = ports.cache.get(userKind, { namespace, name })
  return user !== undefined && !isDeleting(user)
}
