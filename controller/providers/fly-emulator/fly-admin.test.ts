/** The npm package fly-admin, a Fly client that nobody here wrote, runs unchanged against the emulator over loopback HTTP. */
import { createRequire } from 'node:module'
import type FlyAdmin from 'fly-admin/dist/client.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openHouse, type House } from './testing.ts'

type Client = InstanceType<typeof FlyAdmin.default>

/** The package's main file gives a client of the live service only; the class beside it takes an address. */
const { default: FlyAdminClient } = createRequire(import.meta.url)(
  'fly-admin/dist/client.js',
) as typeof FlyAdmin /* that module, by its own declaration */

const APP = 'their-app'
let house: House
let fly: Client

beforeEach(async () => {
  house = await openHouse({ latency: 'fly', tokens: ['fm2_theirs', 't'] })
  fly = new FlyAdminClient('fm2_theirs', { apiUrl: await house.emulator.listen() })
})
afterEach(async () => {
  await house.emulator.close()
  expect(house.watch.unexplained).toEqual([])
})

/** Lets time pass, as fast as the sockets allow, until the client has its answer. */
async function inTime<T>(asked: Promise<T>): Promise<T> {
  const answer = { isHere: false }
  const settled = asked.finally(() => (answer.isHere = true))
  settled.catch(() => {})
  while (!answer.isHere) await house.clock.advance(20)
  return settled
}

const newApp = (): Promise<unknown> => inTime(fly.App.createApp({ app_name: APP, org_slug: 'personal' }))

/** A machine that has started. */
async function startedMachine(
  config: object = {},
): Promise<{ readonly app_name: string; readonly machine_id: string }> {
  await newApp()
  const made = await inTime(
    fly.Machine.createMachine({ app_name: APP, name: 'one', region: 'iad', config: { image: 'x/y:1', ...config } }),
  )
  const at = { app_name: APP, machine_id: made.id }
  await reach(at, 'started')
  return at
}

const reach = async (at: Readonly<Record<'app_name' | 'machine_id', string>>, state: string): Promise<unknown> =>
  inTime(
    fly.Machine.waitMachine({
      ...at,
      state: state as never /* its enumeration lies in another file */,
      timeout: '30s',
    }),
  )

