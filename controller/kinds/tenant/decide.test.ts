/** Tests of the tenant's decisions: tables for what a person would ask, properties over random worlds. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { faultsOf } from '../decision-checks.ts'
import { TENANT_FINALIZER } from '../marks.ts'
import { planOf, tenantOf, TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import { statusPatch } from '../status.ts'
import { decideTenant } from './decide.ts'
import { effectiveLimits, limitsOf } from './limits.ts'
import { nextMonthAt } from './observe.ts'
import { tenantKind, type Tenant, type TenantStatus } from './schema.ts'
import { DELETES_PER_PASS_MAX } from './teardown.ts'
import { USAGE_REFRESH_MS } from './usage.ts'
import type { TenantDecision, TenantWorld } from './world.ts'

const HELD = { finalizers: [TENANT_FINALIZER] }
const DELETING = { ...HELD, deletionTimestamp: '2026-01-15T11:00:00Z' }

const worldOf = (over: Partial<TenantWorld> = {}): TenantWorld => ({
  tenant: tenantOf({ metadata: HELD }),
  plan: planOf('growth'),
  nowMs: TEST_NOW_MS,
  now: TEST_NOW,
  month: '2026-01',
  nextMonthAtMs: Date.UTC(2026, 1, 1),
  balance: { spent: 0, reserved: 0 },
  spawned: 0,
  usageAgeMs: undefined,
  isAtWork: false,
  slots: {},
  spritesDeclared: 0,
  hasNamespace: true,
  anthropicKeyFault: undefined,
  app: undefined,
  standing: undefined,
  frozenBy: undefined,
  leftovers: [],
  ...over,
})

const readyOf = (decision: TenantDecision): string => {
  const ready = findCondition(decision.status?.conditions, 'Ready')
  const stalled = findCondition(decision.status?.conditions, 'Stalled')
  return `${ready?.status} ${ready?.reason}${stalled === undefined ? '' : ' stalled'}`
}

const blockersOf = (decision: TenantDecision): readonly string[] =>
  (decision.status?.blockers ?? []).map(({ reason, limit, used, requested }) =>
    [reason, limit, used, requested].filter((part) => part !== undefined).join(' '),
  )

const KEY_REF = { name: 'anthropic', key: 'apiKey' }
const slot = (sprite: string) => ({ uid: sprite, sprite, since: TEST_NOW })
const config = (over: Tenant['spec']['config']) => tenantOf({ metadata: HELD, spec: { config: over } })

describe('a tenant', () => {
  test('TN3 that runs more than a lowered limit says that the others stop', () => {
    const slots = { holders: ['a', 'b', 'c', 'd', 'e'].map(slot) }
    const { status } = decideTenant(worldOf({ slots }))
    const ready = findCondition(status?.conditions, 'Ready')
    expect([ready?.status, ready?.message]).toEqual([
      'True',
      '5 sprites run and 4 may: the others finish what they do, then stop',
    ])
  })

  const rows: Record<string, [Partial<TenantWorld>, { ready: string; blockers?: readonly string[] }]> = {
    'TN3 with its plan is active': [{}, { ready: 'True Active' }],
    'TN4 without its plan is stalled': [
      { plan: undefined },
      { ready: 'False PlanNotFound stalled', blockers: ['PlanNotFound'] },
    ],
    'TN6 that is suspended is ready': [
      { tenant: tenantOf({ metadata: HELD, spec: { suspend: true } }) },
      { ready: 'True Suspended' },
    ],
    'TN5 above a lowered plan is stalled and capped': [
      { tenant: config({ maxConcurrentSprites: 9 }) },
      { ready: 'False LimitAbovePlan stalled', blockers: ['LimitAbovePlan'] },
    ],
    'TN5 with more agent types than the plan is stalled': [
      { plan: planOf('starter'), tenant: config({ enabledAgents: ['a', 'b', 'c', 'd'] }) },
      { ready: 'False AgentTypesAbovePlan stalled', blockers: ['AgentTypesAbovePlan 3 4'] },
    ],
    'TN13 with an Anthropic key of its own is active': [
      { plan: planOf('enterprise'), tenant: config({ anthropicKeySecretRef: KEY_REF }) },
      { ready: 'True Active' },
    ],
    'TN13 whose own Anthropic key is not there is stalled': [
      {
        plan: planOf('enterprise'),
        tenant: config({ anthropicKeySecretRef: KEY_REF }),
        anthropicKeyFault: 'SecretMissing',
      },
      { ready: 'False AnthropicKeyMissing stalled', blockers: ['AnthropicKeyMissing'] },
    ],
    'TN14 with an Anthropic key of its own under a lowered plan is stalled': [
      { tenant: config({ anthropicKeySecretRef: KEY_REF }) },
      { ready: 'False LimitAbovePlan stalled', blockers: ['LimitAbovePlan'] },
    ],
    'TN7 with an exhausted budget is stalled': [
      { balance: { spent: 10_000_000, reserved: 0 } },
      { ready: 'False BudgetExhausted stalled', blockers: ['BudgetExhausted 10000000 10000000'] },
    ],
    'TN7 with less left than a call takes is exhausted': [
      { balance: { spent: 9_999_745, reserved: 0 } },
      { ready: 'False BudgetExhausted stalled', blockers: ['BudgetExhausted 10000000 9999745'] },
    ],
    'TN7 with a budget that no call fits in says so': [
      { tenant: config({ monthlyTokenBudget: 100 }) },
      { ready: 'False BudgetTooSmall stalled', blockers: ['BudgetTooSmall 100 0'] },
    ],
    'TN7 with one call left is active': [{ balance: { spent: 9_999_744, reserved: 0 } }, { ready: 'True Active' }],
    'TN7 with its own budget exhausted is stalled': [
      { tenant: config({ monthlyTokenBudget: 1000 }), balance: { spent: 1000, reserved: 0 } },
      { ready: 'False BudgetExhausted stalled', blockers: ['BudgetExhausted 1000 1000'] },
    ],
    'TN8 with sprites that wait stays ready and says who holds the slots': [
      { slots: { holders: ['b', 'a', 'c', 'd'].map(slot), queue: [slot('e')] } },
      { ready: 'True Active', blockers: ['LimitReached 4 4 5'] },
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, { ready, blockers = [] }]) => {
    const decision = decideTenant(worldOf(over))
    expect(readyOf(decision)).toBe(ready)
    expect(blockersOf(decision)).toEqual(blockers)
    expect(decision.actions).toEqual([])
  })

  test('TN1 the finalizer is held in a pass of its own', () => {
    const decision = decideTenant(worldOf({ tenant: tenantOf(), hasNamespace: false }))
    expect(decision.actions).toEqual([{ do: 'holdFinalizer' }])
    expect(decision.status).toBeUndefined()
  })

  test('TN2 a missing namespace is made', () => {
    expect(decideTenant(worldOf({ hasNamespace: false })).actions).toEqual([{ do: 'ensureNamespace' }])
  })

  test('TN15 a namespace that is somebody else’s is said, not taken; no limit is given to what runs there', () => {
    const taken = { hasNamespace: false, isNamespaceTaken: true, app: { last: undefined, isDue: true } }
    const decision = decideTenant(worldOf(taken))
    expect([decision.actions, readyOf(decision), blockersOf(decision)]).toEqual([
      [],
      'False NamespaceTaken stalled',
      ['NamespaceTaken'],
    ])
    expect(decision.status).not.toHaveProperty('limits')
    expect(decision.status).not.toHaveProperty('namespace')
    expect(decision.requeueAfterMs).toBe(30_000)
    expect(findCondition(decision.status?.conditions, 'Ready')?.message).toMatch(/^Label namespace "acme" with /)
    const before = decideTenant(worldOf()).status ?? {}
    const tenant = tenantOf({ metadata: HELD, status: before })
    expect(decideTenant(worldOf({ ...taken, tenant })).status?.limits, 'what ran goes on').toEqual(before.limits)
  })

  test('TN4 the last known limits hold while the plan is gone', () => {
    const { status } = decideTenant(worldOf())
    const tenant = tenantOf({ metadata: HELD, status: status ?? {} })
    expect(decideTenant(worldOf({ tenant, plan: undefined })).status?.limits).toEqual(status?.limits)
  })

  test('TN8 names what would have to be raised: the plan, or its own limit', () => {
    const slots = { holders: [slot('a')], queue: [slot('e')] }
    const fix = (over: Parameters<typeof worldOf>[0]): string | undefined =>
      decideTenant(worldOf({ slots, ...over })).status?.blockers?.[0]?.fix
    expect(fix({})).toContain('take a plan')
    expect(fix({ tenant: config({ maxConcurrentSprites: 1 }) })).toContain('raise spec.config.maxConcurrentSprites')
  })

  test('TN9 texts: machines of the limit, share of the budget rounded down', () => {
    const slots = { holders: [slot('a')] }
    const some = decideTenant(worldOf({ slots, balance: { spent: 1_299_999, reserved: 0 } })).status
    expect([some?.runningText, some?.tokensText]).toEqual(['1/4', '12 %'])
    const unlimited = planOf('enterprise', { spec: { concurrentSprites: null } })
    const none = decideTenant(worldOf({ plan: unlimited, slots })).status
    expect([none?.runningText, none?.tokensText]).toEqual(['1/∞', '∞'])
  })
})

describe('a ledger that does not answer', () => {
  test('TN60 is said in a condition and a blocker, whatever Ready says, and looked at again soon', () => {
    const decision = decideTenant(worldOf({ isLedgerAway: true, usageAgeMs: 0 }))
    expect(readyOf(decision)).toBe('True Active')
    expect(findCondition(decision.status?.conditions, 'LedgerUnavailable')).toMatchObject({
      status: 'True',
      message: expect.stringContaining('work waits'),
    })
    expect(blockersOf(decision)).toEqual(['LedgerUnavailable'])
    expect(decision.requeueAfterMs).toBeLessThanOrEqual(USAGE_REFRESH_MS)
    const allowing = planOf('growth', { spec: { whenLedgerUnavailable: 'Allow' } })
    const allowed = decideTenant(worldOf({ isLedgerAway: true, plan: allowing })).status
    expect(findCondition(allowed?.conditions, 'LedgerUnavailable')?.message).toContain('counted once it answers')
  })
  test('TN60 is gone from the conditions when it answers', () => {
    const { status } = decideTenant(worldOf({ isLedgerAway: true }))
    const tenant = tenantOf({ metadata: HELD, ...(status === undefined ? {} : { status }) })
    const next = decideTenant(worldOf({ tenant, isLedgerAway: false }))
    expect(findCondition(next.status?.conditions, 'LedgerUnavailable')).toBeUndefined()
    expect(blockersOf(next)).toEqual([])
  })
  test('RL5 ceilings that were recorded stay in the status', () => {
    const tokenCeilings = [{ month: '2026-01', tokens: 7 }]
    const tenant = tenantOf({ metadata: HELD, status: { tokenCeilings } })
    expect(decideTenant(worldOf({ tenant })).status?.tokenCeilings).toEqual(tokenCeilings)
  })
})

describe('usage of a tenant', () => {
  const published = (usage: Partial<NonNullable<TenantStatus['usage']>>) =>
    tenantOf({
      metadata: HELD,
      status: { usage: { month: '2026-01', tokensUsed: 10, tokensReserved: 0, spritesSpawned: 2, ...usage } },
    })
  const usageOf = (over: Partial<TenantWorld>) => {
    const { status, requeueAfterMs, requeueReason, isUsageFresh } = decideTenant(worldOf(over))
    return {
      used: status?.usage?.tokensUsed,
      spawned: status?.usage?.spritesSpawned,
      requeueAfterMs,
      requeueReason,
      isUsageFresh,
    }
  }
  const balance = { spent: 50, reserved: 0 }

  test('TN10 what moved a moment ago is published when 15 s are over', () => {
    expect(usageOf({ tenant: published({}), balance, usageAgeMs: 4_000 })).toMatchObject({
      used: 10,
      requeueAfterMs: USAGE_REFRESH_MS - 4_000,
      requeueReason: 'usage',
      isUsageFresh: false,
    })
    expect(usageOf({ tenant: published({}), balance, usageAgeMs: 15_000 })).toMatchObject({
      used: 50,
      requeueAfterMs: USAGE_REFRESH_MS,
      isUsageFresh: true,
    })
  })
  test('TN10 an exhausted budget is published at once', () => {
    const spent = { spent: 10_000_000, reserved: 0 }
    expect(usageOf({ tenant: published({}), balance: spent, usageAgeMs: 1 })).toMatchObject({ used: 10_000_000 })
  })
  test('TN10 at work it is looked at every 15 s, at rest within the hour', () => {
    const atRest = { tenant: published({}), balance: { spent: 10, reserved: 0 }, spawned: 2, usageAgeMs: 60_000 }
    expect(usageOf({ ...atRest, isAtWork: true }).requeueAfterMs).toBe(USAGE_REFRESH_MS)
    expect(usageOf(atRest)).toMatchObject({ requeueAfterMs: 3_600_000, requeueReason: 'month' })
  })
  test('TN11 a new month begins at its first instant, with zero', () => {
    const nowMs = Date.UTC(2026, 0, 31, 23, 59, 30)
    expect(usageOf({ tenant: published({ tokensUsed: 0 }), nowMs, spawned: 2, usageAgeMs: 60_000 })).toMatchObject({
      requeueAfterMs: 30_000,
      requeueReason: 'month',
    })
    const next = { nowMs: Date.UTC(2026, 1, 1), month: '2026-02', nextMonthAtMs: Date.UTC(2026, 2, 1), usageAgeMs: 1 }
    expect(usageOf({ tenant: published({}), ...next })).toMatchObject({ used: 0, spawned: 0, isUsageFresh: true })
  })
  test('TN11 nextMonthAt goes over the end of a year', () => {
    expect([nextMonthAt('2026-01'), nextMonthAt('2026-12'), nextMonthAt('2028-02')]).toEqual([
      Date.UTC(2026, 1, 1),
      Date.UTC(2027, 0, 1),
      Date.UTC(2028, 2, 1),
    ])
  })
  test('TN12 the count of machines does not go back when another process counts', () => {
    expect(usageOf({ tenant: published({ spritesSpawned: 7 }), spawned: 1 }).spawned).toBe(7)
  })
})

const leftover = (kind: string, name: string, isGoing = false) => ({
  kind,
  metadata: {
    name,
    uid: name,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: TEST_NOW,
    ...(isGoing ? { deletionTimestamp: TEST_NOW } : {}),
  },
})

describe('deletion of a tenant', () => {
  const rows: Record<string, [Partial<TenantWorld>, readonly string[], string]> = {
    'TN20 sprites and projects go first': [
      {
        leftovers: [
          leftover('Work', 'w'),
          leftover('Sprite', 's'),
          leftover('Project', 'p'),
          leftover('SlotLedger', 'slots'),
        ],
      },
      ['delete Sprite s', 'delete Project p'],
      'Waits for 1 object to go, Sprite s: their machines are being removed',
    ],
    'TN20 sprites whose machines are being removed are waited for': [
      { leftovers: [leftover('Work', 'w'), leftover('Sprite', 's', true)] },
      [],
      'Waits for 1 object to go, Sprite s: their machines are being removed',
    ],
    'TN20 then all else but the slot ledger': [
      { leftovers: [leftover('Work', 'w'), leftover('User', 'u'), leftover('SlotLedger', 'slots')] },
      ['delete Work w', 'delete User u'],
      'Waits for 2 objects to go, User u, Work w',
    ],
    'TN20 then the slot ledger': [
      { leftovers: [leftover('SlotLedger', 'slots')] },
      ['delete SlotLedger slots'],
      'Waits for 1 object to go, SlotLedger slots',
    ],
    'TN20 then the namespace': [{}, ['removeNamespace'], 'Waits until namespace acme is removed'],
    'TN20 then what the provider keeps, and the finalizer': [
      { hasNamespace: false },
      ['removeAtProvider', 'releaseFinalizer'],
      'Waits for the machine provider to remove what it keeps for the tenant',
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, actions, message]) => {
    const decision = decideTenant(worldOf({ tenant: tenantOf({ metadata: DELETING }), ...over }))
    const lines = decision.actions.map((action) =>
      'kind' in action ? `delete ${action.kind} ${action.name}` : action.do,
    )
    expect(lines).toEqual(actions)
    expect(findCondition(decision.status?.conditions, 'Terminating')?.message).toBe(message)
    expect(readyOf(decision)).toBe('False Terminating')
  })

  test('TN20 without our finalizer nothing is done', () => {
    const tenant = tenantOf({ metadata: { finalizers: ['other'], deletionTimestamp: TEST_NOW } })
    expect(decideTenant(worldOf({ tenant }))).toEqual({ actions: [], isUsageFresh: false })
  })

  test('TN21 deletion ends in a bounded number of passes, whatever is left', () => {
    const kinds = ['Sprite', 'Project', 'Work', 'Review', 'User', 'AccessToken', 'Persona', 'SlotLedger']
    const leftovers = fc.uniqueArray(fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 0, max: 400 })), {
      selector: ([kind, serial]) => `${kind}/${serial}`,
      maxLength: 350,
    })
    fc.assert(
      fc.property(leftovers, (drawn) => {
        let world = worldOf({
          tenant: tenantOf({ metadata: DELETING }),
          leftovers: drawn.map(([kind, serial]) => leftover(kind, `o${serial}`)),
        })
        for (let pass = 0; pass < 20; pass++) {
          const { actions, status } = decideTenant(world)
          expect(actions.length).toBeLessThanOrEqual(DELETES_PER_PASS_MAX)
          expect(faultsOf(tenantKind, status ?? {})).toEqual([])
          if (actions.some((action) => action.do === 'releaseFinalizer')) {
            expect(world.leftovers).toEqual([])
            return
          }
          const gone = new Set(actions.flatMap((action) => ('kind' in action ? [`${action.kind}/${action.name}`] : [])))
          const left = world.leftovers.filter(({ kind, metadata }) => !gone.has(`${kind}/${metadata.name}`))
          const isRemoved = actions.some((action) => action.do === 'removeNamespace')
          world = { ...world, leftovers: left, hasNamespace: world.hasNamespace && !isRemoved }
        }
        expect.unreachable('The deletion did not end')
      }),
      { numRuns: 200 },
    )
  })
})

describe('any tenant', () => {
  const tokens = fc.constantFrom(0, 1, 255, 999_999, 1_000_000, 9_999_999, 10_000_000, 12_345_678)
  const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined })
  const configs = fc.record({
    maxConcurrentSprites: maybe(fc.integer({ min: 0, max: 12 })),
    monthlyTokenBudget: maybe(tokens),
    spriteIdleTimeoutSeconds: maybe(fc.integer({ min: 5, max: 4000 })),
    enabledAgents: maybe(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'))),
  })
  const usages = fc.record({
    month: fc.constantFrom('2025-12', '2026-01'),
    tokensUsed: tokens,
    tokensReserved: tokens,
    spritesSpawned: fc.nat(5),
  })
  const slots = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')).map((names) => names.map(slot))
  const worlds = fc
    .record({
      plan: maybe(fc.constantFrom('starter', 'growth', 'enterprise')),
      config: configs,
      suspend: fc.boolean(),
      usage: maybe(usages),
      spent: tokens,
      reserved: tokens,
      spawned: fc.nat(5),
      usageAgeMs: maybe(fc.constantFrom(0, 1, 14_999, 15_000, 10 ** 7)),
      isAtWork: fc.boolean(),
      holders: slots,
      queue: slots,
      hasNamespace: fc.boolean(),
      isNamespaceTaken: fc.boolean(),
      anthropicKeyFault: fc.constantFrom(undefined, 'SecretMissing' as const, 'KeyUnusable' as const),
      isHeld: fc.boolean(),
    })
    .map((drawn) => {
      const { plan, config, suspend, usage, spent, reserved, holders, queue, isHeld, usageAgeMs, ...rest } = drawn
      const known = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
      const tenant = tenantOf({
        metadata: isHeld ? HELD : {},
        spec: { plan: plan ?? 'gone', config: known, suspend },
        ...(usage === undefined ? {} : { status: { usage } }),
      })
      return worldOf({
        ...rest,
        usageAgeMs,
        tenant,
        plan: plan === undefined ? undefined : planOf(plan),
        balance: { spent, reserved },
        slots: { holders, queue },
      })
    })

  /** The world after the decision was carried out and published. */
  const after = (world: TenantWorld, { actions, status, isUsageFresh }: TenantDecision): TenantWorld => {
    const isHeld = actions.some((action) => action.do === 'holdFinalizer')
    const metadata = isHeld ? { ...world.tenant.metadata, ...HELD } : world.tenant.metadata
    return {
      ...world,
      tenant: { ...world.tenant, metadata, ...(status === undefined ? {} : { status }) },
      hasNamespace: world.hasNamespace || actions.some((action) => action.do === 'ensureNamespace'),
      usageAgeMs: isUsageFresh || world.usageAgeMs === undefined ? 0 : world.usageAgeMs,
    }
  }

  test('TN30 converges: after two passes there is nothing to do and nothing to write', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const second = after(world, decideTenant(world))
        const third = after(second, decideTenant(second))
        const decision = decideTenant(third)
        expect(decision.actions).toEqual([])
        expect(statusPatch(third.tenant.status, decision.status ?? {})).toBeUndefined()
        expect(faultsOf(tenantKind, decision.status ?? {})).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  test('TN31 limits are the smaller of plan and config, and unlimited only when both are', () => {
    fc.assert(
      fc.property(worlds, ({ plan, tenant }) => {
        if (plan === undefined) return
        const { config } = tenant.spec
        const limits = effectiveLimits(plan.spec, config)
        const min = (a: number | null, b: number | undefined) =>
          a === null && b === undefined ? null : Math.min(a ?? Infinity, b ?? Infinity)
        expect(limits.concurrentSprites).toBe(min(plan.spec.concurrentSprites, config.maxConcurrentSprites))
        expect(limits.monthlyTokens).toBe(min(plan.spec.monthlyTokens, config.monthlyTokenBudget))
        expect(limits.spriteIdleTimeoutSeconds).toBe(
          min(plan.spec.spriteIdleTimeoutSeconds, config.spriteIdleTimeoutSeconds),
        )
        // A merge patch drops null; what is read back is the same all the same.
        const { concurrentSprites, monthlyTokens, agentTypes, ...rest } = limits
        const stored = {
          ...rest,
          ...(concurrentSprites === null ? {} : { concurrentSprites }),
          ...(monthlyTokens === null ? {} : { monthlyTokens }),
          ...(agentTypes === null ? {} : { agentTypes }),
        }
        expect(limitsOf({ status: { limits: stored } })).toEqual(limits)
      }),
      { numRuns: 500 },
    )
  })

  test('TN32 is looked at again within the hour, and never in a hot loop', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { requeueAfterMs, status } = decideTenant(world)
        if (status === undefined) return
        expect(requeueAfterMs).toBeGreaterThan(0)
        expect(requeueAfterMs).toBeLessThanOrEqual(3_600_000)
      }),
      { numRuns: 500 },
    )
  })
})
