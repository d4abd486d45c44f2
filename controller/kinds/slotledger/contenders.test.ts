/** Tests of who contends for a slot, from what is declared and what work is assigned. */
import { describe, expect, test } from 'vitest'
import { projectOf, spriteOf, TEST_NOW_MS, workOf } from '../object-builders.ts'
import { activeTenant, ago, DELETING, machineOf } from '../sprite/world-builder.ts'
import type { Work, WorkStatus } from '../work/schema.ts'
import { assignedWork, contendersOf, type TenantWorld } from './contenders.ts'
import type { Contender } from './decide.ts'

const given = (name: string, phase: NonNullable<WorkStatus['phase']>, sprite: string, priority = 0): Work =>
  workOf(name, { spec: { priority }, status: { phase, assignedSprite: sprite } })

const worldOf = (over: Partial<TenantWorld> = {}): TenantWorld => ({
  nowMs: TEST_NOW_MS,
  tenant: activeTenant({ priorityRouting: true }),
  sprites: [spriteOf('a')],
  work: [],
  projects: [],
  ...over,
})

const first = (over: Partial<TenantWorld>): Contender | undefined => contendersOf(worldOf(over))[0]

describe('a contender', () => {
  const rows: Record<string, readonly [Partial<TenantWorld>, Partial<Contender>]> = {
    'SLT20 without work wants nothing and can yield': [{}, { wants: false, urgent: false, canYield: true }],
    'SLT20 with assigned work is urgent and cannot yield': [
      { work: [given('w', 'Assigned', 'a')] },
      { wants: true, urgent: true, canYield: false, isWorking: false },
    ],
    'SLT20 with work in progress is working': [{ work: [given('w', 'InProgress', 'a')] }, { isWorking: true }],
    'SLT20 is not concerned by work of others, or that is over': [
      { work: [given('w', 'Assigned', 'b'), given('x', 'Completed', 'a'), given('y', 'InReview', 'a')] },
      { wants: false, urgent: false },
    ],
    'SLT20 that always runs wants, and can yield': [
      { sprites: [spriteOf('a', { spec: { runPolicy: 'Always' } })] },
      { wants: true, urgent: false, isAlways: true, canYield: true },
    ],
    'SLT21 has the highest priority of its work': [
      { work: [given('w', 'Assigned', 'a', 3), given('x', 'Assigned', 'a', 7)] },
      { priority: 7 },
    ],
    'SLT21 has no priority where the plan has no routing': [
      { tenant: activeTenant(), work: [given('w', 'Assigned', 'a', 7)] },
      { priority: 0 },
    ],
    'SLT22 that is being deleted wants nothing': [
      { sprites: [spriteOf('a', { metadata: DELETING })], work: [given('w', 'Assigned', 'a')] },
      { wants: false },
    ],
    'SLT22 of a suspended project wants nothing': [
      {
        sprites: [spriteOf('a', { spec: { project: 'q1', runPolicy: 'Always' } })],
        projects: [projectOf('q1', { spec: { suspend: true } })],
      },
      { wants: false },
    ],
    'SLT22 that backs off wants nothing': [
      { sprites: [spriteOf('a', { spec: { runPolicy: 'Always' }, status: { retryTime: ago(-1_000) } })] },
      { wants: false },
    ],
    'SLT22 without its persona wants nothing': [
      {
        sprites: [
          spriteOf('a', {
            spec: { runPolicy: 'Always' },
            status: {
              conditions: [
                {
                  type: 'Ready',
                  status: 'False',
                  reason: 'PersonaNotFound',
                  message: 'No',
                  lastTransitionTime: ago(0),
                },
              ],
            },
          }),
        ],
      },
      { wants: false },
    ],
    'SLT22 with an idle machine wants it until its idle time is over': [
      { sprites: [spriteOf('a', { status: { machine: machineOf(), idleSince: ago(60_000) } })] },
      { wants: false },
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(first(over)).toMatchObject(expected)
  })

  test('SLT20 every sprite is one, also if it wants nothing: it may still hold a slot', () => {
    expect(contendersOf(worldOf({ sprites: [spriteOf('a'), spriteOf('b')] })).map(({ sprite }) => sprite)).toEqual([
      'a',
      'b',
    ])
  })
})

test('SLT20 work is counted for its sprite while it is assigned or in progress', () => {
  const all = [given('w', 'Assigned', 'a'), given('x', 'InProgress', 'a'), given('y', 'Failed', 'a'), workOf('z')]
  expect([...assignedWork(all)].map(([sprite, work]) => [sprite, work.map(({ metadata }) => metadata.name)])).toEqual([
    ['a', ['w', 'x']],
  ])
})
