/** POST announce: tells a sprite that has booted who it is and how often to report. */
import { announceRequest, type AnnounceReply } from '../../../protocol/coordinator.ts'
import { limitsOf } from '../../kinds/tenant/limits.ts'
import type { Sprite } from '../../kinds/sprite/schema.ts'
import type { Tenant } from '../../kinds/tenant/schema.ts'
import { readJson } from '../body.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { readTenant } from '../reads.ts'
import { sendJson } from '../reply.ts'
import { publishHeartbeat } from './heartbeat.ts'

/** Idle time where neither sprite nor tenant says one, in seconds. */
const IDLE_TIMEOUT_SECONDS = 300

/** Announcing is a sign of life; announcing again changes nothing. */
export function announceRoute(ports: CoordinatorPorts): SpriteRoute {
  return async ({ request, response, caller, signal }) => {
    const body = await readJson(request, announceRequest)
    const { identity, sprite } = caller
    const tenant = await readTenant(ports, identity.tenant, signal)
    await publishHeartbeat(ports, identity, { state: 'idle' })
    const { incarnation } = identity
    ports.log.info(
      { tenant: identity.tenant, sprite: identity.sprite, incarnation, version: body.version },
      'sprite is up',
    )
    const reply: AnnounceReply = {
      tenant: identity.tenant,
      sprite: identity.sprite,
      agentType: sprite.spec.agentType,
      incarnation,
      heartbeatIntervalMs: ports.settings.heartbeatIntervalMs,
      idleTimeoutMs: idleTimeoutMs(sprite, tenant),
      lostAfterMs: ports.settings.lostAfterMs,
    }
    sendJson(response, 200, reply)
  }
}

/** How long the sprite may idle: its own time within its tenant's; 0 (never ends) when it always runs. */
export function idleTimeoutMs(sprite: Sprite, tenant: Tenant): number {
  if (sprite.spec.runPolicy === 'Always') return 0
  const most = limitsOf(tenant)?.spriteIdleTimeoutSeconds ?? IDLE_TIMEOUT_SECONDS
  return Math.min(sprite.spec.idleTimeoutSeconds ?? most, most) * 1_000
}
