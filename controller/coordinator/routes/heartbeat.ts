/** POST heartbeat: passes a sign of life on to the bus, and tells the sprite to go on, drain or abandon. */
import { spriteHeartbeat, type HeartbeatMessage } from '../../../protocol/channels.ts'
import { heartbeatRequest, type HeartbeatReply, type HeartbeatRequest } from '../../../protocol/coordinator.ts'
import { isDeleting } from '../../api/object.ts'
import { isOutgoing } from '../../kinds/sprite/outgoing.ts'
import type { Sprite } from '../../kinds/sprite/schema.ts'
import { tenantKind, type Tenant } from '../../kinds/tenant/schema.ts'
import { workKind, type Work } from '../../kinds/work/schema.ts'
import { holdsAttempt, isStopped, type Holder } from '../attempt.ts'
import { readJson } from '../body.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { getCached, readWork } from '../reads.ts'
import { idleTimeoutMs } from '../idle-timeout.ts'
import { sendJson } from '../reply.ts'
import type { SpriteIdentity } from '../tokens.ts'

/** Heartbeats go to the bus, never to the store. */
export function heartbeatRoute(ports: CoordinatorPorts): SpriteRoute {
  return async ({ request, response, caller, signal }) => {
    const body = await readJson(request, heartbeatRequest)
    const { identity, sprite } = caller
    await publishHeartbeat(ports, identity, { state: body.state, ...(body.work ? { work: body.work.name } : {}) })
    const tenant = await getCached(ports, {
      kind: tenantKind,
      key: { namespace: '', name: identity.tenant },
      signal,
    })
    const reply: HeartbeatReply = {
      directive: await directiveNow(ports, { body, identity, sprite, tenant }, signal),
      ...(tenant === undefined ? {} : { idleTimeoutMs: idleTimeoutMs(sprite, tenant) }),
    }
    sendJson(response, 200, reply)
  }
}

/**
 * What the sprite is to do, by the cache: each heartbeat would cost a read else. Only what would make it abandon its
 * task is looked up: the cache may not have seen the claim yet.
 */
async function directiveNow(
  ports: CoordinatorPorts,
  world: Omit<Parameters<typeof directiveFor>[0], 'work'> & { readonly identity: SpriteIdentity },
  signal: AbortSignal,
): Promise<HeartbeatReply['directive']> {
  const name = world.body.work?.name
  if (name === undefined) return directiveFor({ ...world, work: undefined })
  const { tenant } = world.identity
  const known = ports.cache?.get(workKind, { namespace: tenant, name })
  const directive = directiveFor({ ...world, work: known })
  if (known !== undefined && directive !== 'abandon') return directive
  return directiveFor({ ...world, work: await readWork(ports, { tenant, work: name }, signal) })
}

/** What the sprite is to do. An attempt that is void is abandoned first; draining follows with the next heartbeat. */
export function directiveFor(world: {
  readonly body: HeartbeatRequest
  readonly identity: Holder
  readonly sprite: Sprite
  readonly tenant: Tenant | undefined
  readonly work: Work | undefined
}): HeartbeatReply['directive'] {
  const { body, sprite, tenant, work } = world
  if (body.work !== undefined) {
    const isCurrent = work !== undefined && holdsAttempt(work, world.identity, body.work.attempt) && !isStopped(work)
    if (!isCurrent) return 'abandon'
  }
  const goes = isOutgoing(sprite.status?.machine, world.identity.incarnation)
  const drains = goes || sprite.status?.phase === 'Draining' || isDeleting(sprite)
  return drains || tenant === undefined || isDeleting(tenant) ? 'drain' : 'continue'
}

/** Publishes a sign of life; a bus that is away costs the hint, not the request. */
export async function publishHeartbeat(
  ports: Pick<CoordinatorPorts, 'bus' | 'clock' | 'log'>,
  identity: SpriteIdentity,
  life: Pick<HeartbeatMessage, 'state' | 'work'>,
): Promise<void> {
  const { uid, incarnation } = identity
  const message: HeartbeatMessage = { uid, incarnation, ...life, atMs: ports.clock.now() }
  try {
    await ports.bus.publish(spriteHeartbeat(identity.tenant, identity.sprite), message)
  } catch (error) {
    ports.log.warn({ tenant: identity.tenant, sprite: identity.sprite, error }, 'heartbeat was not passed on')
  }
}
