/** The life cycle: every cell that matters by hand, and its invariants over random lives. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SPRITE_EXIT } from '../protocol/boot.ts'
import { fakeTask } from './fake/task.ts'
import { BOOTING, heartbeatState, step, type Command, type Life, type LifeEvent, type State } from './lifecycle.ts'
import { failed } from './outcome.ts'

const task = fakeTask()
const other = fakeTask({ work: 'other', attempt: 2 })
const completeBody = { work: task.work, attempt: 1, summary: 'Done.', deliverables: [], handOffs: [], reviews: [] }
const failReport = failed(task, 'Failed', 'It failed')
const failBody = failReport.outcome === 'fail' ? failReport.body : undefined
if (!failBody) throw new Error('failed() must give a failure')

const claiming: Life = { state: 'claiming', again: false, idleDue: false }
const working: Life = { state: 'working', task }
const reporting: Life = { state: 'reporting', task }
const draining = (pending: 'claim' | 'task' | 'report', limited = false): Life => ({
  state: 'draining',
  pending,
  limited,
  ...(pending === 'claim' ? {} : { task }),
})
const ABORT: Command = { do: 'abortTask' }
const CLAIM: Command = { do: 'claim' }
const exit = (code: number): Command => ({ do: 'exit', code })
const kinds = (commands: readonly Command[]): string[] => commands.map((command) => command.do)

describe('LC1 the way of a task', () => {
  it('LC1 claims as soon as it is announced, with the idle timer running', () => {
    expect(step(BOOTING, { type: 'announced' })).toEqual({ next: claiming, commands: [{ do: 'armIdleTimer' }, CLAIM] })
  })
  it('LC1 works, reports and claims again without waiting for a hint', () => {
    const claimed = step(claiming, { type: 'claimed', task })
    expect(claimed).toEqual({ next: working, commands: [{ do: 'disarmIdleTimer' }, { do: 'startTask', task }] })
    const done = step(claimed.next, { type: 'taskDone', body: completeBody })
    expect(done.commands).toEqual([{ do: 'report', report: { outcome: 'complete', body: completeBody } }])
    const reported = step(done.next, { type: 'reported' })
    expect(reported).toEqual({ next: claiming, commands: [{ do: 'armIdleTimer' }, CLAIM] })
  })
  it('LC1 reports a failure as a failure', () => {
    expect(step(working, { type: 'taskFailed', body: failBody })).toEqual({
      next: reporting,
      commands: [{ do: 'report', report: { outcome: 'fail', body: failBody } }],
    })
  })
})

describe('LC2 hints', () => {
  it('LC2 a hint during a claim leads to another claim', () => {
    const hinted = step(claiming, { type: 'hint' })
    expect(hinted.commands).toEqual([])
    expect(step(hinted.next, { type: 'nothingToClaim' })).toEqual({ next: claiming, commands: [CLAIM] })
  })
  it('LC2 a hint while working changes nothing: the sprite claims after the report anyway', () => {
    expect(step(working, { type: 'hint' })).toEqual({ next: working, commands: [] })
  })
  it('LC2 nothing to claim makes it idle, a hint makes it claim', () => {
    const idle = step(claiming, { type: 'nothingToClaim' })
    expect(idle).toEqual({ next: { state: 'idle' }, commands: [{ do: 'armIdleTimer' }] })
    expect(step(idle.next, { type: 'hint' }).commands).toEqual([CLAIM])
  })
})

describe('LC3 idleness', () => {
  it('LC3 exits when idle for too long', () => {
    expect(step({ state: 'idle' }, { type: 'idleTimeout' }).commands).toEqual([exit(SPRITE_EXIT.done)])
  })
  it('LC3 waits for a claim under way before it exits, and takes the work if there is some', () => {
    const due = step(claiming, { type: 'idleTimeout' }).next
    expect(step(due, { type: 'nothingToClaim' }).commands).toEqual([exit(SPRITE_EXIT.done)])
    expect(step(due, { type: 'claimed', task }).next).toEqual(working)
  })
})

describe('LC4 abandoning', () => {
  it('LC4 stops a void attempt at once and claims', () => {
    const { next, commands } = step(working, { type: 'abandonAsked', work: task.work, attempt: 1 })
    expect(next).toEqual(claiming)
    expect(kinds(commands)).toEqual(['abortTask', 'armIdleTimer', 'claim'])
  })
  it('LC4 leaves another work or another attempt alone', () => {
    expect(step(working, { type: 'abandonAsked', work: 'other' }).next).toEqual(working)
    expect(step(working, { type: 'abandonAsked', work: task.work, attempt: 2 }).next).toEqual(working)
  })
  it('LC4 a void attempt ends draining', () => {
    const { commands } = step(draining('task'), { type: 'abandonAsked', work: task.work })
    expect(commands).toEqual([ABORT, exit(SPRITE_EXIT.done)])
  })
})

describe('LC5 draining', () => {
  it('LC5 exits at once when there is nothing in hand', () => {
    for (const life of [BOOTING, { state: 'idle' } as const])
      expect(step(life, { type: 'drainAsked', limited: true }).commands).toEqual([exit(SPRITE_EXIT.done)])
  })
  it('LC5 finishes the task in hand, reports it, claims no more, exits 0', () => {
    const drain = step(working, { type: 'drainAsked', limited: true })
    expect(drain.commands).toEqual([{ do: 'armDrainTimer', until: 'task' }])
    const done = step(drain.next, { type: 'taskDone', body: completeBody })
    expect(kinds(done.commands)).toEqual(['report', 'armDrainTimer'])
    expect(step(done.next, { type: 'reported' }).commands).toEqual([exit(SPRITE_EXIT.done)])
  })
  it('LC5 gives the task back when the time is over, and exits without the report when that is over too', () => {
    const { next, commands } = step(draining('task', true), { type: 'drainTimeout' })
    expect(kinds(commands)).toEqual(['abortTask', 'report', 'armDrainTimer'])
    expect(commands[1]).toMatchObject({ report: { outcome: 'fail', body: { reason: 'Drained', retryable: true } } })
    expect(step(next, { type: 'drainTimeout' }).commands).toEqual([exit(SPRITE_EXIT.done)])
  })
  it('LC5 gives back a task that was claimed while it was asked to drain', () => {
    const drain = step(claiming, { type: 'drainAsked', limited: false }).next
    expect(step(drain, { type: 'nothingToClaim' }).commands).toEqual([exit(SPRITE_EXIT.done)])
    const { next, commands } = step(drain, { type: 'claimed', task })
    expect(commands).toMatchObject([{ do: 'report', report: { body: { reason: 'Drained', work: task.work } } }])
    expect(step(next, { type: 'reported' }).commands).toEqual([exit(SPRITE_EXIT.done)])
  })
  it('LC5 has no time limit when the Coordinator asks, and gets one when a signal follows', () => {
    const drain = step(working, { type: 'drainAsked', limited: false })
    expect(drain.commands).toEqual([])
    const signalled = step(drain.next, { type: 'drainAsked', limited: true })
    expect(signalled.commands).toEqual([{ do: 'armDrainTimer', until: 'task' }])
    expect(step(signalled.next, { type: 'drainAsked', limited: true }).commands).toEqual([])
  })
  it('LC5 lets a report under way come to its end', () => {
    const drain = step(reporting, { type: 'drainAsked', limited: true })
    expect(drain.commands).toEqual([{ do: 'armDrainTimer', until: 'report' }])
    expect(step(drain.next, { type: 'reported' }).commands).toEqual([exit(SPRITE_EXIT.done)])
  })
})

describe('LC6 endings', () => {
  const lives: readonly Life[] = [BOOTING, { state: 'idle' }, claiming, working, reporting, draining('task')]
  it.each([
    ['fenced', SPRITE_EXIT.fenced],
    ['coordinatorLost', SPRITE_EXIT.coordinatorLost],
    ['deadline', SPRITE_EXIT.deadline],
  ] as const)('LC6 %s ends every state with its own exit code', (type, code) => {
    for (const life of lives) {
      const { next, commands } = step(life, { type })
      expect(next).toEqual({ state: 'exiting', code })
      expect(commands.at(-1)).toEqual(exit(code))
    }
  })
  it('LC6 stops a running task first', () => {
    for (const life of [working, draining('task')])
      expect(kinds(step(life, { type: 'fenced' }).commands)).toEqual(['abortTask', 'exit'])
  })
})

const anyEvent: fc.Arbitrary<LifeEvent> = fc.oneof(
  fc.constantFrom<LifeEvent>(
    { type: 'announced' },
    { type: 'hint' },
    { type: 'nothingToClaim' },
    { type: 'reported' },
    { type: 'drainTimeout' },
    { type: 'idleTimeout' },
    { type: 'taskDone', body: completeBody },
    { type: 'taskFailed', body: failBody },
    { type: 'abandonAsked', work: task.work },
    { type: 'abandonAsked', work: other.work, attempt: 2 },
  ),
  fc.constantFrom(task, other).map((task): LifeEvent => ({ type: 'claimed', task })),
  fc.boolean().map((limited): LifeEvent => ({ type: 'drainAsked', limited })),
  fc.constantFrom<LifeEvent>({ type: 'coordinatorLost' }, { type: 'fenced' }, { type: 'deadline' }),
)

type Story = { readonly lives: readonly Life[]; readonly commands: readonly Command[] }

/** Only events that the shell can send: answers come for what was asked. */
function live(events: readonly LifeEvent[]): Story {
  const lives: Life[] = [BOOTING]
  const commands: Command[] = []
  const asked = { claim: 0, report: 0, task: false, limited: false }
  const possible = (event: LifeEvent): boolean => {
    if (event.type === 'claimed' || event.type === 'nothingToClaim') return asked.claim > 0
    if (event.type === 'reported') return asked.report > 0
    if (event.type === 'taskDone' || event.type === 'taskFailed') return asked.task
    return true
  }
  const note = (event: LifeEvent): void => {
    if (event.type === 'claimed' || event.type === 'nothingToClaim') asked.claim--
    if (event.type === 'reported') asked.report--
    if (event.type === 'taskDone' || event.type === 'taskFailed') asked.task = false
  }
  for (const event of events) {
    if (!possible(event)) continue
    note(event)
    const result = step(lives.at(-1) ?? BOOTING, event)
    for (const command of result.commands) {
      if (command.do === 'claim') asked.claim++
      if (command.do === 'report') asked.report++
      if (command.do === 'startTask') asked.task = true
      if (command.do === 'abortTask') asked.task = false
      expect(asked.claim).toBeLessThanOrEqual(1)
      expect(asked.report).toBeLessThanOrEqual(1)
    }
    lives.push(result.next)
    commands.push(...result.commands)
    const { state } = result.next
    if (state === 'working') expect(asked.task).toBe(true)
    if (state === 'claiming') expect(asked.claim).toBe(1)
    if (state === 'exiting') expect(asked.task).toBe(false)
  }
  return { lives, commands }
}

