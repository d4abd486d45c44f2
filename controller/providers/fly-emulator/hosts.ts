/** The emulator's hosts: where machines are put, what happens when a host is lost and comes back, and moves between them. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import { hostLost, hostReturned, migrated } from './exits.ts'
import { HOSTS_PER_REGION, type HostLoss } from './hosts-plan.ts'
import { privateIp } from './ids.ts'
import type { EmulatedMachine } from './model.ts'
import type { EmulatorRecords } from './records.ts'
import type { EmulatedWorld } from './world.ts'

/** The hosts of an emulator. */
export interface Hosts {
  /** A host of the region that is there; undefined where all are lost. */
  pick(region: string): string | undefined
  /** Nothing is seen any more of its machines; gives how many they are. */
  lose(host: string, processes: 'live' | 'end'): number
  /** It is there again; gives how many machines it has. */
  restore(host: string): number
  /** Moves a machine to another host of its region. */
  migrate(machineId: string): boolean
  /** Says so of one machine alone. */
  setStatus(machineId: string, status: EmulatedMachine['hostStatus']): void
  plan(losses: readonly HostLoss[]): void
  /** Every host that has machines, or is lost. */
  list(): readonly { readonly host: string; readonly status: 'ok' | 'lost'; readonly machines: number }[]
  close(): void
}

/** What hosts need. */
export type HostPorts = {
  readonly world: EmulatedWorld
  readonly records: EmulatorRecords
  readonly clock: Clock
  readonly entropy: Entropy
}

/** The host of a machine; those of an older record have none written down. */
export const hostOf = (machine: EmulatedMachine): string => machine.host ?? `${machine.region}-0`

/** Hosts that are all there. */
export function createHosts({ world, records, clock, entropy }: HostPorts): Hosts {
  const lost = new Set<string>()
  const timers = new Set<CancelTimer>()
  const on = (host: string): EmulatedMachine[] =>
    [...records.machines.values()].filter((machine) => hostOf(machine) === host)
  const present = (region: string): string[] =>
    Array.from({ length: HOSTS_PER_REGION }, (_, at) => `${region}-${at}`).filter((host) => !lost.has(host))
  const anyOf = (hosts: readonly string[]): string | undefined =>
    hosts[(entropy.bytes(1)[0] ?? 0) % (hosts.length || 1)]
  const lose = (host: string, processes: 'live' | 'end'): number => {
    lost.add(host)
    const machines = on(host)
    for (const machine of machines) world.apply(hostLost(machine, processes === 'end'))
    world.pump()
    return machines.length
  }
  const restore = (host: string): number => {
    lost.delete(host)
    const machines = on(host).filter((machine) => machine.hostStatus !== 'ok')
    for (const machine of machines) world.apply(hostReturned(machine, world.surroundings()))
    world.pump()
    return machines.length
  }
  const later = (delayMs: number, act: () => void): void => {
    const cancel = clock.after(
      delayMs,
      () => {
        timers.delete(cancel)
        act()
      },
      { background: true },
    )
    timers.add(cancel)
  }
  return {
    pick: (region) => anyOf(present(region)),
    lose,
    restore,
    migrate: (machineId) => {
      const machine = world.machine(machineId)
      const host = machine && anyOf(present(machine.region).filter((other) => other !== hostOf(machine)))
      if (!machine || host === undefined) return false
      world.apply(migrated(machine, world.surroundings(), { host, privateIp: privateIp(entropy.bytes(8)) }))
      world.pump()
      return true
    },
    setStatus: (machineId, status) => {
      const machine = world.machine(machineId)
      if (!machine) return
      world.apply(
        status === 'ok'
          ? hostReturned(machine, world.surroundings())
          : { machine: { ...machine, hostStatus: status }, effects: [] },
      )
      world.pump()
    },
    plan: (losses) => {
      for (const { host, atMs, forMs, processes } of losses) {
        later(atMs, () => lose(host, processes))
        if (forMs !== undefined) later(atMs + forMs, () => restore(host))
      }
    },
    list: () => listed(records.machines.values(), lost),
    close: () => {
      for (const cancel of timers) cancel()
      timers.clear()
    },
  }
}

function listed(machines: Iterable<EmulatedMachine>, lost: ReadonlySet<string>): ReturnType<Hosts['list']> {
  const counts = new Map<string, number>([...lost].map((host) => [host, 0]))
  for (const machine of machines) counts.set(hostOf(machine), (counts.get(hostOf(machine)) ?? 0) + 1)
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, count]) => ({ host, status: lost.has(host) ? ('lost' as const) : ('ok' as const), machines: count }))
}
