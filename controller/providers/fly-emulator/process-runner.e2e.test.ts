/** Machines as real processes: killed, adopted after the emulator's own death, and gone when it closes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { specFor } from '../contract.ts'
import { createFlyProvider } from '../fly/fly-provider.ts'
import type { Machine, MachineProvider, MachineSpec } from '../machines.ts'
import { createFlyEmulator, type FlyEmulator } from './fly-emulator.ts'
import { createProcessRunner, type ProcessRunner } from './process-runner.ts'
import { signalGroup, startedAt } from './process-table.ts'

/** Prints its environment and that of a child of its own, and stays; `STUBBORN` ignores SIGTERM. */
const WORKER = `
import { spawn } from 'node:child_process'
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
process.on('SIGTERM', () => { if (!process.env.STUBBORN) process.exit(0) })
console.log(JSON.stringify({ env: process.env, child: child.pid }))
setInterval(() => {}, 1000)
`

type House = { readonly emulator: FlyEmulator; readonly runner: ProcessRunner; readonly provider: MachineProvider }

describe('machines as processes', () => {
  let folder = ''
  const open: House[] = []
  const pids = new Set<number>()

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fly-emulator-'))
    writeFileSync(join(folder, 'worker.mjs'), WORKER)
  })
  afterEach(async () => {
    for (const house of open.splice(0)) await house.emulator.close()
    for (const pid of pids) signalGroup(pid, 'SIGKILL')
    pids.clear()
    rmSync(folder, { recursive: true, force: true })
  })

  const providerAt = (baseUrl: string): MachineProvider =>
    createFlyProvider({
      baseUrl,
      token: 'test',
      orgSlug: 'personal',
      appTemplate: 'highera-{tenant}',
      controlPlaneId: 'cp',
      clock: realClock,
      paced: false,
    })
  const start = async (): Promise<House> => {
    const runner = createProcessRunner({
      command: () => ({ file: process.execPath, args: [join(folder, 'worker.mjs')] }),
      logFolder: join(folder, 'logs'),
      clock: realClock,
      graceMs: 500,
    })
    const databasePath = join(folder, 'machines.db')
    const emulator = createFlyEmulator({ databasePath, clock: realClock, entropy: realEntropy, runner })
    const house = { emulator, runner, provider: providerAt(await emulator.listen()) }
    open.push(house)
    return house
  }
  const spec = (env: Record<string, string> = {}): MachineSpec => ({
    ...specFor('acme', 'writer', { controlPlane: 'cp' }),
    env,
    stopTimeoutSeconds: 1,
  })
  /** The worker's first line, once it is up. */
  const greeting = (machine: Machine): Promise<{ env: Record<string, string>; child: number }> =>
    vi.waitFor(
      () => {
        const text = readFileSync(join(folder, 'logs', `${machine.id}.log`), 'utf8')
        return JSON.parse(text.split('\n')[0] ?? '') as { env: Record<string, string>; child: number }
      },
      { timeout: 20_000, interval: 50 },
    )
  const pidOf = (house: House, machine: Machine): number => {
    const pid = house.runner.pidOf(machine.id) ?? 0
    pids.add(pid)
    return pid
  }
  const stateIs = (provider: MachineProvider, machine: Machine, state: string): Promise<void> =>
    vi.waitFor(
      async () => expect((await provider.get({ tenant: 'acme', id: machine.id }))?.state ?? 'absent').toBe(state),
      { timeout: 20_000, interval: 50 },
    )
  const isGone = (pid: number): Promise<void> =>
    vi.waitFor(() => expect(startedAt(pid)).toBeUndefined(), { timeout: 20_000, interval: 50 })

  it('FR1 a machine has its own env and what Fly sets, and nothing of ours', async () => {
    const house = await start()
    const machine = await house.provider.create(spec({ SPRITE_NAME: 'writer' }))
    const { env } = await greeting(machine)
    pidOf(house, machine)
    expect(env).toMatchObject({
      SPRITE_NAME: 'writer',
      FLY_MACHINE_ID: machine.id,
      FLY_APP_NAME: 'highera-acme',
      FLY_REGION: 'iad',
    })
    const own = Object.keys(env).filter((name) => !/^(?:FLY_|SPRITE_|HIGHERA_OWNER$|PATH$|HOME$|__CF)/.test(name))
    expect(own).toEqual([])
  })

  it('FR2 kill -9 of the process: the machine is stopped, and its exit tells so', async () => {
    const house = await start()
    const machine = await house.provider.create(spec())
    const { child } = await greeting(machine)
    const pid = pidOf(house, machine)
    process.kill(pid, 'SIGKILL')
    await stateIs(house.provider, machine, 'stopped')
    expect((await house.provider.get({ tenant: 'acme', id: machine.id }))?.exit).toMatchObject({
      code: 137,
      requested: false,
    })
    await isGone(child)
  })

  it('FR3 kill -9 of the emulator: a new one finds the machines again and can stop them', async () => {
    const args = [join(import.meta.dirname, 'test-host.ts'), join(folder, 'machines.db'), join(folder, 'logs')]
    const host = spawn(process.execPath, [...args, join(folder, 'worker.mjs')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(host.stdout, 'data')) as [Buffer]
    const first = providerAt(line.toString().trim())
    const living = await first.create(spec())
    const dying = await first.create({ ...spec(), ...specFor('acme', 'editor', { controlPlane: 'cp' }) })
    await greeting(living)
    await greeting(dying)
    host.kill('SIGKILL')
    await once(host, 'exit')
    const records = new Map<string, number>()
    const house = await start()
    for (const machine of house.emulator.machines()) records.set(machine.id, machine.run?.pid ?? 0)
    for (const pid of records.values()) pids.add(pid)

    expect((await house.provider.get({ tenant: 'acme', id: living.id }))?.state).toBe('started')
    process.kill(records.get(dying.id) ?? 0, 'SIGKILL')
    await stateIs(house.provider, dying, 'stopped')
    await house.provider.stop({ tenant: 'acme', id: living.id })
    await stateIs(house.provider, living, 'stopped')
    await isGone(records.get(living.id) ?? 0)
    expect((await house.provider.create(spec())).id).toBe(living.id)
  })

  it('FR4 a process that ended while no emulator ran is reported as ended', async () => {
    const first = await start()
    const machine = await first.provider.create(spec())
    await greeting(machine)
    const pid = pidOf(first, machine)
    await first.emulator.close({ kill: false })
    expect(startedAt(pid)).toBeDefined()
    process.kill(pid, 'SIGKILL')
    await isGone(pid)
    const second = await start()
    const found = await second.provider.get({ tenant: 'acme', id: machine.id })
    expect(found).toMatchObject({ state: 'stopped', exit: { requested: false } })
    expect(found?.exit?.code).toBeUndefined()
  })

  it('FR5 close leaves no process behind, not even one that ignores SIGTERM or a child of one', async () => {
    const house = await start()
    const polite = await house.provider.create(spec())
    const stubborn = await house.provider.create({
      ...specFor('acme', 'editor', { controlPlane: 'cp' }),
      env: { STUBBORN: '1' },
    })
    const children = [(await greeting(polite)).child, (await greeting(stubborn)).child]
    const leaders = [pidOf(house, polite), pidOf(house, stubborn)]
    await house.emulator.close({ kill: true })
    for (const pid of [...leaders, ...children]) await isGone(pid)
  })

  it('FR6 close also ends processes that were adopted', async () => {
    const first = await start()
    const machine = await first.provider.create(spec({ STUBBORN: '1' }))
    const { child } = await greeting(machine)
    const pid = pidOf(first, machine)
    await first.emulator.close({ kill: false })
    const second = await start()
    expect(second.runner.pidOf(machine.id)).toBe(pid)
    await second.emulator.close({ kill: true })
    for (const left of [pid, child]) await isGone(left)
  })

  it('FR7 a process whose pid was never stored is found by its environment', async () => {
    const first = await start()
    const machine = await first.provider.create(spec())
    await greeting(machine)
    const pid = pidOf(first, machine)
    const record = first.emulator.machines()[0]
    await first.emulator.close({ kill: false })
    const runner = createProcessRunner({
      command: () => ({ file: process.execPath, args: [] }),
      logFolder: join(folder, 'logs'),
      clock: realClock,
    })
    const exits: unknown[] = []
    expect(record && runner.adopt(record, undefined, (exit) => exits.push(exit))?.pid).toBe(pid)
    await runner.close({ kill: true })
    expect(exits).toHaveLength(1)
    await isGone(pid)
  })

  it('FR8 a stop sends SIGTERM, and SIGKILL after the machine’s own time-out', async () => {
    const house = await start()
    const machine = await house.provider.create(spec({ STUBBORN: '1' }))
    await greeting(machine)
    const pid = pidOf(house, machine)
    await house.provider.stop({ tenant: 'acme', id: machine.id })
    expect((await house.provider.get({ tenant: 'acme', id: machine.id }))?.state).toBe('stopping')
    await stateIs(house.provider, machine, 'stopped')
    expect((await house.provider.get({ tenant: 'acme', id: machine.id }))?.exit).toMatchObject({
      code: 137,
      requested: true,
    })
    await isGone(pid)
  })
})
