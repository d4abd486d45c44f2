/** Pure: the life of one emulated machine: each request and each due step gives the machine after it and what to do with its process. */
import { exited } from './exits.ts'
import type { EmulatedConfig, EmulatedMachine } from './model.ts'
import {
  destroyed,
  later,
  moved,
  refuse,
  spawning,
  unchanged,
  withEvent,
  type Change,
  type Refusal,
  type Surroundings,
} from './moves.ts'

/** How a process is asked to end, in the words of the API. */
export type StopHow = { readonly signal: string; readonly killAfterMs: number }

/** A machine that was just created: it launches after the latency, or is prepared and stays stopped with skip_launch. */
export function created(machine: EmulatedMachine, at: Surroundings, skipLaunch: boolean): Change {
  const told = withEvent(machine, at, { type: 'launch', status: 'created', source: 'user' })
  return unchanged(later(told, at, { step: skipLaunch ? 'prepare' : 'launch', phase: 'launch' }))
}

/** Start through the API: already running is success; 412 from a state that must pass first. */
export function startRequested(machine: EmulatedMachine, at: Surroundings): Change | Refusal {
  switch (machine.state) {
    case 'started':
    case 'starting':
      return unchanged(machine)
    case 'stopped':
    case 'failed':
      if (machine.config.schedule) return refuse(412, 'failed_precondition: unable to start a machine with a schedule')
      return isSettling(machine, at) ? refuse(412, 'machine still active, refusing to start') : spawning(machine, at)
    case 'suspending':
      return { machine: moved(machine, at, 'started'), effects: [RESUME] }
    case 'suspended':
      return resumed(machine, at)
    case 'replacing':
      return refuse(412, 'machine getting replaced, refusing to start')
    case 'restarting':
      return refuse(412, 'machine still attempting to start')
    case 'created':
    case 'stopping':
    case 'launch_failed':
      return refuse(412, `unable to start machine from current state: '${machine.state}'`)
    case 'destroying':
    case 'destroyed':
      return refuse(404, `machine not found`)
  }
}

const RESUME = { do: 'signal', signal: 'SIGCONT', killAfterMs: 0 } as const

/** From the snapshot, or by a cold boot where there is none any more. */
function resumed(machine: EmulatedMachine, at: Surroundings): Change {
  if (!machine.run) return spawning(machine, at)
  const starting = moved({ ...machine, stopRequested: false }, at, 'starting')
  const told = withEvent(starting, at, { type: 'start', status: 'starting', source: 'user' })
  const isCold = at.latency.coldResumes > 0 && at.draw() < at.latency.coldResumes
  if (isCold) return { machine: { ...told, afterExit: 'start' }, effects: [{ do: 'kill' }] }
  return { machine: later(told, at, { step: 'boot', phase: 'resume' }), effects: [RESUME] }
}

/** Stop through the API: a stopped machine stays so; of a machine in created it is refused. */
export function stopRequested(machine: EmulatedMachine, at: Surroundings, how: StopHow): Change | Refusal {
  switch (machine.state) {
    case 'stopped':
    case 'failed':
    case 'launch_failed':
    case 'destroying':
    case 'destroyed':
      return unchanged(machine)
    case 'created':
    case 'replacing':
      return refuse(412, `unable to stop machine from current state: '${machine.state}'`)
    case 'stopping':
      return { machine, effects: [{ do: 'signal', ...how }] }
    case 'starting':
    case 'started':
    case 'restarting':
    case 'suspending':
    case 'suspended':
      return stopping(machine, at, how)
  }
}

function stopping(machine: EmulatedMachine, at: Surroundings, how: StopHow): Change {
  const isFrozen = machine.state === 'suspended' || machine.state === 'suspending'
  const { afterExit: _, ...plain } = machine
  const going = moved({ ...plain, stopRequested: true }, at, 'stopping')
  const told = withEvent(going, at, { type: 'stop', status: 'stopping', source: 'user' })
  if (!machine.run) return exited(told, at, {})
  if (at.fault?.('stop', machine)?.kind === 'stuck') return unchanged(told)
  // A frozen process hears no signal but this one: its snapshot is thrown away.
  return { machine: told, effects: isFrozen ? [{ do: 'kill' }] : [{ do: 'signal', ...how }] }
}

