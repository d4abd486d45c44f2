/** Stories and random histories of a whole fleet under faults (promises.md S1, S2, S5, L1, L5). */
import { writeFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { DRAIN_AT_ANNOTATION, WAKE_AT_ANNOTATION } from '../controller/kinds/marks.ts'
import { spriteKind, type Sprite } from '../controller/kinds/sprite/schema.ts'
import { slotLedgerKind } from '../controller/kinds/slotledger/schema.ts'
import { isTerminal, workKind, type Work } from '../controller/kinds/work/schema.ts'
import { microTimestamp } from '../system/timestamp.ts'
import { CONTROL_PLANE, Fleet } from './simulation/fleet.ts'

let fleet: Fleet | undefined
afterEach(async () => {
  // SIMULATION_TRACE=file keeps what the last seed did.
  const file = process.env['SIMULATION_TRACE']
  if (file !== undefined) writeFileSync(file, fleet?.trace() ?? '')
  await fleet?.crash()
  fleet = undefined
})

async function fleetOf(options: ConstructorParameters<typeof Fleet>[0]): Promise<Fleet> {
  fleet = new Fleet(options)
  await fleet.start()
  return fleet
}

const phases = (of: Fleet, tenant = 'acme'): Record<string, string | undefined> =>
  Object.fromEntries(
    of
      .sprites()
      .filter((sprite) => sprite.metadata.namespace === tenant)
      .map((sprite) => [sprite.metadata.name, sprite.status?.phase]),
  )

describe('stories', () => {
  test('FL1 three sprites that always run under a limit of two: two run, the third waits at position 1 and says why', async () => {
    const it = await fleetOf({ seed: 1, limit: 2, tenants: ['acme'] })
    for (const name of ['a', 'b', 'c']) await it.addSprite('acme', name, { runPolicy: 'Always' })
    await it.run(30)
    expect(phases(it)).toEqual({ a: 'Idle', b: 'Idle', c: 'Queued' })
    const waiting = it.client.peek(spriteKind, { namespace: 'acme', name: 'c' })
    expect(waiting?.status?.blockers?.[0]).toMatchObject({
      reason: 'Queued',
      limit: 2,
      used: 2,
      position: 1,
      holders: ['a', 'b'],
    })
    expect(waiting?.status?.conditions?.find(({ type }) => type === 'Ready')?.message).toBe(
      'Waits for a slot at position 1: 2 of 2 run (a, b)',
    )
  })

  test('FL2 an on-demand sprite has no machine until there is work, then does it, then sleeps', async () => {
    const it = await fleetOf({ seed: 2, limit: 2, tenants: ['acme'] })
    await it.addSprite('acme', 'a')
    await it.run(10)
    expect(phases(it)).toEqual({ a: 'Stopped' })
    expect(it.machines.calls.filter(({ call }) => call === 'create')).toEqual([])
    await it.addWork('acme', 'w')
    await it.run(30)
    expect(it.work()[0]?.status?.phase).toBe('Completed')
    await it.run(90)
    expect(phases(it)).toEqual({ a: 'Stopped' })
    expect(it.machines.machines()).toEqual([])
    expect(it.client.peekAll(slotLedgerKind)[0]?.status?.holders ?? []).toEqual([])
  })

  test('FL3 an idle sprite yields its slot to one that has work', async () => {
    const it = await fleetOf({ seed: 3, limit: 1, tenants: ['acme'] })
    await it.addSprite('acme', 'a')
    await it.addSprite('acme', 'b', { agentType: 'editor', idleTimeoutSeconds: 3600 })
    await it.addWork('acme', 'first')
    await it.run(25)
    await it.addWork('acme', 'second', { agentType: 'editor' })
    await it.run(60)
    expect(it.work().map((work) => work.status?.phase)).toEqual(['Completed', 'Completed'])
  })

  test('FL4 a deleted sprite goes only after its machine is confirmed gone, and its slot with it', async () => {
    const it = await fleetOf({ seed: 4, limit: 2, tenants: ['acme'] })
    await it.addSprite('acme', 'a', { runPolicy: 'Always' })
    await it.run(20)
    await it.client.delete(spriteKind, { namespace: 'acme', name: 'a' })
    await it.run(40)
    expect(it.sprites()).toEqual([])
    expect(it.machines.machines()).toEqual([])
    expect(it.client.peekAll(slotLedgerKind)[0]?.status?.holders ?? []).toEqual([])
  })

  test('FL5 a changed guest drains and replaces the machine under the same slot', async () => {
    const it = await fleetOf({ seed: 5, limit: 1, tenants: ['acme'] })
    await it.addSprite('acme', 'a', { runPolicy: 'Always' })
    await it.run(20)
    const before = it.client.peek(spriteKind, { namespace: 'acme', name: 'a' })
    if (before === undefined) throw new Error('the sprite is gone')
    await it.client.update(spriteKind, {
      ...before,
      spec: { ...before.spec, guest: { cpuKind: 'shared', cpus: 2, memoryMb: 1024 } },
    })
    await it.run(40)
    const after = it.client.peek(spriteKind, { namespace: 'acme', name: 'a' })
    expect(after?.status?.phase).toBe('Idle')
    expect(after?.status?.machine?.incarnation).toBe(2)
    expect(it.violations).toEqual([])
  })

  test('FL6 a killed machine: the attempt is lost, another machine does the work once', async () => {
    const it = await fleetOf({ seed: 6, limit: 1, tenants: ['acme'] })
    await it.addSprite('acme', 'a')
    await it.addWork('acme', 'w')
    for (let second = 0; it.work()[0]?.status?.phase !== 'InProgress'; second++) {
      if (second > 60) throw new Error('the work never began')
      await it.tick()
    }
    for (const machine of it.machines.machines()) it.machines.exit(machine.id, { code: 137 })
    await it.run(90)
    expect(it.work()[0]?.status?.phase).toBe('Completed')
    expect(it.work()[0]?.status?.attempts?.map(({ outcome }) => outcome)).toEqual(['Lost', 'Completed'])
    expect(it.completions.get('acme/w')).toBe(1)
  })

  test('FL7 a kept machine is stopped when idle and started, not made anew, for the next work', async () => {
    const it = await fleetOf({ seed: 7, limit: 1, tenants: ['acme'], retentionSeconds: 3_600 })
    await it.addSprite('acme', 'a')
    await it.addWork('acme', 'one')
    await it.run(90)
    expect(it.machines.machines().map(({ state }) => state)).toEqual(['stopped'])
    expect(it.client.peekAll(slotLedgerKind)[0]?.status?.holders ?? []).toEqual([])
    await it.addWork('acme', 'two')
    await it.run(40)
    expect(it.work().map((work) => work.status?.phase)).toEqual(['Completed', 'Completed'])
    expect(it.machines.calls.filter(({ call }) => call === 'create')).toHaveLength(1)
  })

  test('FL8 a converged fleet is left alone: no write and no machine call but one list a tenant', async () => {
    const it = await fleetOf({ seed: 8, limit: 2, tenants: ['acme'] })
    for (const name of ['a', 'b', 'c']) await it.addSprite('acme', name, { runPolicy: 'Always' })
    await it.run(40)
    it.client.resetCalls()
    it.machines.calls.length = 0
    await it.run(600)
    expect(it.client.commits).toBe(0)
    expect(it.machines.calls.filter(({ call }) => call !== 'list')).toEqual([])
  })
})

describe('what people ask for', () => {
  const orphan = (tenant: string) => ({
    name: 'stray-0a1b2c3d-1',
    owner: { controlPlane: CONTROL_PLANE, tenant, sprite: 'stray', spriteUid: 'nobody', incarnation: 1, specHash: 'h' },
    image: 'sprite:1',
    guest: { cpuKind: 'shared' as const, cpus: 1, memoryMb: 512 },
    regions: ['local'],
    env: {},
    autoDestroy: false,
    stopTimeoutSeconds: 5,
  })

  test('FL23 SPR86 in a frozen tenant nothing is created, started, stopped or destroyed, and it is said; a thaw makes up for it', async () => {
    const it = await fleetOf({ seed: 23, limit: 5, tenants: ['acme', 'other'] })
    for (const name of ['stays', 'goes']) await it.addSprite('acme', name, { runPolicy: 'Always' })
    await it.run(30)
    const stray = await it.machines.create(orphan('acme'))
    await it.freeze('acme', true)
    await it.run(10)
    const before = it.machines.calls.length
    await it.client.delete(spriteKind, { namespace: 'acme', name: 'goes' })
    await it.addSprite('acme', 'new', { runPolicy: 'Always' })
    await it.addSprite('other', 'free', { runPolicy: 'Always' })
    await it.run(300)
    const changes = it.machines.calls.slice(before).filter(({ call }) => call !== 'list' && call !== 'get')
    expect(changes.filter(({ tenant }) => tenant === 'acme')).toEqual([])
    expect(phases(it, 'other')).toEqual({ free: 'Idle' })
    for (const sprite of it.sprites().filter(({ metadata }) => metadata.namespace === 'acme'))
      expect(sprite.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ reason: 'Frozen' })
    await it.freeze('acme', false)
    await it.run(300)
    expect(phases(it)).toEqual({ stays: 'Idle', new: 'Idle' })
    expect(it.machines.machines().some(({ id }) => id === stray.id)).toBe(false)
  })

  test('FL24 SPR86 a collector that only tells destroys no stray machine, and says which', async () => {
    const it = new Fleet({ seed: 24, limit: 2, tenants: ['acme'] })
    fleet = it
    it.isDryRun = true
    await it.start()
    await it.addSprite('acme', 'a', { runPolicy: 'Always' })
    const stray = await it.machines.create(orphan('acme'))
    await it.run(600)
    expect(it.machines.machines().map(({ id }) => id)).toContain(stray.id)
    expect(it.machines.calls.filter(({ call }) => call === 'destroy')).toEqual([])
    await it.crash()
    it.isDryRun = false
    await it.start()
    await it.run(600)
    expect(it.machines.machines().map(({ id }) => id)).not.toContain(stray.id)
  })

  test('FL25 a provider that is down for long is asked ever more seldom, and all goes on soon after its return', async () => {
    const it = await fleetOf({ seed: 25, limit: 2, tenants: ['acme'] })
    it.machines.faults.rates([{ call: 'create', fault: { kind: 'refuse', reason: 'Unavailable' }, probability: 1 }])
    await it.addSprite('acme', 'a', { runPolicy: 'Always' })
    await it.run(300)
    const tries = it.machines.calls.filter(({ call }) => call === 'create').length
    expect(tries).toBeGreaterThan(8)
    expect(tries).toBeLessThan(30)
    it.machines.faults.rates([])
    await it.run(60)
    expect(phases(it)).toEqual({ a: 'Idle' })
  })

  test.each([
    ['create', 8],
    ['start', 8],
    ['destroy', 8],
    // After a minute it is destroyed instead.
    ['stop', 4],
  ] as const)(
    'SPR46 %s: calls that fail in a row come after 1 s doubling to 30 s, whatever passes between them',
    async (call, gapsMin) => {
      const it = await fleetOf({ seed: 46, limit: 2, tenants: ['acme'], retentionSeconds: 200 })
      const gaps = await gapsOfRefused(it, call, 'Unavailable')
      expect(gaps.length).toBeGreaterThanOrEqual(gapsMin)
      for (const [at, gapMs] of gaps.entries()) {
        const fullMs = Math.min(30_000, 1_000 * 2 ** at)
        expect(gapMs).toBeGreaterThanOrEqual(fullMs / 2)
        expect(gapMs).toBeLessThanOrEqual(fullMs)
      }
    },
  )

  test.each(['create', 'start'] as const)(
    'SPR46 %s of what is not ready yet is tried again after a second',
    async (call) => {
      const it = await fleetOf({ seed: 47, limit: 2, tenants: ['acme'], retentionSeconds: 200 })
      const gaps = await gapsOfRefused(it, call, 'NotReady')
      expect(gaps.length).toBeGreaterThan(100)
      expect(Math.min(...gaps)).toBeGreaterThanOrEqual(500)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(1_000)
    },
  )

  test('FL9 a woken sprite has a machine without work, queues for it as any other, and sleeps after its idle time', async () => {
    const it = await fleetOf({ seed: 9, limit: 1, tenants: ['acme'] })
    for (const name of ['a', 'b']) await it.addSprite('acme', name)
    await it.run(10)
    for (const sprite of it.sprites()) await ask(it, sprite, WAKE_AT_ANNOTATION)
    await it.run(25)
    expect(phases(it)).toEqual({ a: 'Idle', b: 'Queued' })
    await it.run(60)
    expect(phases(it)).toEqual({ a: 'Stopped', b: 'Idle' })
    await it.run(90)
    expect(phases(it)).toEqual({ a: 'Stopped', b: 'Stopped' })
    expect(it.machines.calls.filter(({ call }) => call === 'create')).toHaveLength(2)
    it.client.resetCalls()
    await it.run(60)
    expect(it.client.commits).toBe(0)
  })

  test('FL10 a wake-up that comes while it idles lets it stay for its idle time from then on', async () => {
    const it = await fleetOf({ seed: 10, limit: 1, tenants: ['acme'] })
    await it.addSprite('acme', 'a')
    await ask(it, it.sprites()[0], WAKE_AT_ANNOTATION)
    await it.run(35)
    expect(phases(it)).toEqual({ a: 'Idle' })
    await ask(it, it.sprites()[0], WAKE_AT_ANNOTATION)
    await it.run(25)
    expect(phases(it)).toEqual({ a: 'Idle' })
    await it.run(70)
    expect(phases(it)).toEqual({ a: 'Stopped' })
    expect(it.machines.calls.filter(({ call }) => call === 'create')).toHaveLength(1)
  })

  test('FL11 a drained sprite finishes its task, stops, and comes back only for new work', async () => {
    const it = await fleetOf({ seed: 11, limit: 1, tenants: ['acme'], retentionSeconds: 3_600 })
    await it.addSprite('acme', 'a')
    await it.addWork('acme', 'one')
    for (let second = 0; it.work()[0]?.status?.phase !== 'InProgress'; second++) {
      if (second > 60) throw new Error('the work never began')
      await it.tick()
    }
    await ask(it, it.sprites()[0], DRAIN_AT_ANNOTATION)
    await it.run(25)
    expect(it.work()[0]?.status?.attempts?.map(({ outcome }) => outcome)).toEqual(['Completed'])
    expect(phases(it)).toEqual({ a: 'Stopped' })
    await it.run(60)
    expect(it.machines.calls.filter(({ call }) => call === 'start')).toEqual([])
    await it.addWork('acme', 'two')
    await it.run(30)
    expect(it.work().map((work) => work.status?.phase)).toEqual(['Completed', 'Completed'])
    expect(phases(it)).toEqual({ a: 'Idle' })
  })

  test('FL12 a drain calls off a wake-up that waits; one that always runs is started anew', async () => {
    const it = await fleetOf({ seed: 12, limit: 1, tenants: ['acme'] })
    await it.addSprite('acme', 'a', { runPolicy: 'Always' })
    await it.addSprite('acme', 'b')
    await it.run(20)
    await ask(it, it.sprites()[1], WAKE_AT_ANNOTATION)
    await it.run(5)
    expect(phases(it)).toEqual({ a: 'Idle', b: 'Queued' })
    await ask(it, it.sprites()[1], DRAIN_AT_ANNOTATION)
    await ask(it, it.sprites()[0], DRAIN_AT_ANNOTATION)
    await it.run(40)
    expect(phases(it)).toEqual({ a: 'Idle', b: 'Stopped' })
    expect(it.sprites()[0]?.status?.machine?.incarnation).toBe(2)
  })

  test('FL13 work that failed for good is done after a retry, with all its attempts anew and its history kept', async () => {
    const it = await fleetOf({ seed: 13, limit: 1, tenants: ['acme'] })
    it.failWork = 1
    await it.addSprite('acme', 'a')
    await it.addWork('acme', 'w', { maxAttempts: 2 })
    await it.run(90)
    expect(it.work()[0]?.status?.phase).toBe('Failed')
    const [failed] = it.work()
    if (failed !== undefined) await retry(it, failed)
    await it.run(60)
    expect(it.work()[0]?.status?.attempts?.map(({ number, outcome }) => `${number} ${outcome ?? ''}`)).toEqual([
      '1 Failed',
      '2 Failed',
      '3 Failed',
      '4 Failed',
    ])
    it.failWork = 0
    const [again] = it.work()
    if (again !== undefined) await retry(it, again)
    await it.run(60)
    expect(it.work()[0]?.status?.phase).toBe('Completed')
    expect(it.work()[0]?.status?.attempt).toBe(5)
  })
})

