/** Refuses what comes too late, and leaves a trace of it: a count, a log line and an event. */
import type { KubeObject } from '../api/object.ts'
import { CoordinatorError } from './fault.ts'
import type { CoordinatorPorts } from './ports.ts'
import type { SpriteIdentity } from './tokens.ts'

type Late = {
  /** The object that the event is recorded on, where it still exists. */
  readonly subject: KubeObject | undefined
  readonly identity: SpriteIdentity
  /** What is not the current one. */
  readonly what: 'sprite' | 'incarnation' | 'attempt'
  readonly message: string
}

/** The Fenced error for a late caller, counted, logged and recorded. */
export function refuse(ports: Pick<CoordinatorPorts, 'metrics' | 'log' | 'recorder'>, late: Late): CoordinatorError {
  const { identity, what, message } = late
  ports.metrics
    .counter('sprites_coordinator_fenced_total', 'Requests of late incarnations and attempts that were refused.', [
      'what',
    ])
    .add({ what })
  const { tenant, sprite, incarnation } = identity
  // Whoever was cut off is late when it comes back: that is as it should be.
  ports.log.info({ tenant, sprite, incarnation, what }, message)
  if (late.subject !== undefined) ports.recorder?.event(late.subject, 'Warning', 'Fenced', message)
  return new CoordinatorError('Fenced', message)
}
