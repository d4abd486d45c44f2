/** Words what a write changes in a tenant's fleet, the gravest first. Pure. */
import { counted, countedWork, named, quoted, usedText } from '../forecast-text.ts'
import { isFrozen } from '../marks.ts'
import type { Scene } from './scene.ts'
import type { ShiftAction, Shifts } from './shifts.ts'

type Machine = Shifts['machines'][number]

/** The sentences of all shifts; `own` is the sprite that is written itself and need not be named. */
export const shiftSentences = (shifts: Shifts, after: Scene, own?: string): readonly string[] => [
  ...interruptedSentence(shifts),
  ...heldSentence(shifts, after),
  ...restSentences(shifts),
  ...recalledSentence(shifts),
  ...waitSentences(shifts),
  ...objectSentences(shifts),
  ...birthSentences(shifts, after, own),
  ...queueSentence(shifts, after),
]

const interruptedSentence = ({ interrupted }: Shifts): readonly string[] =>
  interrupted.length === 0
    ? []
    : [`${countedWork(interrupted.length)} in progress will be interrupted ${named(interrupted)}`]

/** Who asks for something under a freeze waits in vain, and is to know it. */
function heldSentence({ held }: Shifts, scene: Scene): readonly string[] {
  if (held.length === 0) return []
  return [
    `${counted(held.length, 'machine')} will stay as now until the thaw ${named(held)}: ${frozenWhy(scene) ?? 'frozen'}`,
  ]
}

/** By whom a tenant's machines are frozen; undefined when they are not. */
export const frozenWhy = ({ tenant, frozenBy }: Pick<Scene, 'tenant' | 'frozenBy'>): string | undefined =>
  isFrozen(tenant)
    ? `tenant ${quoted(tenant.metadata.name)} is frozen`
    : frozenBy === undefined
      ? undefined
      : `frozen by ${frozenBy}`

const VERBS = { destroy: 'destroyed', stop: 'stopped', replace: 'replaced' } as const

/** One sentence for each sort of end and its cause; the work in progress is finished first. */
function restSentences({ machines }: Shifts): readonly string[] {
  const groups = new Map<string, Machine[]>()
  for (const action of ['destroy', 'stop', 'replace'] as const)
    for (const machine of machines.filter((one) => one.action === action)) {
      const key = `${VERBS[action]}: ${machine.fate.why}`
      groups.set(key, [...(groups.get(key) ?? []), machine])
    }
  return [...groups].flatMap(([key, group]) => restSentence(key, group))
}

function restSentence(key: string, group: readonly Machine[]): readonly string[] {
  const [verb = '', ...why] = key.split(': ')
  const [only] = group
  const atWork = group.flatMap(finishedFirst).sort()
  if (only !== undefined && group.length === 1) {
    const name = only.sprite.status?.machine?.name ?? only.sprite.metadata.name
    const after = atWork[0] === undefined ? '' : ` after the work in progress ${quoted(atWork[0])}`
    return [`Machine ${name} will be ${verb}${after}: ${why.join(': ')}`]
  }
  const names = named(group.map(({ sprite }) => sprite.metadata.name))
  const first = atWork.length === 0 ? '' : `; ${countedWork(atWork.length)} in progress first`
  return [`${counted(group.length, 'machine')} will be ${verb} ${names}${first}: ${why.join(': ')}`]
}

/** A machine that is up finishes what it has in hand before it stops. */
const finishedFirst = ({ sprite, tasks }: Machine): readonly string[] =>
  sprite.status?.machine?.state === 'started'
    ? tasks.filter((work) => work.status?.phase === 'InProgress').map(({ metadata }) => metadata.name)
    : []

const recalledSentence = ({ recalled }: Shifts): readonly string[] =>
  recalled.length === 0
    ? []
    : [`${countedWork(recalled.length)} ${recalled.length === 1 ? 'goes' : 'go'} back to the queue ${named(recalled)}`]

const WAITS: Readonly<Record<string, string>> = {
  Suspended: 'its tenant or project is suspended',
  AgentTypeNotAllowed: 'its agent type is not enabled',
  BudgetExhausted: 'the month’s tokens do not suffice',
  WaitingForDependencies: 'what it depends on is not completed',
}

/** Only what a write of ours brings about: retries come by themselves. */
function waitSentences({ waits }: Shifts): readonly string[] {
  return Object.entries(WAITS).flatMap(([reason, why]) => {
    const names = waits.flatMap(([name, wait]) => (wait.reason === reason ? [name] : []))
    return names.length === 0 ? [] : [`${countedWork(names.length)} will wait ${named(names)}: ${why}`]
  })
}

const OBJECT_VERBS = { create: 'created', delete: 'deleted' } as const

function objectSentences({ objects }: Shifts): readonly string[] {
  return (['delete', 'create'] as const).flatMap((action) =>
    (['Sprite', 'Work'] as const).flatMap((kind) => {
      const names = objects.filter((one) => one.action === action && one.kind === kind).map(({ name }) => name)
      if (names.length === 0) return []
      const what = kind === 'Sprite' ? counted(names.length, 'sprite') : countedWork(names.length)
      return [`${what} will be ${OBJECT_VERBS[action]} ${named(names)}`]
    }),
  )
}

const BIRTHS: readonly (readonly [ShiftAction, string])[] = [
  ['create', 'created'],
  ['start', 'started again'],
]

function birthSentences({ machines, after }: Shifts, scene: Scene, own: string | undefined): readonly string[] {
  const used = usedText(after.ledger.holders?.length ?? 0, after.limits, scene)
  return BIRTHS.flatMap(([action, verb]) => {
    const names = machines.filter((one) => one.action === action).map(({ sprite }) => sprite.metadata.name)
    if (names.length === 0) return []
    const which = names.length === 1 && names[0] === own ? '' : ` ${named(names)}`
    return [`${counted(names.length, 'machine')} will be ${verb}${which}: ${used.text} ${used.be} then running`]
  })
}

function queueSentence({ machines, after }: Shifts, scene: Scene): readonly string[] {
  const names = machines.filter((one) => one.action === 'queue').map(({ sprite }) => sprite.metadata.name)
  if (names.length === 0) return []
  const who = names.length === 1 ? `Sprite ${quoted(names[0] ?? '')}` : `${names.length} sprites ${named(names)}`
  const holders = (after.ledger.holders ?? []).map(({ sprite }) => sprite)
  const used = usedText(holders.length, after.limits, scene)
  const which = holders.length === 0 ? '' : ` ${named(holders)}`
  return [`${who} will wait for a slot: ${used.text} ${used.be} running${which}`]
}
