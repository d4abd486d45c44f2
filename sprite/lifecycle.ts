/** Pure: what a sprite does next, as a table of states and events; commands are data that sprite.ts performs. */
import type { CompleteRequest, FailRequest, Task } from '../protocol/coordinator.ts'
import { SPRITE_EXIT } from '../protocol/boot.ts'

/** What is said to the Coordinator about an attempt. */
export type Report =
  | { readonly outcome: 'complete'; readonly body: CompleteRequest }
  | { readonly outcome: 'fail'; readonly body: FailRequest }

/** Why the sprite is draining and what it still waits for. */
export type Pending = 'claim' | 'task' | 'report'

/** The state of a sprite's life, with what belongs to it. */
export type Life =
  | { readonly state: 'booting' }
  | { readonly state: 'idle' }
  /** `again`: a hint came while the claim was under way. `idleDue`: the idle timeout did. */
  | { readonly state: 'claiming'; readonly again: boolean; readonly idleDue: boolean }
  | { readonly state: 'working'; readonly task: Task }
  | { readonly state: 'reporting'; readonly task: Task }
  | { readonly state: 'draining'; readonly pending: Pending; readonly task?: Task; readonly limited: boolean }
  | { readonly state: 'exiting'; readonly code: number }

/** The name of a state. */
export type State = Life['state']

/** What may happen to a sprite. */
export type LifeEvent =
  | { readonly type: 'announced' }
  | { readonly type: 'hint' }
  | { readonly type: 'claimed'; readonly task: Task }
  | { readonly type: 'nothingToClaim' }
  | { readonly type: 'taskDone'; readonly body: CompleteRequest }
  | { readonly type: 'taskFailed'; readonly body: FailRequest }
  /** The report was accepted, or refused because the attempt is void: either way it is over. */
  | { readonly type: 'reported' }
  /** `limited`: by a signal, so that the process will be killed after the stop timeout. */
  | { readonly type: 'drainAsked'; readonly limited: boolean }
  /** The limit of draining in the present pending state is over. */
  | { readonly type: 'drainTimeout' }
  /** An attempt is void; `attempt` is absent when only the work is named. */
  | { readonly type: 'abandonAsked'; readonly work: string; readonly attempt?: number }
  | { readonly type: 'idleTimeout' }
  | { readonly type: 'coordinatorLost' }
  | { readonly type: 'fenced' }
  | { readonly type: 'deadline' }

/** The name of an event. */
export type EventType = LifeEvent['type']

/** What the shell is to do, as data. */
export type Command =
  | { readonly do: 'claim' }
  | { readonly do: 'startTask'; readonly task: Task }
  /** Stops the running task; nothing that it yields later counts. */
  | { readonly do: 'abortTask' }
  | { readonly do: 'report'; readonly report: Report }
  /** Starts the idle timer unless it runs already. */
  | { readonly do: 'armIdleTimer' }
  | { readonly do: 'disarmIdleTimer' }
  /** Starts the timer after which draining gives up waiting for the task, or for the report. */
  | { readonly do: 'armDrainTimer'; readonly until: 'task' | 'report' }
  | { readonly do: 'exit'; readonly code: number }

/** The next state and what is to be done on the way to it. */
export type Step = { readonly next: Life; readonly commands: readonly Command[] }

type LifeIn<S extends State> = Extract<Life, { state: S }>
type EventOf<E extends EventType> = Extract<LifeEvent, { type: E }>
type Rule<S extends State, E extends EventType> = (life: LifeIn<S>, event: EventOf<E>) => Step
type Table = { readonly [S in State]: { readonly [E in EventType]: Rule<S, E> } }

const to = (next: Life, ...commands: readonly Command[]): Step => ({ next, commands })
const stay = (life: Life): Step => to(life)
const exit = (code: number, ...before: readonly Command[]): Step =>
  to({ state: 'exiting', code }, ...before, { do: 'exit', code })

const ABORT: Command = { do: 'abortTask' }
const ARM_IDLE: Command = { do: 'armIdleTimer' }
const CLAIM: Command = { do: 'claim' }
const claiming = (...before: readonly Command[]): Step =>
  to({ state: 'claiming', again: false, idleDue: false }, ...before, CLAIM)

/** The attempt goes back unfinished: another sprite may take it up at once. */
const drained = (task: Task): Command => ({
  do: 'report',
  report: {
    outcome: 'fail',
    body: {
      work: task.work,
      attempt: task.attempt,
      reason: 'Drained',
      message: 'Give the work to another sprite: this one is stopping before it is done',
      retryable: true,
    },
  },
})

const armDrain = (limited: boolean, until: 'task' | 'report'): readonly Command[] =>
  limited ? [{ do: 'armDrainTimer', until }] : []

const names = (task: Task, event: EventOf<'abandonAsked'>): boolean =>
  task.work === event.work && (event.attempt === undefined || task.attempt === event.attempt)

/** What ends a sprite in any state but exiting; `before` is done first. */
const endings = (before: readonly Command[]) =>
  ({
    coordinatorLost: () => exit(SPRITE_EXIT.coordinatorLost, ...before),
    fenced: () => exit(SPRITE_EXIT.fenced, ...before),
    deadline: () => exit(SPRITE_EXIT.deadline, ...before),
  }) as const