/** What may be suspended: up to 2 GB, no swap, no schedule. */
const SUSPEND_MEMORY_MB_MAX = 2_048

/** Suspend through the API. */
export function suspendRequested(machine: EmulatedMachine, at: Surroundings): Change | Refusal {
  if (machine.state === 'suspended' || machine.state === 'suspending') return unchanged(machine)
  if (machine.state !== 'started')
    return refuse(412, `unable to suspend machine from current state: '${machine.state}'`)
  const { guest, init, schedule } = machine.config
  if (guest.memory_mb > SUSPEND_MEMORY_MB_MAX)
    return refuse(412, `failed_precondition: unable to suspend a machine with more than ${SUSPEND_MEMORY_MB_MAX} MiB`)
  if ((init?.swap_size_mb ?? 0) > 0) return refuse(412, 'failed_precondition: unable to suspend a machine with swap')
  if (schedule) return refuse(412, 'failed_precondition: unable to suspend a machine with a schedule')
  const told = withEvent(moved(machine, at, 'suspending'), at, {
    type: 'suspend',
    status: 'suspending',
    source: 'user',
  })
  return {
    machine: later(told, at, { step: 'suspend', phase: 'suspend' }),
    effects: [{ do: 'signal', signal: 'SIGSTOP', killAfterMs: 0 }],
  }
}

/** Restart through the API: a running machine goes down and comes up; one that is down is started. */
export function restartRequested(
  machine: EmulatedMachine,
  at: Surroundings,
  how: StopHow & { readonly force: boolean },
): Change | Refusal {
  if (machine.state !== 'started' && machine.state !== 'starting') return startRequested(machine, at)
  const { force, ...gently } = how
  const going = moved({ ...machine, stopRequested: true, afterExit: 'start' }, at, 'restarting')
  const told = withEvent(going, at, { type: 'restart', status: 'restarting', source: 'user' })
  if (!machine.run) return spawning(told, at)
  return { machine: told, effects: [force ? { do: 'kill' } : { do: 'signal', ...gently }] }
}

/** What an update brings. */
export type Update = {
  readonly config: EmulatedConfig
  readonly instanceId: string
  readonly digest: string
  readonly skipLaunch: boolean
  readonly currentVersion?: string | undefined
}

const VERSIONS_MAX = 20

/** A new config: another version. A running machine is replaced and runs again; one that is down stays down. */
export function updateRequested(
  machine: EmulatedMachine,
  at: Surroundings,
  update: Update & { readonly stop: StopHow },
): Change | Refusal {
  const { config, instanceId, digest, skipLaunch, currentVersion, stop } = update
  const isStale = currentVersion !== undefined && currentVersion !== machine.instanceId
  if (isStale || machine.state === 'replacing')
    return refuse(409, 'aborted: machine update failed due to concurrent update')
  if (['stopping', 'restarting', 'suspending', 'launch_failed'].includes(machine.state))
    return refuse(412, `failed_precondition: unable to update machine from current state: '${machine.state}'`)
  if (machine.state === 'destroying' || machine.state === 'destroyed') return refuse(404, 'machine not found')
  const versions = [{ version: instanceId, user_config: config }, ...versionsOf(machine)].slice(0, VERSIONS_MAX)
  const { restartsAtMs: _, ...rest } = machine
  const fresh = moved({ ...rest, config, instanceId, digest, versions }, at, 'replacing')
  const told = withEvent(fresh, at, { type: 'update', status: 'replacing', source: 'user' })
  const isUp = machine.state === 'started' || machine.state === 'starting'
  if (isUp && machine.run) {
    const going = { ...told, stopRequested: true, afterExit: skipLaunch ? ('stop' as const) : ('start' as const) }
    return { machine: going, effects: [{ do: 'signal', ...stop }] }
  }
  const down = later(told, at, { step: 'replace', phase: 'update' })
  return { machine: down, effects: machine.run ? [{ do: 'kill' }] : [] }
}

/** Its versions, newest first. */
export const versionsOf = (machine: EmulatedMachine): NonNullable<EmulatedMachine['versions']> =>
  machine.versions ?? [{ version: machine.instanceId, user_config: machine.config }]