describe('LC7 any life', () => {
  const anyLife = fc.array(anyEvent, { maxLength: 60 })
  it('LC7 has at most one claim, one report and one task under way, and never leaves one running at its exit', () => {
    fc.assert(
      fc.property(anyLife, (events) => {
        live(events)
      }),
      { numRuns: 5_000 },
    )
  })
  it('LC7 exits at most once and does nothing after it', () => {
    fc.assert(
      fc.property(anyLife, (events) => {
        const { lives, commands } = live(events)
        const exits = commands.filter((command) => command.do === 'exit')
        expect(exits.length).toBe(lives.at(-1)?.state === 'exiting' ? 1 : 0)
        if (exits.length > 0) expect(commands.at(-1)?.do).toBe('exit')
      }),
      { numRuns: 2_000 },
    )
  })
  it('LC7 claims nothing more once it was asked to drain', () => {
    fc.assert(
      fc.property(anyLife, anyLife, (before, after) => {
        const { lives } = live(before)
        const drained = step(lives.at(-1) ?? BOOTING, { type: 'drainAsked', limited: true }).next
        let life = drained
        for (const event of after) {
          const result = step(life, event)
          expect(kinds(result.commands)).not.toContain('claim')
          expect(kinds(result.commands)).not.toContain('startTask')
          life = result.next
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('LC8 heartbeats', () => {
  const expected: Record<State, ReturnType<typeof heartbeatState>> = {
    booting: undefined,
    idle: 'idle',
    claiming: 'idle',
    working: 'working',
    reporting: 'working',
    draining: 'draining',
    exiting: undefined,
  }
  it.each([
    BOOTING,
    { state: 'idle' } as const,
    claiming,
    working,
    reporting,
    draining('task'),
    { state: 'exiting', code: 0 } as const,
  ])('LC8 $state is called by the protocol’s word', (life) => {
    expect(heartbeatState(life)).toBe(expected[life.state])
  })
})
