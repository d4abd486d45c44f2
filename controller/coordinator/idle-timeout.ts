/** Decides how long a sprite may idle before it leaves. Pure. */
import type { Sprite } from '../kinds/sprite/schema.ts'
import { limitsOf } from '../kinds/tenant/limits.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'

/** Idle time where neither sprite nor tenant says one, in seconds. */
const IDLE_TIMEOUT_SECONDS = 300

/** How long the sprite may idle: its own time within its tenant's; 0 (never ends) when it always runs. */
export function idleTimeoutMs(sprite: Sprite, tenant: Tenant): number {
  if (sprite.spec.runPolicy === 'Always') return 0
  const most = limitsOf(tenant)?.spriteIdleTimeoutSeconds ?? IDLE_TIMEOUT_SECONDS
  return Math.min(sprite.spec.idleTimeoutSeconds ?? most, most) * 1_000
}