/** Every state × event; a missing cell does not compile. */
const TABLE: Table = {
  booting: {
    announced: () => claiming(ARM_IDLE),
    hint: stay,
    claimed: stay,
    nothingToClaim: stay,
    taskDone: stay,
    taskFailed: stay,
    reported: stay,
    drainAsked: () => exit(SPRITE_EXIT.done),
    drainTimeout: stay,
    abandonAsked: stay,
    idleTimeout: stay,
    ...endings([]),
  },
  idle: {
    // A new announcement means that hints may have been lost in between.
    announced: () => claiming(),
    hint: () => claiming(),
    claimed: stay,
    nothingToClaim: stay,
    taskDone: stay,
    taskFailed: stay,
    reported: stay,
    drainAsked: () => exit(SPRITE_EXIT.done),
    drainTimeout: stay,
    abandonAsked: stay,
    idleTimeout: () => exit(SPRITE_EXIT.done),
    ...endings([]),
  },
  claiming: {
    announced: (life) => to({ ...life, again: true }),
    hint: (life) => to({ ...life, again: true }),
    claimed: (_, { task }) => to({ state: 'working', task }, { do: 'disarmIdleTimer' }, { do: 'startTask', task }),
    nothingToClaim: (life) => {
      if (life.again) return to({ ...life, again: false }, CLAIM)
      return life.idleDue ? exit(SPRITE_EXIT.done) : to({ state: 'idle' }, ARM_IDLE)
    },
    taskDone: stay,
    taskFailed: stay,
    reported: stay,
    drainAsked: (_, { limited }) =>
      to({ state: 'draining', pending: 'claim', limited }, ...armDrain(limited, 'report')),
    drainTimeout: stay,
    abandonAsked: stay,
    idleTimeout: (life) => to({ ...life, idleDue: true }),
    ...endings([]),
  },
  working: {
    announced: stay,
    hint: stay,
    claimed: stay,
    nothingToClaim: stay,
    taskDone: ({ task }, { body }) =>
      to({ state: 'reporting', task }, { do: 'report', report: { outcome: 'complete', body } }),
    taskFailed: ({ task }, { body }) =>
      to({ state: 'reporting', task }, { do: 'report', report: { outcome: 'fail', body } }),
    reported: stay,
    drainAsked: ({ task }, { limited }) =>
      to({ state: 'draining', pending: 'task', task, limited }, ...armDrain(limited, 'task')),
    drainTimeout: stay,
    abandonAsked: (life, event) => (names(life.task, event) ? claiming(ABORT, ARM_IDLE) : stay(life)),
    idleTimeout: stay,
    ...endings([ABORT]),
  },
  reporting: {
    announced: stay,
    hint: stay,
    claimed: stay,
    nothingToClaim: stay,
    taskDone: stay,
    taskFailed: stay,
    reported: () => claiming(ARM_IDLE),
    drainAsked: ({ task }, { limited }) =>
      to({ state: 'draining', pending: 'report', task, limited }, ...armDrain(limited, 'report')),
    drainTimeout: stay,
    // The Coordinator refuses the report of a void attempt by itself.
    abandonAsked: stay,
    idleTimeout: stay,
    ...endings([]),
  },
  draining: {
    announced: stay,
    hint: stay,
    // The claim was answered after all: the task goes back untouched.
    claimed: (life, { task }) =>
      life.pending === 'claim' ? to({ ...life, pending: 'report', task }, drained(task)) : stay(life),
    nothingToClaim: (life) => (life.pending === 'claim' ? exit(SPRITE_EXIT.done) : stay(life)),
    taskDone: (life, { body }) => reportWhileDraining(life, { outcome: 'complete', body }),
    taskFailed: (life, { body }) => reportWhileDraining(life, { outcome: 'fail', body }),
    reported: (life) => (life.pending === 'report' ? exit(SPRITE_EXIT.done) : stay(life)),
    drainAsked: (life, { limited }) =>
      limited && !life.limited
        ? to({ ...life, limited: true }, ...armDrain(true, life.pending === 'task' ? 'task' : 'report'))
        : stay(life),
    drainTimeout: (life) =>
      life.pending === 'task' && life.task
        ? to({ ...life, pending: 'report' }, ABORT, drained(life.task), { do: 'armDrainTimer', until: 'report' })
        : exit(SPRITE_EXIT.done),
    abandonAsked: (life, event) =>
      life.pending === 'task' && life.task && names(life.task, event) ? exit(SPRITE_EXIT.done, ABORT) : stay(life),
    idleTimeout: stay,
    ...endings([ABORT]),
  },
  exiting: {
    announced: stay,
    hint: stay,
    claimed: stay,
    nothingToClaim: stay,
    taskDone: stay,
    taskFailed: stay,
    reported: stay,
    drainAsked: stay,
    drainTimeout: stay,
    abandonAsked: stay,
    idleTimeout: stay,
    coordinatorLost: stay,
    fenced: stay,
    deadline: stay,
  },
}

function reportWhileDraining(life: LifeIn<'draining'>, report: Report): Step {
  if (life.pending !== 'task') return stay(life)
  return to({ ...life, pending: 'report' }, { do: 'report', report }, ...armDrain(life.limited, 'report'))
}

/** The state of a process that has just started. */
export const BOOTING: Life = { state: 'booting' }

/** The next state and what to do, in order. Total: every event is allowed in every state. */
export function step(life: Life, event: LifeEvent): Step {
  // The table's type ties each rule to its state and event; TypeScript cannot follow the two look-ups together.
  const rule = TABLE[life.state][event.type] as (life: Life, event: LifeEvent) => Step
  return rule(life, event)
}

/** What a heartbeat calls this state; undefined when the sprite has nothing to say yet, or no more. */
export function heartbeatState(life: Life): 'idle' | 'working' | 'draining' | undefined {
  if (life.state === 'booting' || life.state === 'exiting') return undefined
  if (life.state === 'idle' || life.state === 'claiming') return 'idle'
  return life.state === 'draining' ? 'draining' : 'working'
}

/** The task in hand, if any. */
export const taskInHand = (life: Life): Task | undefined => ('task' in life ? life.task : undefined)
