/** Pure: what follows when the process of an emulated machine ends, and what happens to it with its host. */
import type { EmulatedMachine, ProcessExit } from './model.ts'
import {
  destroyed,
  exitEvent,
  later,
  moved,
  spawning,
  unchanged,
  withEvent,
  type Change,
  type Surroundings,
} from './moves.ts'

/** Restarts that the policy makes within the window, unless the config says otherwise. */
const RETRIES_MAX = 10
const RETRY_WINDOW_MS = 300_000

/** Its process is gone: stopped, started again, or destroyed where that was asked for or is its way. */
export function exited(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): Change {
  if (machine.hostStatus === 'unreachable') {
    const { run: _, ...unseen } = machine
    return unchanged({ ...unseen, unseenExit: machine.exitAs ?? exit })
  }
  const { run: _, exitAs, ...gone } = machine
  const how = exitAs ?? exit
  if (machine.state === 'destroyed') return unchanged(gone)
  // A snapshot without its process: the next start is a cold boot, or an update goes on.
  if (machine.state === 'suspended' || (machine.state === 'replacing' && machine.afterExit === undefined))
    return unchanged(gone)
  if (machine.afterExit === 'start') return startsAgain(gone, at, how)
  return restarts(gone, at, how) ?? ends(gone, at, how)
}

/** The end that nothing follows. */
function ends(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): Change {
  const { afterExit: _, ...rest } = machine
  const told = withEvent(rest, at, {
    type: 'exit',
    status: 'stopped',
    source: 'flyd',
    exit: exitEvent(machine, at, exit),
    ...countOf(machine),
  })
  const isReplaced = machine.state === 'replacing'
  if (machine.state === 'destroying' || (machine.config.auto_destroy && !isReplaced))
    return unchanged(destroyed(told, at))
  const stopped = moved(told, at, exit.error === undefined ? 'stopped' : 'failed')
  return unchanged({ ...stopped, stoppedAtMs: at.nowMs })
}

/** A restart, an update or a migration was waiting for this end. */
function startsAgain(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): Change {
  const isUpdate = machine.state === 'replacing'
  const told = withEvent(machine, at, {
    type: 'exit',
    status: machine.state,
    source: 'flyd',
    exit: { ...exitEvent(machine, at, exit), restarting: true },
    ...countOf(machine),
  })
  return unchanged(later(told, at, { step: 'respawn', phase: isUpdate ? 'update' : 'restart' }))
}

/** The restart that the policy makes; undefined where it makes none. */
function restarts(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): Change | undefined {
  const { restart } = machine.config
  const policy = restart?.policy ?? 'on-failure'
  if (policy === 'no' || exit.error !== undefined) return undefined
  // All others are on their way to an end that was asked for.
  if (machine.state !== 'starting' && machine.state !== 'started' && machine.state !== 'suspending') return undefined
  const code = exit.code ?? (exit.signal === undefined ? undefined : 128 + exit.signal)
  const recent = (machine.restartsAtMs ?? []).filter((atMs) => at.nowMs - atMs < RETRY_WINDOW_MS)
  // An end that nobody saw has no code: nothing says that it failed.
  if (policy === 'on-failure' && (code === undefined || code === 0)) return undefined
  if (policy === 'on-failure' && recent.length >= (restart?.max_retries ?? RETRIES_MAX)) return undefined
  const counted = { ...machine, restartsAtMs: [...recent, at.nowMs].slice(-RETRIES_KEPT) }
  const restarting = withEvent(moved(counted, at, 'restarting'), at, {
    type: 'exit',
    status: 'restarting',
    source: 'flyd',
    exit: { ...exitEvent(machine, at, exit), restarting: true },
    restartCount: counted.restartsAtMs.length,
  })
  return unchanged(later(restarting, at, { step: 'respawn', phase: 'restart' }))
}

/** More than any policy looks back to. */
const RETRIES_KEPT = 1_000

const countOf = (machine: EmulatedMachine): { readonly restartCount?: number } =>
  machine.restartsAtMs === undefined ? {} : { restartCount: machine.restartsAtMs.length }

/** Its host cannot be reached: nothing more is seen of it; with `ends` its process is gone too. */
export function hostLost(machine: EmulatedMachine, ends: boolean): Change {
  if (machine.state === 'destroyed') return unchanged(machine)
  return { machine: { ...machine, hostStatus: 'unreachable' }, effects: ends && machine.run ? [{ do: 'kill' }] : [] }
}

/** Its host is back: what happened meanwhile is seen, and what was asked for meanwhile is done. */
export function hostReturned(machine: EmulatedMachine, at: Surroundings): Change {
  const { unseenExit, ...rest } = machine
  const back: EmulatedMachine = { ...rest, hostStatus: 'ok', updatedAtMs: at.nowMs }
  if (unseenExit) return exited(back, at, unseenExit)
  if (back.state !== 'destroying') return unchanged(back)
  return back.run ? { machine: back, effects: [{ do: 'kill' }] } : unchanged(destroyed(back, at))
}

/** It moves to another host: another address, and a start there when it was running. */
export function migrated(
  machine: EmulatedMachine,
  at: Surroundings,
  to: { readonly host: string; readonly privateIp: string },
): Change {
  if (machine.state === 'destroyed' || machine.state === 'destroying') return unchanged(machine)
  const there: EmulatedMachine = { ...machine, ...to, updatedAtMs: at.nowMs, hostStatus: 'ok' }
  const told = withEvent(there, at, { type: 'launch', status: 'created', source: 'flyd' })
  if (told.state === 'suspended' && told.run) return { machine: told, effects: [{ do: 'kill' }] }
  if (told.state !== 'started' && told.state !== 'starting') return unchanged(told)
  const going = moved({ ...told, afterExit: 'start' as const }, at, 'restarting')
  return going.run ? { machine: going, effects: [{ do: 'kill' }] } : spawning(told, at, 'flyd')
}
