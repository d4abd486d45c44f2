/** Stories of the controllers on a running engine with a fake client: what is written, how often, and what faults do. */
import { afterEach, describe, expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { findCondition } from '../api/conditions.ts'
import type { KubeObject } from '../api/object.ts'
import type { Manager } from '../engine/manager.ts'
import { accessTokenKind } from './accesstoken/schema.ts'
import {
  accessTokenOf,
  allPlans,
  personaOf,
  projectOf,
  reviewOf,
  slotLedgerOf,
  spriteOf,
  tenantOf,
  TEST_TENANT,
  userOf,
  workOf,
} from './object-builders.ts'
import { personaKind } from './persona/schema.ts'
import { planKind } from './plan/schema.ts'
import { projectKind } from './project/schema.ts'
import { reviewKind } from './review/schema.ts'
import { MACHINE_FINALIZER, spriteKind } from './sprite/schema.ts'
import { tenantKind } from './tenant/schema.ts'
import { createFleet } from './test-fleet.ts'
import { userKind } from './user/schema.ts'
import { workKind } from './work/schema.ts'
import { TENANT_FINALIZER } from './marks.ts'

const inTenant = (name: string) => ({ namespace: TEST_TENANT, name })
const TENANT = { namespace: '', name: TEST_TENANT }

const running: Manager[] = []
afterEach(async () => {
  for (const manager of running.splice(0)) await manager.stop()
})

const startFleet = async (...seeds: readonly KubeObject[]) => await startFleetAt(undefined, ...seeds)

async function startFleetAt(startMs: number | undefined, ...seeds: readonly KubeObject[]) {
  const fleet = createFleet(startMs)
  fleet.client.seed(...allPlans(), ...seeds)
  running.push(fleet.manager)
  await fleet.manager.start()
  await fleet.settle()
  return fleet
}

/** A tenant that stands: finalizer held, namespace there, status published. */
const startTenant = async (...seeds: readonly KubeObject[]) => await startFleet(tenantOf(), ...seeds)

type Conditioned = { readonly status?: { readonly conditions?: Parameters<typeof findCondition>[0] } }
const readyReason = (object: Conditioned | undefined): string | undefined =>
  findCondition(object?.status?.conditions, 'Ready')?.reason

describe('a tenant in the fleet', () => {
  test('TN40 stands after two writes: the finalizer, then one status', async () => {
    const { client, outside } = await startTenant()
    const tenant = client.peek(tenantKind, TENANT)
    expect(tenant?.metadata.finalizers).toEqual([TENANT_FINALIZER])
    expect(tenant?.status).toMatchObject({
      namespace: TEST_TENANT,
      limits: { concurrentSprites: 4 },
      runningText: '0/4',
      tokensText: '0 %',
    })
    expect([...outside.namespaces]).toEqual([TEST_TENANT])
    expect(client.calls.filter((call) => call.kind === 'Tenant' && call.verb.startsWith('patch'))).toHaveLength(2)
    expect(outside.events).toContain('Normal Tenant Active')
  })

  test('TN41 at rest nothing is written, over hours', async () => {
    const { client, clock, settle } = await startTenant()
    await clock.advance(60_000)
    await settle()
    client.resetCalls()
    await clock.advance(4 * 3_600_000)
    await settle()
    expect(client.count('create', 'update', 'patchStatus', 'patchMetadata', 'delete')).toBe(0)
  })

  test('TN42 a plan that is lowered is published at once', async () => {
    const { client, settle } = await startTenant()
    const plan = await client.get(planKind, { namespace: '', name: 'growth' })
    await client.update(planKind, { ...plan, spec: { ...plan.spec, concurrentSprites: 1 } })
    await settle()
    expect(client.peek(tenantKind, TENANT)?.status?.limits?.concurrentSprites).toBe(1)
  })

  test('TN43 tokens that move all the time are written every 15 s', async () => {
    const { client, clock, outside, settle } = await startTenant()
    await clock.advance(20_000)
    client.resetCalls()
    await client.create(workKind, workOf('w1'))
    await client.patchStatus(workKind, inTenant('w1'), { phase: 'InProgress' })
    await settle()
    client.resetCalls()
    for (let second = 0; second < 60; second++) {
      outside.balance = { spent: outside.balance.spent + 1_000, reserved: 0 }
      await clock.advance(1_000)
    }
    await settle()
    expect(client.count('patchStatus')).toBeGreaterThanOrEqual(3)
    expect(client.count('patchStatus')).toBeLessThanOrEqual(5)
    expect(client.peek(tenantKind, TENANT)?.status?.usage?.tokensUsed).toBeGreaterThanOrEqual(45_000)
  })

  test('TN44 the last tokens of a work are seen after it ended, and then it rests', async () => {
    const { client, clock, manager, outside, settle } = await startTenant()
    await clock.advance(20_000)
    await client.create(workKind, workOf('w1'))
    await client.patchStatus(workKind, inTenant('w1'), { phase: 'InProgress' })
    await settle()
    outside.balance = { spent: 777, reserved: 0 }
    await client.patchStatus(workKind, inTenant('w1'), { phase: 'Completed' })
    await clock.advance(20_000)
    await settle()
    expect(client.peek(tenantKind, TENANT)?.status?.usage?.tokensUsed).toBe(777)
    await clock.advance(20_000)
    const passes = manager.stats()['tenant']?.reconciles ?? 0
    await clock.advance(590_000)
    expect((manager.stats()['tenant']?.reconciles ?? 0) - passes).toBeLessThanOrEqual(1)
  })

  test('TN45 a month begins at its first instant', async () => {
    const newMonthAt = Date.UTC(2026, 1, 1)
    const { client, clock, outside, settle } = await startFleetAt(newMonthAt - 2 * 3_600_000, tenantOf())
    outside.balance = { spent: 500, reserved: 0 }
    await clock.advance(newMonthAt - clock.now() - 1_000)
    await settle()
    expect(client.peek(tenantKind, TENANT)?.status?.usage).toMatchObject({ month: '2026-01', tokensUsed: 500 })
    outside.balance = { spent: 0, reserved: 0 }
    await clock.advance(newMonthAt - clock.now())
    await settle()
    expect(client.peek(tenantKind, TENANT)?.status?.usage).toMatchObject({ month: '2026-02', tokensUsed: 0 })
  })

  test('L4 TN46 deletion: sprites first, and only when their machines are gone all the rest', async () => {
    const { client, clock, outside, settle } = await startTenant(
      spriteOf('s1', { metadata: { finalizers: [MACHINE_FINALIZER] } }),
      workOf('w1'),
      slotLedgerOf(),
      userOf('ada'),
    )
    await client.delete(tenantKind, TENANT)
    await settle()
    await clock.advance(60_000)
    await settle()
    expect(client.peek(spriteKind, inTenant('s1'))?.metadata.deletionTimestamp).toBeDefined()
    expect(client.peek(workKind, inTenant('w1'))).toBeDefined()
    const waiting = findCondition(client.peek(tenantKind, TENANT)?.status?.conditions, 'Terminating')
    expect(waiting?.message).toBe('Waits for 1 object to go, Sprite s1: their machines are being removed')
    outside.providerError = new Error('The provider is down')
    await client.patchMetadata(spriteKind, inTenant('s1'), { finalizers: [] })
    await clock.advance(60_000)
    await settle()
    expect([...outside.namespaces]).toEqual([])
    const blocked = findCondition(client.peek(tenantKind, TENANT)?.status?.conditions, 'Terminating')
    expect(blocked?.message).toBe('Waits for the machine provider to remove what it keeps for the tenant')
    outside.providerError = undefined
    await clock.advance(300_000)
    await settle()
    expect(outside.removedAtProvider).toEqual([TEST_TENANT])
    expect(client.peek(tenantKind, TENANT)).toBeUndefined()
    expect([workKind, userKind].flatMap((kind): readonly KubeObject[] => client.peekAll(kind))).toEqual([])
  })

  test('TN47 a store that cannot be listed never lets a tenant go', async () => {
    const { client, clock, outside, settle } = await startTenant(workOf('w1'))
    client.failNext('list', new ApiError('ServiceUnavailable', 'The store is down'), { kind: 'Work', times: 3 })
    await client.delete(tenantKind, TENANT)
    await settle()
    expect(client.peek(tenantKind, TENANT)?.metadata.finalizers).toEqual([TENANT_FINALIZER])
    expect(outside.removedAtProvider).toEqual([])
    await clock.advance(120_000)
    await settle()
    expect(client.peek(tenantKind, TENANT)).toBeUndefined()
  })
})

describe('a project in the fleet', () => {
  const launch = projectOf('q1', {
    spec: {
      agentsNeeded: ['director', 'copywriter'],
      work: [{ name: 'brief', type: 'make_brief', agentType: 'director', description: 'Make the brief' }],
    },
  })

  test('PJ40 makes its sprites and tasks and says so in one status write', async () => {
    const { client } = await startTenant(launch)
    expect(client.peekAll(spriteKind).map((sprite) => sprite.metadata.name)).toEqual(['q1-copywriter', 'q1-director'])
    expect(client.peek(spriteKind, inTenant('q1-director'))).toMatchObject({
      metadata: {
        labels: {
          'sprites.highera.com/project': 'q1',
          'sprites.highera.com/agent-type': 'director',
          'sprites.highera.com/managed-by': 'project',
        },
        ownerReferences: [{ kind: 'Project', name: 'q1', controller: true, blockOwnerDeletion: true }],
      },
      spec: { agentType: 'director', project: 'q1', runPolicy: 'OnDemand' },
    })
    expect(client.peek(workKind, inTenant('q1-brief'))?.spec).toMatchObject({ agentType: 'director', project: 'q1' })
    expect(client.calls.filter((call) => call.kind === 'Project' && call.verb === 'patchStatus')).toHaveLength(1)
    expect(client.peek(projectKind, inTenant('q1'))?.status).toMatchObject({
      phase: 'Active',
      spritesAssigned: ['q1-copywriter', 'q1-director'],
      workText: '0/1',
    })
  })

  test('PJ41 a task whose Work was deleted is not made again; a sprite is', async () => {
    const { client, settle } = await startTenant(launch)
    await client.delete(workKind, inTenant('q1-brief'))
    await client.delete(spriteKind, inTenant('q1-director'))
    await settle()
    expect(client.peek(workKind, inTenant('q1-brief'))).toBeUndefined()
    expect(client.peek(spriteKind, inTenant('q1-director'))).toBeDefined()
    expect(client.peek(projectKind, inTenant('q1'))?.status?.phase).toBe('Pending')
  })

  test.each(['create', 'patchStatus'] as const)('PJ42 a lost answer to %s doubles nothing', async (verb) => {
    const fleet = createFleet()
    fleet.client.seed(...allPlans(), tenantOf(), launch)
    running.push(fleet.manager)
    fleet.client.failNext(verb, new ApiError('Timeout', 'No answer'), { times: 2, isApplied: true })
    await fleet.manager.start()
    await fleet.settle()
    await fleet.clock.advance(30_000)
    await fleet.settle()
    expect(fleet.client.peekAll(spriteKind)).toHaveLength(2)
    expect(fleet.client.peekAll(workKind)).toHaveLength(1)
    expect(fleet.client.peek(projectKind, inTenant('q1'))?.status?.workCreated).toEqual(['brief'])
  })

  test('PJ43 what the server refuses is told, and tried again when it may have changed', async () => {
    const fleet = createFleet()
    const { work } = launch.spec
    fleet.client.seed(...allPlans(), tenantOf(), projectOf('q1', { spec: { work } }))
    running.push(fleet.manager)
    fleet.client.failNext('create', new ApiError('Forbidden', 'Cannot do it'), { kind: 'Work' })
    await fleet.manager.start()
    await fleet.settle()
    expect(fleet.outside.events).toContain('Warning Project Refused')
    await fleet.clock.advance(61_000)
    await fleet.settle()
    expect(fleet.client.peek(workKind, inTenant('q1-brief'))).toBeDefined()
    expect(readyReason(fleet.client.peek(projectKind, inTenant('q1')))).toBe('Active')
  })

  test('PJ44 completes with its work, at one status write a step', async () => {
    const { client, settle } = await startTenant(launch)
    client.resetCalls()
    await client.patchStatus(workKind, inTenant('q1-brief'), { phase: 'InProgress' })
    await settle()
    await client.patchStatus(workKind, inTenant('q1-brief'), {
      phase: 'Completed',
      completionTime: '2026-01-15T12:00:00Z',
      deliverables: [{ name: 'brief', mediaType: 'text/plain', content: 'x', digest: 'sha256:1' }],
    })
    await settle()
    expect(client.peek(projectKind, inTenant('q1'))?.status).toMatchObject({
      phase: 'Completed',
      workText: '1/1',
      deliverables: [{ name: 'brief', agentType: 'director' }],
    })
    expect(client.calls.filter((call) => call.kind === 'Project' && call.verb === 'patchStatus')).toHaveLength(2)
  })

  test('PJ45 while its tenant is being deleted it makes nothing anew', async () => {
    const { client, clock, settle } = await startTenant(launch)
    await client.delete(tenantKind, TENANT)
    await settle()
    await clock.advance(120_000)
    await settle()
    expect(client.peekAll(spriteKind)).toEqual([])
    expect(client.peekAll(workKind)).toEqual([])
    expect(client.peek(tenantKind, TENANT)).toBeUndefined()
  })
})

describe('the other kinds in the fleet', () => {
  test('RV40 a review makes its work, takes the verdict, and makes no second one', async () => {
    const { client, settle } = await startTenant(workOf('w1', { status: { phase: 'InReview' } }), reviewOf('r1'))
    expect(client.peek(workKind, inTenant('r1-review'))?.spec).toMatchObject({ type: 'review', agentType: 'editor' })
    await client.patchStatus(workKind, inTenant('r1-review'), {
      phase: 'Completed',
      assignedSprite: 'q1-editor',
      output: { verdict: 'Approved', summary: 'Good' },
    })
    await settle()
    expect(client.peek(reviewKind, inTenant('r1'))?.status).toMatchObject({
      phase: 'Answered',
      verdict: 'Approved',
      by: 'q1-editor',
      comment: 'Good',
    })
    expect(client.peekAll(workKind)).toHaveLength(2)
  })

  test('US40 when the older of two users goes, the younger gets the address', async () => {
    const email = 'ada@acme.test'
    const { client, settle } = await startTenant(
      userOf('ada', { spec: { email } }),
      userOf('ada2', { spec: { email }, metadata: { creationTimestamp: '2026-01-02T00:00:00Z' } }),
    )
    expect(readyReason(client.peek(userKind, inTenant('ada2')))).toBe('EmailTaken')
    await client.delete(userKind, inTenant('ada'))
    await settle()
    expect(readyReason(client.peek(userKind, inTenant('ada2')))).toBe('Active')
  })

  test('AX40 a token follows its user, and expires by the clock', async () => {
    const { client, clock, settle } = await startTenant(
      accessTokenOf('ada', { spec: { role: undefined, user: 'ada', expireTime: '2026-01-15T13:00:00Z' } }),
    )
    const reason = () => readyReason(client.peek(accessTokenKind, inTenant('ada')))
    expect(reason()).toBe('UserNotFound')
    await client.create(userKind, userOf('ada'))
    await settle()
    expect(reason()).toBe('Active')
    await client.delete(userKind, inTenant('ada'))
    await settle()
    expect(reason()).toBe('UserNotFound')
    await clock.advance(3_600_000)
    await settle()
    expect(reason()).toBe('Expired')
  })

  test('PE40 a persona comes into force with the plan, and its revision follows its text alone', async () => {
    const { client, settle } = await startTenant(personaOf('poet'))
    const key = inTenant('poet')
    expect(readyReason(client.peek(personaKind, key))).toBe('PlanForbids')
    const before = client.peek(personaKind, key)?.status?.revision
    const tenant = await client.get(tenantKind, TENANT)
    await client.update(tenantKind, { ...tenant, spec: { ...tenant.spec, plan: 'enterprise' } })
    await settle()
    expect(readyReason(client.peek(personaKind, key))).toBe('InForce')
    expect(client.peek(personaKind, key)?.status?.revision).toBe(before)
    const persona = await client.get(personaKind, key)
    await client.update(personaKind, { ...persona, spec: { ...persona.spec, prompt: 'You are another poet by now.' } })
    await settle()
    expect(client.peek(personaKind, key)?.status?.revision).not.toBe(before)
  })

  test('PL40 a plan counts its tenants as they come, move and go', async () => {
    const { client, settle } = await startFleet()
    const counts = () =>
      ['growth', 'starter'].map((name) => client.peek(planKind, { namespace: '', name })?.status?.tenants)
    await client.create(tenantKind, tenantOf())
    await settle()
    expect(counts()).toEqual([1, 0])
    const tenant = await client.get(tenantKind, TENANT)
    await client.update(tenantKind, { ...tenant, spec: { ...tenant.spec, plan: 'starter' } })
    await settle()
    expect(counts()).toEqual([0, 1])
    client.vanish(tenantKind, TENANT)
    await settle()
    expect(counts()).toEqual([0, 0])
  })
})