/** Refuses every call of one kind for five minutes, from the first that a sprite needs; ms between two of them. */
async function gapsOfRefused(
  it: Fleet,
  call: 'create' | 'start' | 'stop' | 'destroy',
  reason: 'Unavailable' | 'NotReady',
): Promise<readonly number[]> {
  await it.addSprite('acme', 'a')
  if (call !== 'create') {
    await it.addWork('acme', 'first')
    // It has done its work; to be started it is kept, stopped.
    await it.run(call === 'start' ? 90 : 30)
  }
  it.machines.faults.rates([{ call, fault: { kind: 'refuse', reason }, probability: 1 }])
  if (call === 'destroy') await it.client.delete(spriteKind, { namespace: 'acme', name: 'a' })
  else if (call !== 'stop') await it.addWork('acme', 'w')
  await it.run(330)
  const times = it.machines.calls.filter((made) => made.call === call).map(({ atMs }) => atMs)
  return times.slice(1).map((atMs, at) => atMs - (times[at] ?? atMs))
}

/** By so much at most a control plane's clock is set ahead or back at once. */
const CLOCK_WRONG_MS_MAX = 7_200_000
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 60)

describe('random histories', () => {
  test.each(Array.from({ length: SEEDS }, (_, seed) => seed + 1))(
    'S1 S2 S5 L1 seed %i: limits hold at every instant and everything converges when faults end',
    async (seed) => {
      const it = await fleetOf({ seed, limit: 2, retentionSeconds: seed % 3 === 0 ? 200 : 0 })
      const random = (): number => it.entropy.random()
      it.failWork = 0.1
      for (const tenant of ['acme', 'beta'])
        for (const [index, agentType] of ['copywriter', 'copywriter', 'editor', 'director'].entries())
          await it.addSprite(tenant, `s${index}`, { agentType, runPolicy: random() < 0.25 ? 'Always' : 'OnDemand' })
      it.machines.faults.rates([
        { call: 'create', fault: { kind: 'loseReply' }, probability: 0.15 },
        { call: 'create', fault: { kind: 'refuse', reason: 'NoCapacity' }, probability: 0.1 },
        { call: 'create', fault: { kind: 'delayEffect', steps: 3 }, probability: 0.1 },
        { call: 'start', fault: { kind: 'loseReply' }, probability: 0.2 },
        { call: 'destroy', fault: { kind: 'refuse', reason: 'Unavailable' }, probability: 0.2 },
        { call: 'destroy', fault: { kind: 'loseReply' }, probability: 0.1 },
        { call: 'stop', fault: { kind: 'loseReply' }, probability: 0.2 },
        { call: 'get', fault: { kind: 'refuse', reason: 'Unavailable' }, probability: 0.1 },
        { call: 'list', fault: { kind: 'lossy' }, probability: 0.1 },
        { call: 'list', fault: { kind: 'empty' }, probability: 0.1 },
        { call: 'list', fault: { kind: 'partial' }, probability: 0.1 },
      ])
      for (let step = 0; step < 120; step++) {
        await misbehave(it, step)
        await it.tick()
      }
      it.machines.faults.clear()
      it.jumpClock(rightTimeMs(it) - it.clock.now())
      for (const tenant of ['acme', 'beta']) await it.setLimit(tenant, 2)
      it.failWork = 0
      await it.run(420)
      expect(it.violations).toEqual([])
      const open = it.work().filter((work) => !isTerminal(work.status?.phase) && !isForNobody(it, work))
      expect(open.map((work) => `${work.metadata.namespace}/${work.metadata.name} ${work.status?.phase}`)).toEqual([])
      expect([...it.completions.values()].filter((count) => count !== 1)).toEqual([])
      const known = new Set(it.sprites().flatMap((sprite) => sprite.status?.machine?.id ?? []))
      expect(it.machines.machines().filter((machine) => !known.has(machine.id))).toEqual([])
      it.client.resetCalls()
      await it.run(60)
      expect(it.client.commits).toBe(0)
    },
    30_000,
  )
})

