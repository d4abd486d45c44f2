/** Hosts that are lost and come back, machines that move, and what readers see late. */
import { afterEach, describe, expect, it } from 'vitest'
import { settle } from '../../../system/test-clock.ts'
import { hostOf } from './hosts.ts'
import { openHouse, type House, type Shown } from './testing.ts'

let house: House
afterEach(async () => {
  await house.emulator.close()
  expect(house.clock.pendingTimers).toBe(0)
  expect(house.watch.unexplained).toEqual([])
})
const hostFor = ({ id }: Shown): string => {
  const machine = house.emulator.machines().find((one) => one.id === id)
  return machine ? hostOf(machine) : ''
}

describe('host loss', () => {
  it('EA31 what happens on a lost host is seen when it is back: an end, a destroy; nothing else is done there', async () => {
    house = await openHouse()
    const one = await house.create({ name: 'one', region: 'iad' }, { restart: { policy: 'no' } })
    const host = hostFor(one)
    expect(house.emulator.hosts.lose(host, 'live')).toBe(1)
    house.runner.exit(one.id, { code: 7 })
    expect(await house.shown(one.id)).toMatchObject({ state: 'started', host_status: 'unreachable', config: null })
    expect((await house.call('POST', `/apps/a1/machines/${one.id}/stop`, {})).status).toBe(408)
    expect(house.emulator.hosts.restore(host)).toBe(1)
    const back = await house.shown(one.id)
    expect(back).toMatchObject({ state: 'stopped', host_status: 'ok', config: { image: 'x/y:1' } })
    expect(back.events[0]?.request?.exit_event['exit_code']).toBe(7)
    house.emulator.hosts.lose(host, 'live')
    expect((await house.call('DELETE', `/apps/a1/machines/${one.id}?force=true`)).status).toBe(200)
    await house.clock.advance(600_000)
    expect((await house.shown(one.id)).state).toBe('destroying')
    house.emulator.hosts.restore(host)
    expect((await house.shown(one.id)).state).toBe('destroyed')
    await house.clock.advance(30_000)
  })

  it('EA31 a loss can be planned, with processes that live on (and are fenced by nobody) or end', async () => {
    house = await openHouse()
    const ones = await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
        house.create({ name, region: 'iad' }, { restart: { policy: 'no' } }),
      ),
    )
    const first = ones[0] as Shown // Six were just made.
    const there = ones.filter((one) => hostFor(one) === hostFor(first))
    house.emulator.hosts.plan([{ host: hostFor(first), atMs: 1_000, forMs: 5_000, processes: 'end' }])
    await house.clock.advance(1_000)
    expect((await house.shown(first.id)).host_status).toBe('unreachable')
    expect(house.runner.running.size).toBe(ones.length - there.length)
    expect(house.emulator.hosts.list().find((row) => row.host === hostFor(first))?.status).toBe('lost')
    await house.clock.advance(5_000)
    expect((await house.shown(first.id)).state).toBe('stopped')
  })

  it('EA31 nothing happens by itself on a lost host: a launch goes on when it is back', async () => {
    house = await openHouse({ latency: { launch: { min: 5_000, max: 5_000 } } })
    const one = await house.create({ region: 'iad' })
    const host = hostFor(one)
    house.emulator.hosts.lose(host, 'live')
    await house.clock.advance(60_000)
    expect(house.runner.running.size).toBe(0)
    house.emulator.hosts.restore(host)
    expect((await house.shown(one.id)).state).toBe('started')
  })

  it('EA31 nothing is put on a lost host; a region without hosts has no room', async () => {
    house = await openHouse()
    for (const at of [0, 1, 2, 3]) house.emulator.hosts.lose(`iad-${at}`, 'live')
    const body = { name: 'x', region: 'iad', config: { image: 'x' } }
    expect(await house.call('POST', '/apps/a1/machines', body)).toMatchObject({
      status: 422,
      json: { status: 'insufficient_capacity' },
    })
    house.emulator.hosts.restore('iad-2')
    expect(hostFor(await house.create({ region: 'iad' }))).toBe('iad-2')
  })

  it('EA32 a migration keeps the id and changes host and address; a running machine starts there', async () => {
    house = await openHouse()
    const one = await house.create({ region: 'iad' })
    const host = hostFor(one)
    expect(house.emulator.hosts.migrate(one.id)).toBe(true)
    await house.clock.advance(0)
    const moved = await house.shown(one.id)
    expect(moved.state).toBe('started')
    expect(moved.private_ip).not.toBe(one.private_ip)
    expect(hostFor(one)).not.toBe(host)
    expect(moved.events.filter((event) => event.type === 'launch')).toHaveLength(2)
  })
})

describe('read lag', () => {
  const lagging = { readLag: { min: 1_000, max: 1_000 } }

  it('EA33 a new machine is 404 and in no list for a while, and its name is taken at once', async () => {
    house = await openHouse({ latency: lagging })
    const one = await house.create()
    expect((await house.call('GET', `/apps/a1/machines/${one.id}`)).status).toBe(404)
    expect((await house.call('GET', '/apps/a1/machines')).json).toEqual([])
    expect((await house.call('GET', `/apps/a1/machines/${one.id}/wait?state=started`)).status).toBe(404)
    expect((await house.call('POST', '/apps/a1/machines', { name: 'm', config: { image: 'x' } })).status).toBe(409)
    await house.clock.advance(1_000)
    expect((await house.shown(one.id)).state).toBe('started')
    expect((await house.call('GET', '/apps/a1/machines')).json).toHaveLength(1)
  })

  it('EA33 after wait says destroyed, a read still says what was; a deleted app’s machine is seen a while longer', async () => {
    house = await openHouse({ latency: lagging })
    const one = await house.create()
    await house.clock.advance(1_000)
    await house.call('DELETE', `/apps/a1/machines/${one.id}?force=true`)
    await settle()
    expect((await house.call('GET', `/apps/a1/machines/${one.id}/wait?state=destroyed`)).status).toBe(200)
    expect((await house.shown(one.id)).state).toBe('started')
    await house.clock.advance(1_000)
    expect((await house.shown(one.id)).state).toBe('destroyed')
    await house.clock.advance(30_000)
  })

  it('EA33 a region can lag more than others; its late rows come into the feed with an earlier time', async () => {
    house = await openHouse({ latency: { regions: { ams: { readLag: { min: 5_000, max: 5_000 } } } } })
    await house.create({ name: 'far', region: 'ams' })
    await house.clock.advance(10)
    await house.create({ name: 'near', region: 'iad' })
    const feed = async (): Promise<readonly { name: string; updated_at: string }[]> =>
      (
        (await house.call('GET', '/orgs/personal/machines')).json as {
          machines: { name: string; updated_at: string }[]
        }
      ).machines
    const first = await feed()
    expect(first.map((row) => row.name)).toEqual(['near'])
    await house.clock.advance(5_000)
    const second = await feed()
    expect(second.map((row) => row.name)).toEqual(['far', 'near'])
    expect((second[0]?.updated_at ?? '') < (first[0]?.updated_at ?? '')).toBe(true)
  })
})
