/** Decides how long a sprite may idle before it leaves. Pure. */
import { wakeAtMs } from '../kinds/sprite/asks.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import { limitsOf } from '../kinds/tenant/limits.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import { parseTimestamp } from '../../system/timestamp.ts'

/** Idle time where neither sprite nor tenant says one, in seconds. */
const IDLE_TIMEOUT_SECONDS = 300

/** How long the sprite may idle: its own time within its tenant's; 0 (never ends) when it always runs. */
export function idleTimeoutMs(sprite: Sprite, tenant: Tenant): number {
  if (sprite.spec.runPolicy === 'Always') return 0
  const most = limitsOf(tenant)?.spriteIdleTimeoutSeconds ?? IDLE_TIMEOUT_SECONDS
  const timeoutMs = Math.min(sprite.spec.idleTimeoutSeconds ?? most, most) * 1_000
  return timeoutMs + Math.min(timeoutMs, wakeExtensionMs(sprite))
}

/** A wake-up while it idles: its process counts from when it began to idle, and is to stay from the wake-up on. */
function wakeExtensionMs(sprite: Sprite): number {
  const idleSinceMs = parseTimestamp(sprite.status?.idleSince)
  // The time of the wake-up is the control plane's own: it is not ahead.
  const wokenAtMs = wakeAtMs(sprite, Infinity)
  return idleSinceMs === undefined || wokenAtMs === undefined ? 0 : Math.max(0, wokenAtMs - idleSinceMs)
}
