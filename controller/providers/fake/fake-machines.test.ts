/** The fake provider moves step by step, counts what runs, and fails as it is told to. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import type { MachineSpec } from '../machines.ts'
import { createFakeMachines, type FakeMachinesOptions } from './fake-machines.ts'

const specOf = (name: string, tenant = 'acme'): MachineSpec => ({
  name,
  owner: { controlPlane: 'cp', tenant, sprite: name, spriteUid: `uid-${name}`, incarnation: 1, specHash: 'h' },
  image: 'sprite:1',
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
  regions: ['iad'],
  env: {},
  autoDestroy: false,
  stopTimeoutSeconds: 5,
})

const given = (options: Partial<FakeMachinesOptions> = {}) => {
  const clock = new TestClock()
  return { clock, fake: createFakeMachines({ clock, entropy: seededEntropy(7), ...options }) }
}

describe('fake machines', () => {
  it('MP-FAKE-1 a created machine is started only after a tick', async () => {
    const { fake } = given()
    const machine = await fake.create(specOf('a'))
    expect(machine.state).toBe('created')
    await expect(fake.stop({ tenant: 'acme', id: machine.id })).rejects.toMatchObject({ reason: 'NotReady' })
    fake.tick()
    expect((await fake.get({ tenant: 'acme', id: machine.id }))?.state).toBe('started')
  })

  it('MP-FAKE-2 with stepMs the clock ticks, and no timer stays when nothing moves', async () => {
    const { fake, clock } = given({ stepMs: 100, steps: { min: 2, max: 2 } })
    const { id } = await fake.create(specOf('a'))
    await clock.advance(199)
    expect(fake.machines()[0]?.state).toBe('created')
    await clock.advance(1)
    expect(fake.machines()[0]?.state).toBe('started')
    expect(clock.pendingTimers).toBe(0)
    await fake.destroy({ tenant: 'acme', id })
    await clock.advance(200)
    expect(await fake.get({ tenant: 'acme', id })).toBeUndefined()
    expect(clock.pendingTimers).toBe(0)
  })

  it('MP-FAKE-3 running counts every state but stopped and destroyed, at every instant', async () => {
    const { fake } = given()
    const seen: number[] = []
    fake.onTransition((transition) => seen.push(transition.running))
    const a = await fake.create(specOf('a'))
    await fake.create(specOf('b'))
    fake.tick()
    await fake.stop({ tenant: 'acme', id: a.id })
    expect(fake.runningByTenant().get('acme')).toBe(2)
    fake.tick()
    expect(fake.runningByTenant().get('acme')).toBe(1)
    expect(fake.everRunningMax('acme')).toBe(2)
    expect(seen).toEqual([1, 2, 2, 2, 2, 1])
  })

  it('MP-FAKE-4 a lost reply has had its effect, a late effect comes after its steps, a refusal has none', async () => {
    const { fake } = given()
    fake.faults.next('create', { kind: 'loseReply' })
    await expect(fake.create(specOf('a'))).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    expect(fake.machines().map((machine) => machine.name)).toEqual(['a'])
    fake.faults.next('create', { kind: 'delayEffect', steps: 2 })
    await expect(fake.create(specOf('b'))).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    fake.tick()
    expect(fake.machines()).toHaveLength(1)
    fake.tick()
    expect(fake.machines()).toHaveLength(2)
    fake.faults.next('create', { kind: 'refuse', reason: 'RateLimited', retryAfterMs: 500 })
    await expect(fake.create(specOf('c'))).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 500 })
    expect(fake.machines()).toHaveLength(2)
    expect(fake.calls.map((call) => call.failed)).toEqual(['OutcomeUnknown', 'OutcomeUnknown', 'RateLimited'])
  })

  it('MP-FAKE-5 a call that hangs ends at its deadline, or at once when it is aborted', async () => {
    const { fake, clock } = given({ requestTimeoutMs: 1_000 })
    fake.faults.next('get', { kind: 'hang' }, 2)
    const late = expect(fake.get({ tenant: 'acme', id: 'x' })).rejects.toMatchObject({ reason: 'Unavailable' })
    await clock.advance(1_000)
    await late
    const abort = new AbortController()
    const cut = expect(fake.get({ tenant: 'acme', id: 'x' }, abort.signal)).rejects.toMatchObject({
      reason: 'Unavailable',
    })
    await clock.advance(0)
    abort.abort(new Error('stopped'))
    await cut
    expect(clock.pendingTimers).toBe(0)
  })

  it('MP-FAKE-6 lists can be stale, partial or empty', async () => {
    const { fake } = given()
    const { id } = await fake.create(specOf('a'))
    fake.tick()
    fake.faults.next('list', { kind: 'stale' })
    expect((await fake.list('acme')).machines[0]?.state).toBe('created')
    fake.faults.next('list', { kind: 'empty' })
    expect(await fake.list('acme')).toEqual({ machines: [], complete: true })
    fake.faults.next('list', { kind: 'partial' })
    expect((await fake.list('acme')).complete).toBe(false)
    expect((await fake.list('acme')).machines.map((machine) => machine.id)).toEqual([id])
  })

  it('MP-FAKE-7 a process that ends is stopped, or gone with autoDestroy', async () => {
    const { fake } = given()
    const kept = await fake.create(specOf('kept'))
    const gone = await fake.create({ ...specOf('gone'), autoDestroy: true })
    fake.tick()
    fake.exit(kept.id, { code: 137, oomKilled: true })
    fake.exit(gone.id)
    expect(await fake.get({ tenant: 'acme', id: kept.id })).toMatchObject({
      state: 'stopped',
      exit: { code: 137, oomKilled: true, requested: false },
    })
    expect(await fake.get({ tenant: 'acme', id: gone.id })).toBeUndefined()
  })

  it('MP-FAKE-8 the same seed and rates give the same run', async () => {
    const run = async (): Promise<readonly (string | undefined)[]> => {
      const { fake } = given()
      fake.faults.rates([{ call: 'create', fault: { kind: 'loseReply' }, probability: 0.5 }])
      for (let count = 0; count < 20; count++) await fake.create(specOf(`s${count}`)).catch(() => {})
      return fake.calls.map((call) => call.failed)
    }
    const first = await run()
    expect(await run()).toEqual(first)
    expect(new Set(first)).toEqual(new Set([undefined, 'OutcomeUnknown']))
  })
})
