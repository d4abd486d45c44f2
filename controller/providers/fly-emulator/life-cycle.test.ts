/** The emulated machine's life: what each request and each exit does from each state. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { durationMs } from './durations.ts'
import { exited } from './exits.ts'
import { imageDigest, machineId, privateIp, ulid } from './ids.ts'
import { LATENCIES } from './latency.ts'
import { created, destroyRequested, startRequested, stepDue, stopRequested, suspendRequested } from './life-cycle.ts'
import type { EmulatedMachine, EmulatedState } from './model.ts'
import { isRefusal, type Change, type Refusal, type Surroundings } from './moves.ts'

const STATES: readonly EmulatedState[] = [
  'created',
  'starting',
  'started',
  'stopping',
  'stopped',
  'restarting',
  'suspending',
  'suspended',
  'replacing',
  'destroying',
  'destroyed',
  'failed',
  'launch_failed',
]

const at = (nowMs = 1_000): Surroundings => ({
  nowMs,
  latency: LATENCIES.fly,
  draw: () => 0,
  eventId: () => `event-${nowMs}`,
})
const RUN = { pid: 7, startedAt: 'then' }
const machine = (change: Partial<EmulatedMachine> = {}): EmulatedMachine => ({
  id: '0123456789abcd',
  app: 'a',
  name: 'n',
  region: 'iad',
  state: 'started',
  instanceId: 'i',
  privateIp: 'p',
  createdAtMs: 0,
  updatedAtMs: 0,
  config: {
    image: 'x',
    env: {},
    metadata: {},
    guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 256 },
    auto_destroy: false,
    restart: { policy: 'no' },
    stop_config: { signal: 'SIGTERM', timeout: '5s' },
  },
  digest: 'd',
  hostStatus: 'ok',
  events: [],
  stopRequested: false,
  ...change,
})
const withState = (state: EmulatedState): EmulatedMachine =>
  machine({
    state,
    ...(['starting', 'started', 'stopping', 'suspending', 'suspended', 'destroying'].includes(state)
      ? { run: RUN }
      : {}),
  })
const HOW = { signal: 'SIGTERM', killAfterMs: 5_000 }

/** `state [effects]`, or the status of the refusal. */
const told = (outcome: Change | Refusal): string =>
  isRefusal(outcome)
    ? String(outcome.status)
    : [outcome.machine.state, ...outcome.effects.map((effect) => effect.do)].join(' ')

/** state: start, stop, destroy, destroy with force, suspend, the process ends. */
const TABLE: Record<EmulatedState, readonly [string, string, string, string, string, string]> = {
  created: ['412', '412', 'destroyed', 'destroyed', '412', 'stopped'],
  starting: ['starting', 'stopping signal', '412', 'destroying kill', '412', 'stopped'],
  started: ['started', 'stopping signal', '412', 'destroying kill', 'suspending signal', 'stopped'],
  stopping: ['412', 'stopping signal', '412', 'destroying kill', '412', 'stopped'],
  stopped: ['starting spawn', 'stopped', 'destroyed', 'destroyed', '412', 'stopped'],
  restarting: ['412', 'stopped', '412', 'destroyed', '412', 'stopped'],
  suspending: ['started signal', 'stopping kill', '412', 'destroying kill', 'suspending', 'stopped'],
  suspended: ['starting signal', 'stopping kill', 'destroying kill', 'destroying kill', 'suspended', 'suspended'],
  replacing: ['412', '412', '412', 'destroyed', '412', 'replacing'],
  failed: ['starting spawn', 'failed', 'destroyed', 'destroyed', '412', 'stopped'],
  destroying: ['404', 'destroying', 'destroying', 'destroying', '412', 'destroyed'],
  destroyed: ['404', 'destroyed', 'destroyed', 'destroyed', '412', 'destroyed'],
  launch_failed: ['412', 'launch_failed', 'destroyed', 'destroyed', '412', 'stopped'],
}

