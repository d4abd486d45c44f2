/** Tests of what a waiting work waits for: the first thing that is in the way. */
import { describe, expect, test } from 'vitest'
import { projectOf, TEST_NOW_MS, tenantOf, workOf } from '../object-builders.ts'
import { activeTenant, ago, DELETING } from '../sprite/world-builder.ts'
import { circleOf, isSpent, waitOf, type EligibleWorld } from './eligible.ts'
import { workKind, type Attempt, type Work } from './schema.ts'

const failed = (over: Partial<Attempt> = {}) => ({
  status: {
    phase: 'Pending' as const,
    attempts: [
      {
        number: 1,
        sprite: 'a',
        incarnation: 1,
        startTime: ago(60_000),
        endTime: ago(1_000),
        outcome: 'Failed' as const,
        reason: 'ToolFailed',
        message: 'The tool broke',
        ...over,
      },
    ],
  },
})
const exhausted = tenantOf({
  status: { ...activeTenant().status, blockers: [{ reason: 'BudgetExhausted', fix: 'Wait' }] },
})

const worldOf = (over: Partial<EligibleWorld> = {}): EligibleWorld => ({
  nowMs: TEST_NOW_MS,
  work: workOf('w', { status: { phase: 'Pending' } }),
  tenant: activeTenant(),
  project: undefined,
  dependencies: new Map(),
  ...over,
})

const told = (over: Partial<EligibleWorld>): string => {
  const wait = waitOf(worldOf(over))
  if (wait === undefined) return 'nothing'
  const left = wait.leftMs === undefined ? '' : ` ${wait.leftMs} ms`
  return `${wait.reason}${left}${wait.isStalled === true ? ' stalled' : ''}`
}
const depending = workOf('w', { spec: { dependsOn: ['b', 'a'] } })
const done = workOf('a', { status: { phase: 'Completed' } })

describe('a waiting work', () => {
  const rows: Record<string, readonly [Partial<EligibleWorld>, string]> = {
    'WRK20 that nothing is in the way of waits for nothing': [{}, 'nothing'],
    'WRK21 of an unknown tenant waits': [{ tenant: undefined }, 'Suspended'],
    'WRK21 of a tenant that is being deleted waits': [
      { tenant: { ...activeTenant(), metadata: { ...activeTenant().metadata, ...DELETING } } },
      'Suspended',
    ],
    'WRK21 of a suspended tenant waits': [{ tenant: activeTenant({}, { suspend: true }) }, 'Suspended'],
    'WRK21 of a suspended project waits': [{ project: projectOf('q1', { spec: { suspend: true } }) }, 'Suspended'],
    'WRK22 waits for what it depends on': [
      { work: depending, dependencies: new Map([['a', done]]) },
      'WaitingForDependencies',
    ],
    'WRK22 does not wait for what is completed': [
      {
        work: depending,
        dependencies: new Map([
          ['a', done],
          ['b', done],
        ]),
      },
      'nothing',
    ],
    'WRK23 of an agent type that is switched off is stalled': [
      { tenant: activeTenant({}, { config: { enabledAgents: ['editor'] } }) },
      'AgentTypeNotAllowed stalled',
    ],
    'WRK23 of an agent type that is switched on goes on': [
      { tenant: activeTenant({}, { config: { enabledAgents: ['copywriter'] } }) },
      'nothing',
    ],
    'WRK24 that failed for the budget is stalled while the budget is exhausted': [
      { tenant: exhausted, work: workOf('w', failed({ outcome: 'Blocked', reason: 'BudgetExhausted' })) },
      'BudgetExhausted stalled',
    ],
    'WRK24 that failed for the budget is tried again after a while when there is some': [
      { work: workOf('w', failed({ outcome: 'Blocked', reason: 'BudgetExhausted' })) },
      'BudgetExhausted 29000 ms stalled',
    ],
    'WRK24 that never asked for tokens waits too: a machine would be woken in vain': [
      { tenant: exhausted },
      'BudgetExhausted stalled',
    ],
    'WRK25 that failed is tried again after its back-off': [{ work: workOf('w', failed()) }, 'AttemptFailed 4000 ms'],
    'WRK25 whose back-off is over goes on': [{ work: workOf('w', failed({ endTime: ago(5_000) })) }, 'nothing'],
    'WRK25 whose agent is blocked is tried again later': [
      { work: workOf('w', failed({ outcome: 'Blocked', reason: 'NoAccess' })) },
      'Blocked 29000 ms',
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(over)).toBe(expected)
    const reason = waitOf(worldOf(over))?.reason
    if (reason !== undefined) expect(Object.keys(workKind.reasons)).toContain(reason)
  })

  test('WRK22 names what it waits for, in order', () => {
    const open = workOf('a', { status: { phase: 'Pending' } })
    const message = (there: readonly (readonly [string, Work])[]): string | undefined =>
      waitOf(worldOf({ work: depending, dependencies: new Map(there) }))?.message
    expect(
      message([
        ['a', open],
        ['b', open],
      ]),
    ).toBe('Waits for a, b')
    expect(message([['a', open]])).toBe('Waits for a, b; there is no b yet: create it')
  })

  test('WRK27 that waits for itself is stalled and shows the way round', () => {
    const works = new Map(
      [workOf('w', { spec: { dependsOn: ['x', 'y'] } }), workOf('y', { spec: { dependsOn: ['w'] } })].map((work) => [
        work.metadata.name,
        work,
      ]),
    )
    const work = workOf('w', { spec: { dependsOn: ['x', 'y'] }, status: { phase: 'Pending' } })
    const circle = circleOf(work, (name) => works.get(name))
    expect(circle).toEqual(['w', 'y', 'w'])
    expect(told({ work, circle })).toBe('WaitingForDependencies stalled')
    expect(circleOf(workOf('z', { spec: { dependsOn: ['w'] } }), (name) => works.get(name))).toBeUndefined()
  })

  test('WRK28 that met a smaller budget is tried at once when it is raised', () => {
    const work = workOf('w', failed({ outcome: 'Blocked', reason: 'BudgetExhausted', budgetTokens: 3_000 }))
    expect(told({ work, tenant: activeTenant({ monthlyTokens: 3_000 }) })).toBe('BudgetExhausted 29000 ms stalled')
    expect(told({ work, tenant: activeTenant({ monthlyTokens: 3_001 }) })).toBe('nothing')
    expect(told({ work, tenant: activeTenant() })).toBe('nothing')
  })

  test('WRK25 that found no model says so', () => {
    const work = workOf('w', failed({ outcome: 'Blocked', reason: 'ModelUnavailable' }))
    expect(told({ work })).toBe('ModelUnavailable 29000 ms')
  })

  test('WRK25 lost twice in a row waits too', () => {
    const { attempts } = failed({ outcome: 'Lost' }).status
    const work = workOf('w', { status: { phase: 'Pending', attempts: [...attempts, ...attempts] } })
    expect(told({ work })).toBe('AttemptLost 4000 ms')
  })
})

test('WRK26 cancelled, deleted or tried too often, it is not given to a sprite any more', () => {
  expect(isSpent(workOf('w'))).toBe(false)
  expect(isSpent(workOf('w', { spec: { cancelled: true } }))).toBe(true)
  expect(isSpent(workOf('w', { metadata: DELETING }))).toBe(true)
  expect(isSpent(workOf('w', { ...failed(), spec: { maxAttempts: 1 } }))).toBe(true)
})