/** Destroy through the API: 412 for a running one unless forced. */
export function destroyRequested(machine: EmulatedMachine, at: Surroundings, force: boolean): Change | Refusal {
  if (machine.state === 'destroyed' || machine.state === 'destroying') return unchanged(machine)
  const isIdle = ['stopped', 'suspended', 'failed', 'created', 'launch_failed'].includes(machine.state)
  if (!isIdle && !force)
    return refuse(412, `failed_precondition: unable to destroy machine, not currently stopped, suspended, or failed`)
  const { afterExit: _, ...plain } = machine
  const going = moved({ ...plain, stopRequested: true }, at, 'destroying')
  // Nothing reaches its host: it is done when that is back.
  if (machine.hostStatus === 'unreachable') return unchanged(going)
  if (at.fault?.('destroy', machine)?.kind === 'stuck') return unchanged(going)
  return machine.run ? { machine: going, effects: [{ do: 'kill' }] } : unchanged(destroyed(going, at))
}

/** What comes by itself is due now; undefined where it no longer applies. */
export function stepDue(machine: EmulatedMachine, at: Surroundings): Change | undefined {
  const { state } = machine
  switch (machine.due?.step) {
    case 'launch':
      return state === 'created' ? spawning(machine, at) : undefined
    case 'prepare':
    case 'replace':
      return state === 'created' || state === 'replacing' ? unchanged(moved(machine, at, 'stopped')) : undefined
    case 'boot':
      return state === 'starting' ? booted(machine, at) : undefined
    case 'fail':
      return failed(machine, at)
    case 'respawn':
      return spawning(machine, at, 'flyd')
    case 'suspend':
      return state === 'suspending' ? suspended(machine, at) : undefined
    case 'crash':
      return crashed(machine, at)
    case 'abandon':
      return unchanged(destroyed(machine, at))
    case 'reap':
    case undefined:
      return undefined
  }
}

function booted(machine: EmulatedMachine, at: Surroundings): Change {
  const up = withEvent(moved(machine, at, 'started'), at, { type: 'start', status: 'started', source: 'flyd' })
  const fault = at.fault?.('run', machine)
  if (fault?.kind !== 'exit') return unchanged(up)
  const { afterMs, code, signal, oom } = fault
  const exit = {
    ...(code === undefined ? {} : { code }),
    ...(signal === undefined ? {} : { signal }),
    ...(oom === true ? { code: 137, signal: 9, oom } : {}),
  }
  return unchanged({ ...up, due: { step: 'crash', atMs: at.nowMs + afterMs, exit } })
}

function suspended(machine: EmulatedMachine, at: Surroundings): Change {
  const told = withEvent(moved(machine, at, 'suspended'), at, { type: 'suspend', status: 'suspended', source: 'flyd' })
  return unchanged(told)
}

/** It does not come up: an image that cannot be unpacked, a boot that hangs. */
function failed(machine: EmulatedMachine, at: Surroundings): Change {
  if (machine.state === 'created') {
    const lost = withEvent(moved(machine, at, 'launch_failed'), at, {
      type: 'launch',
      status: 'launch_failed',
      source: 'flyd',
    })
    return unchanged({ ...lost, due: { step: 'abandon', atMs: at.nowMs + ABANDON_MS } })
  }
  return crashed(
    { ...machine, due: { step: 'crash', atMs: at.nowMs, exit: { code: 1, error: 'machine failed to boot' } } },
    at,
  )
}

/** How long a machine shows launch_failed before it is destroyed. */
const ABANDON_MS = 1_000

function crashed(machine: EmulatedMachine, at: Surroundings): Change {
  const { due, ...rest } = machine
  const exit = due?.exit ?? { code: 1 }
  return rest.run ? { machine: { ...rest, exitAs: exit }, effects: [{ do: 'kill' }] } : exited(rest, at, exit)
}

/** True while start is refused because the last run has only just ended. */
const isSettling = (machine: EmulatedMachine, at: Surroundings): boolean =>
  machine.stoppedAtMs !== undefined && at.nowMs - machine.stoppedAtMs < at.latency.startRefusedMs