describe('life cycle', () => {
  it.each(STATES)('FS1 from %s', (state) => {
    const from = withState(state)
    expect([
      told(startRequested(from, at())),
      told(stopRequested(from, at(), HOW)),
      told(destroyRequested(from, at(), false)),
      told(destroyRequested(from, at(), true)),
      told(suspendRequested(from, at())),
      told(exited(from, at(), { code: 0 })),
    ]).toEqual(TABLE[state])
  })

  it('FS2 created launches, boots and is started by the clock; skip_launch stays stopped', () => {
    const launched = created(machine({ state: 'created' }), at(0), false).machine
    expect(launched.due).toEqual({ step: 'launch', atMs: LATENCIES.fly.launch.min })
    const starting = stepDue(launched, at(1_000))
    expect(starting && told(starting)).toBe('starting spawn')
    const booted = starting && stepDue(starting.machine, at(2_000))
    expect(booted?.machine.state).toBe('started')
    expect(booted?.machine.due).toBeUndefined()
    expect(booted?.machine.events.map((event) => event.type)).toEqual(['start', 'start', 'launch'])
    const kept = created(machine({ state: 'created' }), at(0), true).machine
    expect(kept.state).toBe('created')
    expect(stepDue(kept, at(1_000))?.machine.state).toBe('stopped')
  })

  it('FS3 an exit tells code, signal and whether it was asked for; auto_destroy goes on to destroyed', () => {
    const stopping = stopRequested(withState('started'), at(), HOW)
    if (isRefusal(stopping)) throw new Error('refused')
    const stopped = exited(stopping.machine, at(2_000), { signal: 9 }).machine
    expect(stopped.events[0]?.request?.exit_event).toMatchObject({ exit_code: 137, signal: 9, requested_stop: true })
    expect(stopped.run).toBeUndefined()
    const config = { ...machine().config, auto_destroy: true }
    const gone = exited(machine({ config, run: RUN }), at(), { code: 3 }).machine
    expect(gone).toMatchObject({ state: 'destroyed', due: { step: 'reap', atMs: 61_000 } })
    expect(gone.events.map((event) => event.type)).toEqual(['destroy', 'exit'])
  })

  it('FS4 start is refused for a while after a stop', () => {
    const stopped = exited(withState('started'), at(10_000), { code: 0 }).machine
    expect(told(startRequested(stopped, at(12_999)))).toBe('412')
    expect(told(startRequested(stopped, at(13_000)))).toBe('starting spawn')
  })

  it('FS5 a machine keeps its last 50 events', () => {
    let now = machine({ run: RUN })
    for (let turn = 0; turn < 40; turn++) {
      now = exited(now, at(turn * 10_000), { code: turn }).machine
      const again = startRequested(now, at(turn * 10_000 + 5_000))
      if (!isRefusal(again)) now = { ...again.machine, run: RUN }
    }
    expect(now.events).toHaveLength(50)
    expect(now.events[1]?.request?.exit_event.exit_code).toBe(39)
  })

  it('FS5 any history keeps: one process at most, events bounded and newest first, destroyed is for ever', () => {
    const verbs = fc.constantFrom('start', 'stop', 'destroy', 'force', 'exit', 'step')
    fc.assert(
      fc.property(fc.array(verbs, { maxLength: 120 }), (history) => {
        let now = created(machine({ state: 'created' }), at(0), false).machine
        for (const [turn, verb] of history.entries()) {
          const here = at(turn * 5_000)
          const outcome = perform(now, verb, here)
          if (!outcome || isRefusal(outcome)) continue
          const spawns = outcome.effects.some((effect) => effect.do === 'spawn')
          expect(spawns && now.run !== undefined).toBe(false)
          if (now.state === 'destroyed') expect(outcome.machine.state).toBe('destroyed')
          now = spawns ? { ...outcome.machine, run: RUN } : outcome.machine
          const times = now.events.map((event) => event.timestamp)
          expect(times).toEqual([...times].sort((a, b) => b - a))
          expect(times.length).toBeLessThanOrEqual(50)
        }
      }),
    )
  })
})

function perform(now: EmulatedMachine, verb: string, here: Surroundings): Change | Refusal | undefined {
  switch (verb) {
    case 'start':
      return startRequested(now, here)
    case 'stop':
      return stopRequested(now, here, HOW)
    case 'destroy':
      return destroyRequested(now, here, false)
    case 'force':
      return destroyRequested(now, here, true)
    case 'exit':
      return now.run ? exited(now, here, { code: 0 }) : undefined
    default:
      return stepDue(now, here)
  }
}

describe('ids', () => {
  it('FS6 ids have Fly’s shapes, and ULIDs sort by time', () => {
    const bytes = Uint8Array.from({ length: 16 }, (_, index) => index * 17)
    expect(machineId(bytes)).toMatch(/^[0-9a-f]{14}$/)
    expect(ulid(1_768_478_400_000, bytes)).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/)
    expect(ulid(2_000, bytes) < ulid(2_001, bytes)).toBe(true)
    expect(privateIp(bytes)).toMatch(/^fdaa:0(:[0-9a-f]{4}){4}:0:2$/)
    expect(imageDigest('a')).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(imageDigest('a')).not.toBe(imageDigest('b'))
  })

  it('FS6 Go durations are read, and nothing else', () => {
    expect(['10s', '1m30s', '500ms', '1h', '1.5s'].map(durationMs)).toEqual([10_000, 90_000, 500, 3_600_000, 1_500])
    expect(['', '10', 's', '10x', '-1s'].map(durationMs)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ])
  })
})
