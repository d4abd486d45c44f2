/** The shell of a sprite on a clock that stands still, with a Coordinator that a test plays by hand. */
import { describe, expect, it } from 'vitest'
import { SPRITE_EXIT } from '../protocol/boot.ts'
import type { HeartbeatReply, HeartbeatRequest, Task } from '../protocol/coordinator.ts'
import { seededEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { TestClock, settle } from '../system/test-clock.ts'
import { CoordinatorError } from './coordinator-calls.ts'
import type { CoordinatorClient, InboxListener } from './coordinator-client.ts'
import { fakeTask } from './fake/task.ts'
import type { Report } from './lifecycle.ts'
import { LlmError } from './llm.ts'
import { failed, finished } from './outcome.ts'
import { Sprite, type SpriteOptions } from './sprite.ts'

type World = {
  readonly clock: TestClock
  readonly sprite: Sprite
  readonly tasks: Task[]
  readonly beats: HeartbeatRequest[]
  readonly reports: Report[]
  readonly seen: { announced: number; claims: number; started: Task[] }
  /** What heartbeats are answered, or how they fail. */
  beat: () => Promise<HeartbeatReply>
  /** What a report is answered. */
  answer: (report: Report) => Promise<'accepted' | 'void'>
  /** Ends the task that runs. */
  finish: (report: Report) => void
  /** The open inbox. */
  inbox: InboxListener | undefined
  endInbox: () => void
  silentForMs: number
  readonly inboxFailures: number[]
}

const done = finished({ deliverables: [], handOffs: [], reviews: [] }, 'All is done', fakeTask())

function createWorld(boot: SpriteOptions['boot'] = {}, idleTimeoutMs = 60_000): World {
  const clock = new TestClock()
  const terms = { tenant: 'acme', sprite: 's', agentType: 'copywriter', incarnation: 1 }
  const coordinator: CoordinatorClient = {
    announce: () => {
      world.seen.announced++
      return Promise.resolve({ ...terms, heartbeatIntervalMs: 10_000, idleTimeoutMs, lostAfterMs: 45_000 })
    },
    heartbeat: (body) => {
      world.beats.push(body)
      return world.beat()
    },
    claim: () => {
      world.seen.claims++
      return Promise.resolve(world.tasks.shift())
    },
    progress: () => Promise.resolve(),
    report: (report) => {
      world.reports.push(report)
      return world.answer(report)
    },
    inbox: (listener, signal) =>
      new Promise((resolve, reject) => {
        world.inbox = listener
        world.endInbox = resolve
        signal.addEventListener('abort', () => reject(new CoordinatorError('Aborted', 'Stopped')))
        listener.onOpen()
      }),
    pauseBeforeInbox: (failures, signal) => {
      world.inboxFailures.push(failures)
      return clock.sleep(1_000, signal)
    },
    silentForMs: () => world.silentForMs,
    setLostAfter: () => {},
  }
  const doTask = (task: Task, signal: AbortSignal): Promise<Report> =>
    new Promise((resolve, reject) => {
      world.seen.started.push(task)
      world.finish = resolve
      signal.addEventListener('abort', () => reject(new LlmError('Aborted', 'Stopped')))
    })
  const ports = { clock, entropy: seededEntropy(3), log: silentLog, coordinator, doTask }
  const world: World = {
    clock,
    sprite: new Sprite(ports, { boot, version: '1.0.0', startedAtMs: 0 }),
    tasks: [],
    beats: [],
    reports: [],
    seen: { announced: 0, claims: 0, started: [] },
    beat: () => Promise.resolve({ directive: 'continue' }),
    answer: () => Promise.resolve('accepted'),
    finish: () => {},
    inbox: undefined,
    endInbox: () => {},
    silentForMs: 0,
    inboxFailures: [],
  }
  return world
}

async function started(world: World): Promise<World> {
  world.sprite.start()
  await settle()
  return world
}

async function exits(world: World, code: number): Promise<void> {
  expect(await world.sprite.done).toBe(code)
  await settle()
  expect(world.clock.pendingTimers).toBe(0)
}

describe('a sprite', () => {
  it('SH1 beats at once and then at the interval, with the work in hand', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask({ attempt: 2 }))
    await started(world)
    expect(world.beats).toHaveLength(1)
    await world.clock.advance(20_000)
    expect(world.beats).toHaveLength(3)
    expect(world.beats.at(-1)).toEqual({ state: 'working', work: { name: 'write-launch-email', attempt: 2 } })
    world.finish(done)
    await world.clock.advance(10_000)
    expect(world.reports).toEqual([done])
    expect(world.beats.at(-1)).toEqual({ state: 'idle' })
  })

  it('SH1 a heartbeat may abandon the attempt in hand: it is stopped and not reported', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask())
    await started(world)
    world.beat = () => Promise.resolve({ directive: 'abandon' })
    await world.clock.advance(10_000)
    expect(world.reports).toEqual([])
    world.beat = () => Promise.resolve({ directive: 'continue' })
    world.finish(done)
    await world.clock.advance(10_000)
    expect(world.reports).toEqual([])
    expect(world.beats.at(-1)).toEqual({ state: 'idle' })
  })

  it('SH1 a heartbeat may drain it: the task in hand is finished without a limit', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask())
    await started(world)
    world.beat = () => Promise.resolve({ directive: 'drain' })
    await world.clock.advance(300_000)
    expect(world.beats.at(-1)?.state).toBe('draining')
    world.finish(done)
    await exits(world, SPRITE_EXIT.done)
    expect(world.reports).toEqual([done])
  })

  it('SH2 asks for work although no hint came, and the asking does not keep it alive', async () => {
    const world = await started(createWorld({}, 100_000))
    const { claims } = world.seen
    await world.clock.advance(61_000)
    expect(world.seen.claims).toBeGreaterThan(claims)
    await world.clock.advance(39_000)
    await exits(world, SPRITE_EXIT.done)
  })

  it('SH2 a hint is followed at once', async () => {
    const world = await started(createWorld())
    world.tasks.push(fakeTask())
    world.inbox?.onMessage({ type: 'work_available' })
    await settle()
    expect(world.seen.started).toHaveLength(1)
  })

  it('SH1 a heartbeat may change the idle timeout: set to run always it stays, on demand again it leaves', async () => {
    const world = await started(createWorld({}, 60_000))
    world.beat = () => Promise.resolve({ directive: 'continue', idleTimeoutMs: 0 })
    await world.clock.advance(300_000)
    expect(world.beats.at(-1)?.state).toBe('idle')
    world.beat = () => Promise.resolve({ directive: 'continue', idleTimeoutMs: 20_000 })
    await world.clock.advance(31_000)
    await exits(world, SPRITE_EXIT.done)
  })

  it('SH2 without an idle timeout it stays for ever', async () => {
    const world = await started(createWorld({}, 0))
    await world.clock.advance(3_600_000)
    world.sprite.stop()
    await exits(world, SPRITE_EXIT.done)
  })

  it('CC6 announces itself again and claims when its inbox comes back', async () => {
    const world = await started(createWorld())
    const { claims } = world.seen
    world.endInbox()
    await world.clock.advance(1_000)
    expect(world.seen.announced).toBe(2)
    expect(world.seen.claims).toBeGreaterThan(claims)
  })

  it('CC6 waits longer for an inbox that keeps closing, and starts anew after a steady one', async () => {
    const world = await started(createWorld({}, 0))
    for (const openMs of [100, 100, 30_000, 100]) {
      await world.clock.advance(openMs)
      world.endInbox()
      await world.clock.advance(1_000)
    }
    expect(world.inboxFailures).toEqual([1, 2, 1, 2])
  })

  it('CC5 a result that the Coordinator refuses is reported as a failure', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask())
    world.answer = (report) =>
      report.outcome === 'complete'
        ? Promise.reject(new CoordinatorError('Refused', 'Invalid: too long'))
        : Promise.resolve('accepted')
    await started(world)
    world.finish(done)
    await settle()
    expect(world.reports).toMatchObject([
      { outcome: 'complete' },
      { outcome: 'fail', body: { reason: 'Failed', retryable: false, attempt: 1 } },
    ])
    await world.clock.advance(10_000)
    expect(world.beats.at(-1)?.state).toBe('idle')
  })

  it('SH3 is fenced in the middle of a task: the task stops, nothing is reported', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask())
    await started(world)
    world.beat = () => Promise.reject(new CoordinatorError('Fenced', 'Fenced: incarnation 2 is current'))
    await world.clock.advance(10_000)
    await exits(world, SPRITE_EXIT.fenced)
    expect(world.reports).toEqual([])
  })

  it('SH3 fences itself when the Coordinator is silent for too long, also in the middle of a task', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask())
    await started(world)
    world.beat = () => {
      world.silentForMs += 10_000
      return Promise.reject(new CoordinatorError('Unavailable', 'connect ECONNREFUSED'))
    }
    await world.clock.advance(40_000)
    expect(world.beats.at(-1)?.state).toBe('working')
    await world.clock.advance(10_000)
    await exits(world, SPRITE_EXIT.coordinatorLost)
  })

  it('SH3 exits at its deadline, at once when that is past at boot', async () => {
    const world = createWorld({ SPRITE_DEADLINE_MS: Date.UTC(2026, 0, 15, 12, 1) })
    world.tasks.push(fakeTask())
    await started(world)
    await world.clock.advance(60_000)
    await exits(world, SPRITE_EXIT.deadline)
    const late = await started(createWorld({ SPRITE_DEADLINE_MS: 1 }))
    await exits(late, SPRITE_EXIT.deadline)
    expect(late.seen.announced).toBe(0)
  })

  it('SH4 has the stop timeout less 5 s for the task, then gives it back', async () => {
    const world = createWorld({ SPRITE_STOP_TIMEOUT_MS: 30_000 })
    world.tasks.push(fakeTask())
    await started(world)
    world.sprite.stop()
    world.sprite.stop()
    await world.clock.advance(24_999)
    expect(world.reports).toEqual([])
    await world.clock.advance(1)
    expect(world.reports).toMatchObject([{ outcome: 'fail', body: { reason: 'Drained', retryable: true } }])
    await exits(world, SPRITE_EXIT.done)
  })

  it('SH4 shares a short stop timeout: half for the task, a quarter for the report', async () => {
    const world = createWorld({ SPRITE_STOP_TIMEOUT_MS: 2_000 })
    world.tasks.push(fakeTask())
    world.answer = () => new Promise(() => {})
    await started(world)
    world.sprite.stop()
    await world.clock.advance(1_000)
    expect(world.reports).toHaveLength(1)
    let code: number | undefined
    void world.sprite.done.then((given) => (code = given))
    await world.clock.advance(499)
    expect(code).toBeUndefined()
    await world.clock.advance(1)
    await exits(world, SPRITE_EXIT.done)
  })

  it('SH4 has the stop timeout less 1 s for the report', async () => {
    const world = createWorld({ SPRITE_STOP_TIMEOUT_MS: 30_000 })
    world.tasks.push(fakeTask())
    world.answer = () => new Promise(() => {})
    await started(world)
    world.sprite.stop()
    await world.clock.advance(10_000)
    world.finish(done)
    await world.clock.advance(18_999)
    expect(world.reports).toEqual([done])
    await world.clock.advance(1)
    await exits(world, SPRITE_EXIT.done)
  })

  it('LC1 a task that fails is reported as failed, and the next is claimed', async () => {
    const world = createWorld()
    world.tasks.push(fakeTask())
    await started(world)
    world.finish(failed(fakeTask(), 'ModelUnavailable', 'Overloaded'))
    await settle()
    expect(world.reports).toMatchObject([{ outcome: 'fail', body: { reason: 'ModelUnavailable' } }])
  })
})
