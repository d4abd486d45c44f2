/** Counts over whole lives, free of noise: store writes, machine calls and passes (performance.md). */
import { afterEach, expect, test } from 'vitest'
import type { Condition } from '../controller/api/conditions.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { slotLedgerKind } from '../controller/kinds/slotledger/schema.ts'
import { Fleet } from './simulation/fleet.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.crash()
  fleet = undefined
})

async function fleetOf(options: ConstructorParameters<typeof Fleet>[0]): Promise<Fleet> {
  fleet = new Fleet(options)
  await fleet.start()
  return fleet
}

/** The phases that the writes of sprite statuses led to, in order; a write that keeps the phase says what it changed. */
function spriteWrites(it: Fleet): string[] {
  return it.client.calls.flatMap((call) => {
    if (call.kind !== 'Sprite' || call.verb !== 'patchStatus') return []
    const body = call.body as { readonly phase?: string; readonly machine?: object | null } // as the shell sent it
    return [body.phase ?? Object.keys(body.machine ?? body).join('+')]
  })
}

/** Times of conditions that moved although their status did not. */
function needlessMoves(it: Fleet): string[] {
  const before = new Map<string, Condition>()
  return it.client.calls.flatMap((call) => {
    if (call.verb !== 'patchStatus') return []
    const { conditions = [] } = call.body as { readonly conditions?: readonly Condition[] } // as the shell sent it
    return conditions.flatMap((condition) => {
      const id = `${call.key} ${condition.type}`
      const old = before.get(id)
      before.set(id, condition)
      const isMoved = old?.status === condition.status && old.lastTransitionTime !== condition.lastTransitionTime
      // Reconciling and Stalled are taken away while false: their next time is a new one.
      return isMoved && condition.type === 'Ready' ? [`${id} ${old.reason} > ${condition.reason}`] : []
    })
  })
}

const failures = (it: Fleet): string[] =>
  it
    .trace()
    .split('\n')
    .filter((line) => line.includes('FAILED'))

test('SPR70 a life is written once for each thing that can be seen of it: created, at work, idle, asleep, deleted', async () => {
  const it = await fleetOf({ seed: 7, limit: 1, tenants: ['acme'] })
  await it.addSprite('acme', 'a')
  await it.run(5)
  expect(spriteWrites(it)).toEqual(['Stopped'])
  it.client.resetCalls()

  await it.addWork('acme', 'w')
  await it.run(20)
  expect(spriteWrites(it).filter((what) => what !== 'state')).toEqual([
    'Starting', // the intent, before the call
    'attemptTime+intent+id+app+region+state', // its answer
    'Idle',
    'Working',
    'Idle',
  ])
  it.client.resetCalls()

  await it.run(60)
  expect(spriteWrites(it)).toEqual(['Draining', 'state+absentSince', 'Stopped'])
  it.client.resetCalls()

  await it.client.delete(spriteKind, { namespace: 'acme', name: 'a' })
  await it.run(10)
  expect(it.sprites()).toEqual([])
  expect(spriteWrites(it)).toEqual([])
  expect(failures(it)).toEqual([])
})

test('SPR70 a life with a kept machine: asleep, woken, asleep, deleted', async () => {
  const it = await fleetOf({ seed: 7, limit: 1, tenants: ['acme'], retentionSeconds: 3_600 })
  await it.addSprite('acme', 'a')
  await it.addWork('acme', 'w')
  await it.run(20)
  it.client.resetCalls()

  await it.run(60)
  expect(spriteWrites(it).filter((what) => what !== 'state')).toEqual(['Draining', 'since+state', 'Stopped'])
  it.client.resetCalls()

  await it.addWork('acme', 'w2')
  await it.run(25)
  expect(spriteWrites(it).filter((what) => what !== 'state')).toEqual([
    'Starting',
    'attemptTime',
    'Idle',
    'Working',
    'Idle',
  ])
  await it.run(60)
  it.client.resetCalls()

  await it.client.delete(spriteKind, { namespace: 'acme', name: 'a' })
  await it.run(20)
  expect(it.sprites()).toEqual([])
  expect(spriteWrites(it).filter((what) => what !== 'state')).toEqual([
    'Draining',
    'state+absentSince',
    'machine+failures+conditions',
  ])
  expect(failures(it)).toEqual([])
})