describe('fly-admin', () => {
  it('EA48 makes, lists, shows and deletes an app', async () => {
    await newApp()
    expect(await inTime(fly.App.getApp(APP))).toMatchObject({ name: APP, organization: { slug: 'personal' } })
    const { total_apps: total, apps } = await inTime(fly.App.listApps('personal'))
    expect(apps.map(({ name }) => name)).toEqual(['a1', APP])
    expect(total).toBe(2)
    await expect(newApp()).rejects.toThrow(/^422: .*taken/)
    await inTime(fly.App.deleteApp(APP))
    await expect(inTime(fly.App.getApp(APP))).rejects.toThrow(/^404: /)
  })

  it('EA48 creates a machine, waits for it, stops it, starts it, restarts it and destroys it', async () => {
    const at = await startedMachine()
    const started = await inTime(fly.Machine.getMachine(at))
    expect(started).toMatchObject({ name: 'one', state: 'started', region: 'iad', config: { image: 'x/y:1' } })
    expect(started.events.map(({ status }) => status)).toEqual(['started', 'starting', 'created'])
    expect(started.private_ip).toMatch(/^fdaa:/)
    const stopped = { ...at, instance_id: started.instance_id, timeout: '30' }

    expect(await inTime(fly.Machine.stopMachine(at))).toMatchObject({ ok: true })
    await inTime(fly.Machine.waitMachine({ ...stopped, state: 'stopped' as never /* see reach */ }))
    const ended = await inTime(fly.Machine.getMachine(at))
    expect(ended.state).toBe('stopped')
    expect(ended.events[0]).toMatchObject({ type: 'exit', request: { exit_event: { requested_stop: true } } })
    await expect(inTime(fly.Machine.startMachine(at))).rejects.toThrow(/^412: /)
    await house.clock.advance(10_000)
    await inTime(fly.Machine.startMachine(at))
    await reach(at, 'started')

    await inTime(fly.Machine.restartMachine({ ...at, timeout: '5s' }))
    await house.clock.advance(5_000)
    await reach(at, 'started')
    await expect(inTime(fly.Machine.deleteMachine(at))).rejects.toThrow(/^412: /)
    expect(await inTime(fly.Machine.deleteMachine({ ...at, force: true }))).toMatchObject({ ok: true })
    await reach(at, 'destroyed')
    expect(await inTime(fly.Machine.listMachines(APP))).toEqual([])
  })

  it('EA48 lists by metadata and region, and with the destroyed', async () => {
    const at = await startedMachine({ metadata: { team: 'red', tier: 'a' } })
    await inTime(
      fly.Machine.createMachine({
        app_name: APP,
        name: 'two',
        region: 'ams',
        config: { image: 'x/y:1', metadata: { team: 'blue' } },
      }),
    )
    const names = async (query: object): Promise<string[]> =>
      (await inTime(fly.Machine.listMachines({ app_name: APP, ...query }))).map(({ name }) => name).toSorted()
    expect(await names({})).toEqual(['one', 'two'])
    expect(await names({ 'metadata.team': 'red' })).toEqual(['one'])
    expect(await names({ 'metadata.team': 'red', 'metadata.tier': 'b' })).toEqual([])
    expect(await names({ region: 'ams' })).toEqual(['two'])
    await inTime(fly.restOrThrow(`apps/${APP}/machines/${at.machine_id}/metadata/team`, 'POST', { value: 'blue' }))
    expect(await names({ 'metadata.team': 'blue' })).toEqual(['one', 'two'])
    await inTime(fly.restOrThrow(`apps/${APP}/machines/${at.machine_id}/metadata/tier`, 'DELETE'))
    expect(await inTime(fly.restOrThrow(`apps/${APP}/machines/${at.machine_id}/metadata`))).toMatchObject({
      team: 'blue',
    })
    await inTime(fly.Machine.deleteMachine({ ...at, force: true }))
    await reach(at, 'destroyed')
    expect(await names({})).toEqual(['two'])
    expect(await names({ include_deleted: 'true' })).toEqual(['one', 'two'])
  })

  it('EA48 takes a lease, reads it, and is held off by it until it ends', async () => {
    const at = await startedMachine()
    await expect(inTime(fly.Machine.getLease(at))).rejects.toThrow(/^404: /)
    const taken = await inTime(fly.Machine.acquireLease({ ...at, ttl: 600, description: 'for a while' }))
    expect(taken).toMatchObject({ status: 'success', data: { description: 'for a while' } })
    expect(taken.data.nonce).not.toBe('')
    expect(taken.data.expires_at).toBe(Math.floor(house.clock.now() / 1_000) + 600)
    expect(await inTime(fly.Machine.getLease(at))).toMatchObject({ data: { nonce: taken.data.nonce } })
    await expect(inTime(fly.Machine.acquireLease({ ...at, ttl: 5 }))).rejects.toThrow(/^409: /)
    await expect(inTime(fly.Machine.stopMachine(at))).rejects.toThrow(/^409: /)
    await house.clock.advance(600_000)
    expect(await inTime(fly.Machine.stopMachine(at))).toMatchObject({ ok: true })
    expect(house.runner.signals).toEqual([{ machineId: at.machine_id, signal: 'SIGTERM' }])
  })

  it('EA48 updates, signals, cordons, and reads events, versions and processes', async () => {
    const at = await startedMachine()
    const before = await inTime(fly.Machine.getMachine(at))
    const updated = await inTime(fly.Machine.updateMachine({ ...at, config: { image: 'x/y:2' } }))
    expect(updated.instance_id).not.toBe(before.instance_id)
    await inTime(
      fly.Machine.waitMachine({
        ...at,
        instance_id: updated.instance_id,
        state: 'started' as never /* see reach */,
        timeout: '60s',
      }),
    )
    expect(await inTime(fly.Machine.getMachine(at))).toMatchObject({ state: 'started', config: { image: 'x/y:2' } })
    const versions = await inTime(fly.Machine.listVersions(at))
    expect(versions.map(({ version }) => version)).toEqual([updated.instance_id, before.instance_id])
    const events = await inTime(fly.Machine.listEvents(at))
    expect(events.at(-1)).toMatchObject({ type: 'launch' })
    expect(await inTime(fly.Machine.listProcesses({ ...at, sort_by: 'rss', order: 'desc' }))).toHaveLength(1)
    expect(await inTime(fly.Machine.cordonMachine(at))).toMatchObject({ ok: true })
    expect(await inTime(fly.Machine.uncordonMachine(at))).toMatchObject({ ok: true })
    await inTime(fly.Machine.signalMachine({ ...at, signal: 'SIGUSR1' as never /* see reach */ }))
    expect(house.runner.signals.at(-1)).toEqual({ machineId: at.machine_id, signal: 'SIGUSR1' })
  })

  it('EA48 makes, lists, shows and deletes a volume', async () => {
    await newApp()
    const made = await inTime(fly.Volume.createVolume({ app_name: APP, name: 'disk', region: 'iad', size_gb: 2 }))
    const at = { app_name: APP, volume_id: made.id }
    expect(await inTime(fly.Volume.getVolume(at))).toMatchObject({
      name: 'disk',
      region: 'iad',
      size_gb: 2,
      encrypted: true,
    })
    expect(await inTime(fly.Volume.listVolumes(APP))).toHaveLength(1)
    await inTime(fly.Volume.deleteVolume(at))
    expect(await inTime(fly.Volume.listVolumes(APP))).toEqual([])
  })
})
