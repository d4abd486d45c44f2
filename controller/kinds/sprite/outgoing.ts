/** Decides whether a sprite's process is on its way out by the record: what it has counts as lost, and it gets no more. Pure. */
import type { SpriteMachine } from './schema.ts'

/**
 * True of an incarnation whose machine is gone, being destroyed, or stopped and kept. One that is being started again may
 * have claimed already.
 */
export function isOutgoing(machine: SpriteMachine | undefined, incarnation: number | undefined): boolean {
  if (machine === undefined || machine.incarnation !== incarnation || machine.intent === 'Destroy') return true
  return machine.state === 'stopped' && machine.intent === 'Stop'
}
