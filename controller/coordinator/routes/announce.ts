/** POST announce: tells a sprite that has booted who it is and how often to report. */
import { announceRequest, type AnnounceReply } from '../../../protocol/coordinator.ts'
import { readJson } from '../body.ts'
import { idleTimeoutMs } from '../idle-timeout.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { readTenant } from '../reads.ts'
import { sendJson } from '../reply.ts'
import { publishHeartbeat } from './heartbeat.ts'

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
      ...(ports.spriteUsers === undefined ? {} : { bus: true }),
    }
    sendJson(response, 200, reply)
  }
}