test('SPR71 the time of Ready moves only when its status does, and no write conflicts', async () => {
  const it = await fleetOf({ seed: 9, limit: 1, tenants: ['acme'] })
  for (const name of ['a', 'b']) await it.addSprite('acme', name)
  for (const name of ['w', 'x', 'y']) await it.addWork('acme', name)
  await it.run(150)
  expect(it.work().every((work) => work.status?.phase === 'Completed')).toBe(true)
  expect(needlessMoves(it)).toEqual([])
  expect(failures(it)).toEqual([])
})

test('SPR72 a resync of 1,000 converged sprites writes nothing and calls nobody but for one list a look', async () => {
  const it = await fleetOf({ seed: 8, limit: 100, tenants: ['acme'] })
  for (let at = 0; at < 1_000; at++)
    await it.addSprite('acme', `s${at}`, { runPolicy: at < 100 ? 'Always' : 'OnDemand' })
  await it.run(30)
  expect(it.sprites().filter((sprite) => sprite.status?.phase === 'Idle')).toHaveLength(100)
  expect(it.sprites().filter((sprite) => sprite.status?.phase === 'Stopped')).toHaveLength(900)
  const before = it.manager?.stats()['sprite']?.reconciles ?? 0
  it.client.resetCalls()
  it.machines.calls.length = 0
  await it.run(610)
  expect((it.manager?.stats()['sprite']?.reconciles ?? 0) - before).toBeGreaterThanOrEqual(1_000)
  expect(it.client.commits).toBe(0)
  expect(it.client.count('patchStatus', 'patchMetadata', 'create', 'update', 'delete')).toBe(0)
  expect(it.machines.calls.filter(({ call }) => call !== 'list')).toEqual([])
}, 60_000)

test('SPR73 a change from outside leads to at most 1.5 passes of the sprite’s controller', async () => {
  const it = await fleetOf({ seed: 8, limit: 2, tenants: ['acme'] })
  for (let at = 0; at < 100; at++) await it.addSprite('acme', `s${at}`)
  await it.run(10)
  const before = it.manager?.stats()['sprite']?.reconciles ?? 0
  it.client.resetCalls()
  for (const sprite of it.sprites())
    await it.client.update(spriteKind, { ...sprite, spec: { ...sprite.spec, idleTimeoutSeconds: 20 } })
  await it.run(5)
  const passes = (it.manager?.stats()['sprite']?.reconciles ?? 0) - before
  expect(passes).toBeGreaterThanOrEqual(100)
  expect(passes).toBeLessThanOrEqual(150)
  expect(it.client.count('patchStatus')).toBe(100) // observedGeneration
})

test('WRK60 a work is written once for each thing that can be seen of it', async () => {
  const it = await fleetOf({ seed: 7, limit: 1, tenants: ['acme'] })
  await it.addSprite('acme', 'a')
  await it.run(5)
  it.client.resetCalls()
  await it.addWork('acme', 'w')
  await it.run(25)
  const writes = it.client.calls.filter(({ kind, verb }) => kind === 'Work' && verb === 'patchStatus')
  // Accepted, assigned; claimed and completed by the Coordinator, each followed by the conditions.
  expect(writes).toHaveLength(6)
  expect(failures(it)).toEqual([])
})

test('SLT30 the ledger is written once for each slot given or given back', async () => {
  const it = await fleetOf({ seed: 7, limit: 1, tenants: ['acme'] })
  await it.addSprite('acme', 'a')
  await it.run(5)
  it.client.resetCalls()
  await it.addWork('acme', 'w')
  await it.run(90)
  expect(it.client.peekAll(slotLedgerKind)[0]?.status?.holders ?? []).toEqual([])
  expect(it.client.calls.filter(({ kind, verb }) => kind === 'SlotLedger' && verb === 'patchStatus')).toHaveLength(2)
})

test('SPR74 a sprite whose persona is missing holds no slot, and asks once it is there', async () => {
  const it = await fleetOf({ seed: 7, limit: 1, tenants: ['acme'], unknownAgentType: 'ghost' })
  await it.addSprite('acme', 'a', { agentType: 'ghost', runPolicy: 'Always' })
  await it.run(10)
  expect(it.sprites()[0]?.status?.phase).toBe('Blocked')
  it.client.resetCalls()
  await it.run(60)
  expect(it.client.commits).toBe(0)
})