/** Work that nobody can do: every sprite of its type has been deleted. */
const isForNobody = (it: Fleet, work: ReturnType<Fleet['work']>[number]): boolean =>
  !it
    .sprites()
    .some(
      (sprite) =>
        sprite.metadata.namespace === work.metadata.namespace && sprite.spec.agentType === work.spec.agentType,
    )

async function misbehave(it: Fleet, step: number): Promise<void> {
  const random = (): number => it.entropy.random()
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  const tenant = random() < 0.5 ? 'acme' : 'beta'
  if (random() < 0.25 && step < 100)
    await it.addWork(tenant, `w${step}`, { agentType: pick(['copywriter', 'editor', 'director']) ?? 'editor' })
  if (random() < 0.04) {
    const machine = pick(it.machines.machines())
    if (machine !== undefined)
      it.machines.exit(machine.id, { code: random() < 0.5 ? 137 : 1, oomKilled: random() < 0.2 })
  }
  if (random() < 0.03) await it.setLimit(tenant, 1 + Math.floor(random() * 3))
  if (random() < 0.04) {
    await it.crash()
    if (random() < 0.5) await it.run(Math.floor(random() * 10))
    await it.start()
  }
  if (random() < 0.02) {
    const sprite = pick(it.sprites())
    if (sprite !== undefined)
      await it.client.delete(spriteKind, { namespace: sprite.metadata.namespace ?? '', name: sprite.metadata.name })
  }
  if (random() < 0.02) {
    const sprite = pick(it.sprites())
    if (sprite !== undefined)
      await it.client.update(spriteKind, {
        ...sprite,
        spec: { ...sprite.spec, guest: { cpuKind: 'shared', cpus: 1, memoryMb: random() < 0.5 ? 256 : 1024 } },
      })
  }
  if (random() < 0.02) it.jumpClock((random() < 0.5 ? -1 : 1) * Math.floor(random() * CLOCK_WRONG_MS_MAX))
  const asked = random()
  if (asked < 0.08) await ask(it, pick(it.sprites()), asked < 0.04 ? WAKE_AT_ANNOTATION : DRAIN_AT_ANNOTATION)
  if (random() < 0.03) {
    const work = pick(it.work())
    if (work !== undefined) await it.client.update(workKind, { ...work, spec: { ...work.spec, cancelled: true } })
  }
  if (random() < 0.06) {
    const work = pick(it.work().filter(({ status }) => status?.phase === 'Failed' || status?.phase === 'Cancelled'))
    if (work !== undefined) await retry(it, work)
  }
}

/** By the clock of people, which is never wrong. */
const rightTimeMs = (it: Fleet): number => it.startedAtMs + it.clock.monotonic()

async function ask(it: Fleet, sprite: Sprite | undefined, annotation: string): Promise<void> {
  if (sprite === undefined) return
  const { name, namespace = '', annotations } = sprite.metadata
  const asked = { ...annotations, [annotation]: microTimestamp(rightTimeMs(it)) }
  await it.client.patchMetadata(spriteKind, { namespace, name }, { annotations: asked })
}

const retry = (it: Fleet, work: Work): Promise<Work> =>
  it.client.update(workKind, {
    ...work,
    spec: { ...work.spec, cancelled: false, retries: (work.status?.retries ?? 0) + 1 },
  })
