/** Decides whether a sprite may be woken or drained, and what is declared for it. Pure. */
import { microTimestamp } from '../../../system/timestamp.ts'
import { isDeleting } from '../../api/object.ts'
import { inTheWay, type ActionVerdict } from '../action.ts'
import { DRAIN_AT_ANNOTATION, isPaused, PAUSED_ANNOTATION, WAKE_AT_ANNOTATION } from '../marks.ts'
import type { Project } from '../project/schema.ts'
import type { Tenant } from '../tenant/schema.ts'
import { drainAtMs, isToDrain, isWakePending, wakeAtMs } from './asks.ts'
import type { Sprite } from './schema.ts'
import { lacksPersona, wantsMachine, type WantReason } from './want.ts'

/** What an action on a sprite is judged by. */
export type SpriteActionWorld = {
  readonly nowMs: number
  readonly sprite: Sprite
  readonly tenant: Tenant | undefined
  readonly project: Project | undefined
  /** Who has frozen its machine, in words; undefined when nobody has. */
  readonly frozenBy: string | undefined
}

/** What keeps a machine from starting whatever work there were; the rest passes by itself. */
const LASTING: Partial<Readonly<Record<WantReason, (sprite: Sprite) => ActionVerdict>>> = {
  Deleting: () => inTheWay('it is being deleted'),
  TenantNotReady: () => inTheWay('its tenant is not active: see its conditions'),
  AgentTypeNotAllowed: ({ spec }) => ({
    do: 'refuse',
    reason: 'Forbidden',
    why: `agent type "${spec.agentType}" is not among the tenant's enabledAgents: add it there first`,
  }),
  Suspended: () => inTheWay('its tenant or project is suspended: set spec.suspend to false first'),
  Stopped: () => inTheWay('spec.runPolicy is "Stopped": set it to OnDemand or Always first'),
}

/** Its machine is to start although there is no work, or to stay. A wake-up that still stands is not asked for anew. */
export function judgeWake(world: SpriteActionWorld): ActionVerdict {
  const { sprite, nowMs } = world
  const { reason } = wantsMachine({ ...world, assignedWork: 1, isRevoked: false })
  const lasting = LASTING[reason]?.(sprite) ?? standingVerdict(world)
  if (lasting !== undefined) return lasting
  if (lacksPersona(sprite)) return inTheWay(`no persona is named "${sprite.spec.agentType}": declare one first`)
  if (isWakePending(sprite, nowMs)) return { do: 'nothing' }
  // Of two in the same millisecond the later must win.
  const atMs = Math.max(nowMs, (drainAtMs(sprite, nowMs) ?? -Infinity) + 1)
  return annotated(WAKE_AT_ANNOTATION, atMs)
}

/** Its machine is to finish its task and stop. Without a machine that runs, and without a wake-up, it is so already. */
export function judgeDrain(world: Pick<SpriteActionWorld, 'sprite' | 'nowMs' | 'frozenBy'>): ActionVerdict {
  const { sprite, nowMs } = world
  const standing = isDeleting(sprite) ? inTheWay('it is being deleted') : standingVerdict(world)
  if (standing !== undefined) return standing
  const intent = sprite.status?.machine?.intent
  const comesToRest = intent === undefined || intent === 'Stop' || intent === 'Destroy' || isToDrain(sprite, nowMs)
  if (comesToRest && !isWakePending(sprite, nowMs)) return { do: 'nothing' }
  return annotated(DRAIN_AT_ANNOTATION, Math.max(nowMs, wakeAtMs(sprite, nowMs) ?? -Infinity))
}

/** Nothing would come of it before the thaw, when whoever asks has long gone. */
const standingVerdict = ({
  sprite,
  frozenBy,
}: Pick<SpriteActionWorld, 'sprite' | 'frozenBy'>): ActionVerdict | undefined =>
  frozenBy === undefined
    ? pausedVerdict(sprite)
    : inTheWay(`its machine is frozen by ${frozenBy}: take that away first`)

const pausedVerdict = (sprite: Sprite): ActionVerdict | undefined =>
  isPaused(sprite) ? inTheWay(`annotation ${PAUSED_ANNOTATION} says hands off: remove it first`) : undefined

const annotated = (annotation: string, atMs: number): ActionVerdict => ({
  do: 'change',
  patch: { metadata: { annotations: { [annotation]: microTimestamp(atMs) } } },
})
