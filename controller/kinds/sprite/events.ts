/** Tells operators of a sprite's transitions as events: what has happened, not what is. */
import type { Recorder } from '../../engine/types.ts'
import { findCondition } from '../../api/conditions.ts'
import type { Sprite, SpriteStatus } from './schema.ts'

/** Reasons that an operator should be warned of. */
const WARNINGS: ReadonlySet<string> = new Set([
  'StartTimeout',
  'HeartbeatLost',
  'MachineExited',
  'OutOfMemory',
  'CrashLoop',
  'NoCapacity',
  'QuotaExceeded',
  'CredentialsInvalid',
  'InvalidSpec',
  'NameConflict',
  'HostUnreachable',
  'DestroyBrake',
  'PersonaNotFound',
  'AgentTypeNotAllowed',
  'ProviderRefused',
])

/** One event for each change of phase or reason, and one for each machine made. */
export function recordTransitions(recorder: Recorder, before: Sprite, next: SpriteStatus): void {
  const reason = findCondition(next.conditions, 'Ready')
  const old = findCondition(before.status?.conditions, 'Ready')
  if (next.machine?.id !== undefined && before.status?.machine?.id === undefined)
    recorder.event(before, 'Normal', 'MachineCreated', `Created machine ${next.machine.id} as ${next.machine.name}`)
  if (reason !== undefined && (reason.reason !== old?.reason || before.status?.phase !== next.phase))
    recorder.event(before, WARNINGS.has(reason.reason) ? 'Warning' : 'Normal', reason.reason, reason.message)
  if (before.status?.machine !== undefined && next.machine === undefined)
    recorder.event(before, 'Normal', 'MachineGone', `Machine ${before.status.machine.name} is confirmed gone`)
}
