/** Pure: what the journal of machines says of the promises S1 and S2. */
import type { Transition } from '../../controller/providers/fly-emulator/world.ts'

/** States that do not count against a plan: confirmed stopped, confirmed destroyed. */
const ABSENT = new Set(['stopped', 'destroyed'])

/** The most machines that ran at one instant, of those that `groupOf` puts together. */
export function mostAtOnce(transitions: readonly Transition[], groupOf: (one: Transition) => string): number {
  const running = new Map<string, Set<string>>()
  let most = 0
  for (const transition of transitions) {
    const group = groupOf(transition)
    const here = running.get(group) ?? new Set<string>()
    running.set(group, here)
    if (ABSENT.has(transition.to)) here.delete(transition.id)
    else here.add(transition.id)
    most = Math.max(most, here.size)
  }
  return most
}

/** The app of a machine, which is its tenant's. */
export const tenantOf = ({ app }: Transition): string => app

/** A machine's name is its sprite's, part of its uid, and the incarnation. */
export const spriteOf = ({ app, name }: Transition): string => `${app}/${name.slice(0, name.lastIndexOf('-'))}`
