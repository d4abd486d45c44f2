/** Reads the chain of hand-offs above a work, bounded in depth. */
import { HANDOFF_DEPTH_MAX, type Work } from '../kinds/work/schema.ts'
import type { CoordinatorPorts } from './ports.ts'
import { readWork } from './reads.ts'

/** The works above this one along spec.parent, oldest first; it ends where one is missing or comes again. */
export async function ancestorsOf(ports: CoordinatorPorts, work: Work, signal: AbortSignal): Promise<Work[]> {
  const tenant = work.metadata.namespace ?? ''
  const ancestors: Work[] = []
  const seen = new Set([work.metadata.name])
  let parent = work.spec.parent
  while (parent !== undefined && !seen.has(parent) && ancestors.length < HANDOFF_DEPTH_MAX) {
    seen.add(parent)
    const found = await readWork(ports, { tenant, work: parent }, signal)
    if (found === undefined) break
    ancestors.unshift(found)
    parent = found.spec.parent
  }
  return ancestors
}
