/** The feed looks once per tenant and interval, tells changes, and one tenant's failure is its own. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { keepingLog } from '../../system/test-log.ts'
import { specFor } from './contract.ts'
import { createFakeMachines } from './fake/fake-machines.ts'
import { createMachineFeed } from './machine-feed.ts'
import type { MachineList } from './machines.ts'

const given = (tenants: readonly string[] = ['acme']) => {
  const clock = new TestClock()
  const fake = createFakeMachines({ clock, entropy: seededEntropy(1) })
  const changes: string[] = []
  const { log, lines } = keepingLog()
  const feed = createMachineFeed({
    provider: fake,
    clock,
    log,
    tenants: () => tenants,
    intervalMs: 1_000,
    listEveryMs: 1_000,
    onChange: (tenant, machine, previous) =>
      changes.push(`${tenant} ${previous?.state ?? '-'} > ${machine?.state ?? 'gone'}`),
  })
  return { clock, fake, feed, changes, lines }
}
const spec = (tenant: string) => specFor(tenant, 'writer', { controlPlane: 'cp' })

describe('machine feed', () => {
  it('FE1 one list per tenant and interval, and no call after stop', async () => {
    const { clock, fake, feed } = given(['acme', 'other'])
    expect(feed.read('acme')).toBeUndefined()
    feed.start()
    feed.start()
    await clock.advance(2_500)
    expect(fake.calls.map((call) => call.tenant)).toEqual(['acme', 'other', 'acme', 'other', 'acme', 'other'])
    expect(feed.read('acme')).toEqual({
      machines: [],
      atMs: clock.now() - 500,
      seenAtMs: clock.now() - 500,
      complete: true,
    })
    await feed.stop()
    await clock.advance(5_000)
    expect(fake.calls).toHaveLength(6)
    expect(clock.pendingTimers).toBe(0)
  })

  it.each([3_600_000, -86_400_000])('FE7 a wall clock that is set by %i ms makes no picture newer', async (byMs) => {
    const { clock, feed } = given(['acme'])
    feed.start()
    await clock.advance(500)
    clock.jumpWall(byMs)
    expect(feed.read('acme')).toMatchObject({ atMs: clock.now() - 500, seenAtMs: clock.now() - 500 })
    await clock.advance(1_000)
    expect(feed.read('acme')).toMatchObject({ atMs: clock.now() - 500, seenAtMs: clock.now() - 500 })
    await feed.stop()
  })

  it('FE2 a change is told once, a machine that is gone from a complete picture too', async () => {
    const { fake, feed, changes } = given()
    const { id } = await fake.create(spec('acme'))
    await feed.refresh('acme')
    await feed.refresh('acme')
    fake.tick()
    await feed.refresh('acme')
    await fake.destroy({ tenant: 'acme', id })
    fake.tick()
    await feed.refresh('acme')
    expect(changes).toEqual(['acme - > created', 'acme created > started', 'acme started > gone'])
  })

  it('FE3 a failed or partial list takes nothing away and says so', async () => {
    const { clock, fake, feed, changes } = given()
    await fake.create(spec('acme'))
    await feed.refresh('acme')
    const seenAtMs = clock.now()
    await clock.advance(1_000)
    fake.faults.next('list', { kind: 'refuse', reason: 'RateLimited' })
    await feed.refresh('acme')
    expect(feed.read('acme')).toMatchObject({ atMs: seenAtMs, complete: false, error: { reason: 'RateLimited' } })
    expect(feed.read('acme')?.machines).toHaveLength(1)
    fake.faults.next('list', { kind: 'partial' })
    await feed.refresh('acme')
    expect(feed.read('acme')).toMatchObject({ atMs: seenAtMs, complete: false })
    expect(feed.read('acme')?.error).toBeUndefined()
    expect(changes).toEqual(['acme - > created'])
  })

  it('FE4 one tenant’s failure does not stop the others', async () => {
    const { clock, fake, feed } = given(['bad', 'good'])
    fake.faults.next('list', { kind: 'refuse', reason: 'CredentialsInvalid' })
    feed.start()
    await clock.advance(0)
    expect(feed.read('bad')?.error?.reason).toBe('CredentialsInvalid')
    expect(feed.read('good')?.complete).toBe(true)
    await clock.advance(1_000)
    expect(feed.read('bad')?.error).toBeUndefined()
    await feed.stop()
  })

  it('LF6 lists that fail are told of once, whosever they are, and once when all can be had again', async () => {
    const { clock, fake, feed, lines } = given(['bad', 'good', 'other'])
    for (let turn = 0; turn < 8; turn++) fake.faults.next('list', { kind: 'refuse', reason: 'Unavailable' })
    feed.start()
    await clock.advance(5_000)
    expect(lines).toEqual([
      'warn: machines cannot be listed, trying on: nothing is deleted meanwhile',
      'info: machines can be listed again',
    ])
    await feed.stop()
  })

  it('FE5 never two lists of one tenant at a time; a refresh during one is followed by one more', async () => {
    const clock = new TestClock()
    const open: ((list: MachineList) => void)[] = []
    const feed = createMachineFeed({
      provider: { list: () => new Promise((resolve) => open.push(resolve)) },
      clock,
      log: silentLog,
      tenants: () => ['acme'],
      intervalMs: 1_000,
      onChange: () => {},
    })
    const looks = [feed.refresh('acme'), feed.refresh('acme')]
    await settle()
    expect(open).toHaveLength(1)
    looks.push(feed.refresh('acme'), feed.refresh('acme'))
    await settle()
    expect(open).toHaveLength(1)
    open[0]?.({ machines: [], complete: true })
    await settle()
    expect(open).toHaveLength(2)
    open[1]?.({ machines: [], complete: true })
    await Promise.all(looks)
    expect(open).toHaveLength(2)
  })

  it('FE6 stop ends a list that is under way', async () => {
    const { clock, fake, feed } = given()
    fake.faults.next('list', { kind: 'hang' })
    feed.start()
    await clock.advance(0)
    await feed.stop()
    expect(clock.pendingTimers).toBe(0)
    expect(feed.read('acme')).toBeUndefined()
  })
})
