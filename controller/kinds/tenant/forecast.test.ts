/** Forecasts of freezes and budgets: what they hold back, what they set free. */
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../api/object.ts'
import { activeTenant, changed, created, growth, holding, upSprite, worldOf } from '../forecast-builders.ts'
import type { Foretold } from '../forecast-world.ts'
import { forecastIn } from '../forecasts.ts'
import { FROZEN_ANNOTATION } from '../marks.ts'
import { spriteOf, TEST_NOW, workOf } from '../object-builders.ts'
import { budgetProblem } from './budget.ts'
import type { Tenant } from './schema.ts'

const frozen = <O extends KubeObject>(object: O): O => ({
  ...object,
  metadata: { ...object.metadata, annotations: { [FROZEN_ANNOTATION]: 'true' } },
})
const update = (old: KubeObject, object: KubeObject): Foretold => ({ operation: 'UPDATE', old, object })

describe('FC17 a freeze', () => {
  const sprites = ['a', 'b'].map((name) => upSprite(name, { spec: { runPolicy: 'Always' } }))
  const ledger = holding(...sprites)
  const tenant = activeTenant(growth)
  const asleep = spriteOf('s', { status: { phase: 'Stopped' } })

  it('FC17 of a tenant says what it holds, and its end what it sets free', () => {
    expect(forecastIn(worldOf({ sprites, ledger }, tenant), update(tenant, frozen(tenant)))).toEqual([
      'Machines of tenant "acme" stay as they are (2): none is created, started, stopped or destroyed',
    ])
    const always = spriteOf('s', { spec: { runPolicy: 'Always' }, status: { phase: 'Stopped' } })
    const world = worldOf({ sprites: [always] }, frozen(tenant))
    expect(forecastIn(world, update(frozen(tenant), tenant))).toEqual([
      '1 machine will be created (s): 1 of 4 machines of plan "growth" is then running',
    ])
  })

  it('FC17 what is asked for meanwhile is held, whoever froze it', () => {
    const worlds = [
      [worldOf({ sprites, ledger }, frozen(tenant)), 'tenant "acme" is frozen'],
      [{ ...worldOf({ sprites, ledger }, tenant), frozenBy: 'the setting FREEZE' }, 'frozen by the setting FREEZE'],
    ] as const
    for (const [world, why] of worlds) {
      const [own] = world.tenants
      expect(own && forecastIn(world, changed(own, { suspend: true }))).toEqual([
        `2 machines will stay as now until the thaw (a, b): ${why}`,
      ])
    }
  })

  it('FC17 new work and a new sprite hear of it', () => {
    const world = { ...worldOf({ sprites: [asleep] }, tenant), frozenBy: 'the setting FREEZE' }
    expect(forecastIn(world, created(workOf('w')))).toEqual([
      '1 machine will stay as now until the thaw (s): frozen by the setting FREEZE',
      'Sprite "s" will do it after the thaw: frozen by the setting FREEZE',
    ])
    expect(forecastIn(world, created(spriteOf('new')))).toEqual([
      'No machine is made: it is frozen by the setting FREEZE',
    ])
    // A machine that is up works on.
    const up = { ...worldOf({ sprites, ledger }, tenant), frozenBy: 'the setting FREEZE' }
    expect(forecastIn(up, created(workOf('w')))).toEqual(['Sprite "a" will do it'])
  })

  it('FC17 of everything is foretold at our own namespace alone', () => {
    const namespace = (name: string): KubeObject => ({
      ...tenant,
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { ...tenant.metadata, name },
    })
    const world = worldOf({ sprites, ledger }, tenant)
    const system = namespace('sprites-system')
    expect(forecastIn(world, update(system, frozen(system)))).toEqual([
      'All machines of 1 tenant stay as they are: none is created, started, stopped or destroyed',
    ])
    expect(forecastIn(world, update(frozen(system), system))).toEqual([
      'What was held back is done at once: machines of 1 tenant are created, started, stopped and destroyed again',
    ])
    expect(forecastIn(world, update(namespace('acme'), frozen(namespace('acme'))))).toEqual([])
  })
})

describe('FC18 a budget', () => {
  const usage = { month: '2026-01', tokensUsed: 1_000_000, tokensReserved: 0, spritesSpawned: 0 }
  const budget = (tokens: number): Tenant => {
    const problem = budgetProblem(usage, tokens)
    const stamp = { observedGeneration: 1, lastTransitionTime: TEST_NOW }
    const condition = {
      type: 'BudgetExhausted',
      status: 'True',
      reason: 'BudgetExhausted',
      message: 'm',
      ...stamp,
    } as const
    return activeTenant(growth, {
      spec: { config: { monthlyTokenBudget: tokens } },
      status: {
        usage,
        ...(problem === undefined ? {} : { blockers: [problem.blocker], conditions: [condition] }),
      },
    })
  }
  const inside = {
    sprites: [spriteOf('s', { status: { phase: 'Stopped' } })],
    work: [workOf('w', { status: { phase: 'Pending' } })],
  }

  it('FC18 that is raised sets free the work that waits for it, with its machines', () => {
    const small = budget(1_000_000)
    const raise = changed(small, { config: { monthlyTokenBudget: 2_000_000 } })
    expect(forecastIn(worldOf(inside, small), raise)).toEqual([
      '1 machine will be created (s): 1 of 4 machines of plan "growth" is then running',
    ])
    const notEnough = changed(small, { config: { monthlyTokenBudget: 1_000_100 } })
    expect(forecastIn(worldOf(inside, small), notEnough)).toEqual([])
  })

  it('FC18 that is lowered says that work will wait, and whether it is used up or too small for any call', () => {
    const large = budget(5_000_000)
    const lower = (tokens: number) =>
      forecastIn(worldOf(inside, large), changed(large, { config: { monthlyTokenBudget: tokens } }))
    expect(lower(900_000)).toEqual([
      `The month's 900000 tokens of tenant "acme" are used up already (1000000): calls to the model are refused`,
      '1 piece of work will wait (w): the month’s tokens do not suffice',
    ])
    expect(lower(100)[0]).toBe(
      'A budget of 100 tokens a month of tenant "acme" lets no call be made: the smallest takes 256',
    )
  })
})
