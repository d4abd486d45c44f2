/** Tells what has changed between two looks at a fleet, one plain line a transition. Pure. */
import type { FleetState } from '../assembly/fleet-state.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import type { Work } from '../kinds/work/schema.ts'
import { doerOf, positionOf, readyMessage } from './fleet-view.ts'
import { clean, cut } from './text.ts'

/** The state before anything is known. */
export const NOTHING: FleetState = { tenants: [], projects: [], sprites: [], work: [] }

const MESSAGE_CHARS = 160

/** Lines such as `acme-corp sprite/q1-director Starting → Idle`, hand-offs told as such. */
export function transitions(before: FleetState, after: FleetState): string[] {
  const known = new Set(before.work.map(({ metadata }) => metadata.uid))
  const isKnown = (work: Work): boolean => known.has(work.metadata.uid)
  const isNew = (work: Work): boolean => !isKnown(work)
  return [
    ...changes(before.tenants, after.tenants, ({ metadata, status }) => ({
      subject: `${metadata.name} tenant`,
      phase: status?.conditions?.find(({ type }) => type === 'Ready')?.reason,
    })),
    ...changes(before.projects, after.projects, ({ metadata, status }) => ({
      subject: `${metadata.namespace} project/${metadata.name}`,
      phase: status?.phase,
    })),
    ...changes(before.sprites, after.sprites, (sprite) => ({
      subject: `${sprite.metadata.namespace} sprite/${sprite.metadata.name}`,
      phase: sprite.status?.phase,
      note: noteOfSprite(sprite),
    })),
    // In the order of the story: a result, its hand-off, what became of that.
    ...changes(before.work, after.work.filter(isKnown), tellWork),
    ...handOffs(after, after.work.filter(isNew)),
    ...changes([], after.work.filter(isNew), tellWork),
  ]
}

const tellWork = (work: Work): Told => ({
  subject: `${work.metadata.namespace} work/${work.metadata.name}`,
  phase: work.status?.phase,
  note: noteOfWork(work),
})

type Told = { readonly subject: string; readonly phase: string | undefined; readonly note?: string | undefined }

type Found = { readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string } }

function changes<T extends Found>(before: readonly T[], after: readonly T[], tell: (object: T) => Told): string[] {
  const earlier = new Map(before.map((object) => [object.metadata.uid, tell(object).phase]))
  return after.flatMap((object) => {
    const { subject, phase, note } = tell(object)
    const was = earlier.get(object.metadata.uid)
    if (phase === undefined || phase === was) return []
    const said = note === undefined ? '' : `: ${cut(clean(note), MESSAGE_CHARS)}`
    return [`${subject} ${was === undefined ? '' : `${was} → `}${phase}${said}`]
  })
}

function noteOfSprite(sprite: Sprite): string | undefined {
  const { status } = sprite
  if (status?.phase === 'Working') return status.currentTask
  if (status?.phase !== 'Queued' && status?.phase !== 'Failed' && status?.phase !== 'Blocked') return undefined
  const position = positionOf(sprite)
  const message = readyMessage(sprite)
  return message ?? (position === undefined ? undefined : `position ${position}`)
}

function noteOfWork(work: Work): string | undefined {
  const { status } = work
  switch (status?.phase) {
    case 'Assigned':
    case 'InProgress':
      return status.assignedSprite === undefined ? undefined : `by ${status.assignedSprite}`
    case 'Completed': {
      const names = (status.deliverables ?? []).map(({ name }) => name)
      const made = names.length === 0 ? undefined : `delivered ${names.join(', ')}`
      return status.rehearsal === true ? `${made ?? 'done'} (rehearsal)` : made
    }
    case 'Pending':
      return status.attemptsTotal === undefined || status.attemptsTotal === 0 ? undefined : readyMessage(work)
    case undefined:
      return undefined
    default:
      return readyMessage(work)
  }
}

/** Each child work that is new, as `director → strategist`. */
function handOffs(state: FleetState, works: readonly Work[]): string[] {
  return works.flatMap((work) => {
    if (work.spec.parent === undefined) return []
    const parent = state.work.find(
      ({ metadata }) => metadata.name === work.spec.parent && metadata.namespace === work.metadata.namespace,
    )
    const from = parent === undefined ? work.spec.parent : doerOf(parent)
    return [
      `${work.metadata.namespace} hand-off ${from} → ${doerOf(work)}: ${work.spec.type}, work/${work.metadata.name}`,
    ]
  })
}
