/** Runs the life cycle: performs its commands against the Coordinator and the model, and feeds it what happens. */
import type { BootEnv } from '../protocol/boot.ts'
import type { AnnounceReply, HeartbeatRequest, InboxMessage, Task } from '../protocol/coordinator.ts'
import { unreachable } from '../system/assert.ts'
import type { Clock } from '../system/clock.ts'
import type { Entropy } from '../system/entropy.ts'
import type { Log } from '../system/log.ts'
import type { CoordinatorClient } from './coordinator-client.ts'
import { CoordinatorError } from './coordinator-calls.ts'
import {
  BOOTING,
  heartbeatState,
  step,
  taskInHand,
  type Command,
  type Life,
  type LifeEvent,
  type Report,
} from './lifecycle.ts'
import { failed } from './outcome.ts'
import { createTimers, type Timers } from './timers.ts'

/** What a sprite needs of its process. */
export type SpritePorts = {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly coordinator: CoordinatorClient
  /** Does a task; see doTask for what it may reject with. */
  readonly doTask: (task: Task, signal: AbortSignal, onProgress: (message: string) => void) => Promise<Report>
}

/** What a sprite is started with. */
export type SpriteOptions = {
  readonly boot: Pick<BootEnv, 'SPRITE_DEADLINE_MS' | 'SPRITE_STOP_TIMEOUT_MS'>
  readonly version: string
  /** When the process started, ms since 1970. */
  readonly startedAtMs: number
}

const STOP_TIMEOUT_MS_DEFAULT = 30_000
/** Of the stop timeout, what is kept for saying that the task goes back, and for the exit itself. */
const REPORT_MARGIN_MS = 5_000
const EXIT_MARGIN_MS = 1_000
/** An idle sprite asks for work so often although no hint came: a lost hint costs this much time, or twice it. */
const RECHECK_MS = 30_000

/** An inbox that lasted so long was a good one. */
const STEADY_INBOX_MS = 30_000

type TimerName = 'idle' | 'drain' | 'heartbeat' | 'recheck' | 'deadline'

/** One sprite from its start to its exit; it ends by itself when idle, drained, fenced, lost or past its deadline. */
export class Sprite {
  /** The code that the process is to exit with. No timer and no call is left when it resolves. Never rejects. */
  readonly done: Promise<number>
  readonly #ports: SpritePorts
  readonly #options: SpriteOptions
  readonly #resolve: (code: number) => void
  readonly #timers: Timers<TimerName>
  readonly #lifetime = new AbortController()
  #life: Life = BOOTING
  #terms: AnnounceReply | undefined
  #running = new AbortController()
  #stopAskedAt: number | undefined

  constructor(ports: SpritePorts, options: SpriteOptions) {
    const { promise, resolve } = Promise.withResolvers<number>()
    this.done = promise
    this.#resolve = resolve
    this.#ports = ports
    this.#options = options
    this.#timers = createTimers(ports.clock)
  }

  /** Announces itself and lives; call it once. */
  start(): void {
    this.#watchDeadline()
    if (this.#lifetime.signal.aborted) return
    this.#live().catch((error: unknown) => {
      if (this.#ended(error)) return
      this.#ports.log.error({ message: messageOf(error) }, 'coordinator refused this sprite')
      this.#dispatch({ type: 'fenced' })
    })
  }

  /** Asks it to stop within the stop timeout, as SIGTERM does. Asking twice is asking once. */
  stop(): void {
    this.#stopAskedAt ??= this.#ports.clock.monotonic()
    this.#dispatch({ type: 'drainAsked', limited: true })
  }

  #dispatch(event: LifeEvent): void {
    const before = this.#life.state
    const { next, commands } = step(this.#life, event)
    this.#life = next
    if (next.state !== before)
      this.#ports.log.debug({ from: before, to: next.state, event: event.type }, 'state changed')
    for (const command of commands) this.#perform(command)
    if (next.state === 'draining' && before !== 'draining') this.#beat()
    this.#planRecheck()
  }

  #perform(command: Command): void {
    switch (command.do) {
      case 'claim':
        return void this.#claim()
      case 'startTask':
        return void this.#work(command.task)
      case 'abortTask':
        return this.#running.abort()
      case 'report':
        return void this.#report(command.report)
      case 'armIdleTimer':
        return this.#armIdleTimer()
      case 'disarmIdleTimer':
        return this.#timers.clear('idle')
      case 'armDrainTimer':
        return this.#armDrainTimer(command.until)
      case 'exit':
        return this.#exit(command.code)
      default:
        return unreachable(command)
    }
  }

  #armIdleTimer(): void {
    const idleTimeoutMs = this.#terms?.idleTimeoutMs ?? 0
    if (idleTimeoutMs === 0 || this.#timers.has('idle')) return
    this.#timers.set('idle', idleTimeoutMs, () => this.#dispatch({ type: 'idleTimeout' }))
  }

  /** A run policy or limit that changed while it runs: a timer that runs counts anew. */
  #takeIdleTimeout(idleTimeoutMs: number): void {
    if (this.#terms === undefined || this.#terms.idleTimeoutMs === idleTimeoutMs) return
    this.#terms = { ...this.#terms, idleTimeoutMs }
    if (this.#life.state !== 'idle') return
    this.#timers.clear('idle')
    this.#armIdleTimer()
  }

  #armDrainTimer(until: 'task' | 'report'): void {
    const { clock } = this.#ports
    const limitMs = this.#options.boot.SPRITE_STOP_TIMEOUT_MS ?? STOP_TIMEOUT_MS_DEFAULT
    const elapsedMs = clock.monotonic() - (this.#stopAskedAt ?? clock.monotonic())
    // A short stop timeout still leaves half of it to the task, and a quarter to its report.
    const untilMs =
      until === 'task'
        ? Math.max(limitMs - REPORT_MARGIN_MS, limitMs / 2)
        : Math.max(limitMs - EXIT_MARGIN_MS, limitMs * 0.75)
    const delayMs = untilMs - elapsedMs
    this.#timers.set('drain', delayMs, () => this.#dispatch({ type: 'drainTimeout' }))
  }

  #planRecheck(): void {
    if (this.#life.state !== 'idle') return this.#timers.clear('recheck')
    if (this.#timers.has('recheck')) return
    const delayMs = RECHECK_MS * (1 + this.#ports.entropy.random())
    this.#timers.set('recheck', delayMs, () => this.#dispatch({ type: 'hint' }))
  }

  #watchDeadline(): void {
    const deadlineMs = this.#options.boot.SPRITE_DEADLINE_MS
    if (deadlineMs === undefined) return
    const leftMs = deadlineMs - this.#ports.clock.now()
    if (leftMs <= 0) return this.#dispatch({ type: 'deadline' })
    this.#timers.set('deadline', leftMs, () => this.#watchDeadline())
  }

  #exit(code: number): void {
    this.#timers.close()
    this.#running.abort()
    this.#lifetime.abort()
    this.#ports.log.info({ code }, 'exiting')
    this.#resolve(code)
  }

  /** Turns a failed call into its event; true when there is nothing more for the caller to do. */
  #ended(error: unknown): boolean {
    if (this.#lifetime.signal.aborted) return true
    if (!(error instanceof CoordinatorError)) throw error
    if (error.reason !== 'Fenced' && error.reason !== 'Lost') return false
    this.#ports.log.error({ reason: error.reason, message: error.message }, 'coordinator ended this sprite')
    this.#dispatch({ type: error.reason === 'Fenced' ? 'fenced' : 'coordinatorLost' })
    return true
  }

  async #live(): Promise<void> {
    await this.#announce()
    this.#beat()
    await this.#listen()
  }

  async #announce(): Promise<void> {
    const { coordinator, log } = this.#ports
    const { startedAtMs, version } = this.#options
    const terms = await coordinator.announce(startedAtMs, version, this.#lifetime.signal)
    this.#terms = terms
    coordinator.setLostAfter(terms.lostAfterMs)
    log.info({ agentType: terms.agentType }, 'announced')
    this.#dispatch({ type: 'announced' })
  }

  /** Bounded by the sprite's life: each ended connection waits, and silence of the Coordinator ends it. */
  async #listen(): Promise<void> {
    const { clock, coordinator, log } = this.#ports
    const { signal } = this.#lifetime
    // Hints may have been lost before the stream was open.
    const onOpen = (): void => this.#dispatch({ type: 'hint' })
    const onMessage = (message: InboxMessage): void => this.#take(message)
    let failures = 0
    while (!signal.aborted) {
      const startedAt = clock.monotonic()
      await coordinator.inbox({ onOpen, onMessage }, signal).catch((error: unknown) => {
        if (!this.#ended(error)) log.warn({ message: messageOf(error) }, 'inbox failed')
      })
      if (signal.aborted) return
      // A stream that opens only to close again is a failure too.
      failures = clock.monotonic() - startedAt >= STEADY_INBOX_MS ? 1 : failures + 1
      await coordinator.pauseBeforeInbox(failures, signal)
      await this.#announce()
    }
  }

  #take(message: InboxMessage): void {
    if (message.type === 'work_available') this.#dispatch({ type: 'hint' })
    if (message.type === 'drain') this.#dispatch({ type: 'drainAsked', limited: false })
    if (message.type === 'abandon') this.#dispatch({ type: 'abandonAsked', work: message.work })
  }

  async #claim(): Promise<void> {
    const { coordinator, log } = this.#ports
    try {
      const task = await coordinator.claim(this.#lifetime.signal)
      if (this.#lifetime.signal.aborted) return
      if (task) log.info({ work: task.work, attempt: task.attempt, type: task.type }, 'claimed')
      this.#dispatch(task ? { type: 'claimed', task } : { type: 'nothingToClaim' })
    } catch (error) {
      if (this.#ended(error)) return
      log.error({ message: messageOf(error) }, 'claim failed')
      this.#dispatch({ type: 'nothingToClaim' })
    }
  }

  async #work(task: Task): Promise<void> {
    const { coordinator, log } = this.#ports
    const { work, attempt } = task
    const mine = new AbortController()
    this.#running = mine
    const onProgress = (message: string): void => void coordinator.progress(work, attempt, message)
    const report = await this.#ports.doTask(task, mine.signal, onProgress).catch((error: unknown) => {
      if (!mine.signal.aborted) log.error({ work, attempt, message: messageOf(error) }, 'task crashed')
      return failed(task, 'Failed', `Look at the sprite’s log: ${messageOf(error)}`)
    })
    if (mine.signal.aborted) return
    if (report.outcome === 'complete') this.#dispatch({ type: 'taskDone', body: report.body })
    else this.#dispatch({ type: 'taskFailed', body: report.body })
  }

  async #report(report: Report): Promise<void> {
    const { log } = this.#ports
    const { work, attempt } = report.body
    const outcome = report.outcome === 'complete' ? 'Completed' : report.body.reason
    try {
      const answer = await this.#send(report)
      log.info({ work, attempt, outcome, answer }, 'reported')
    } catch (error) {
      if (this.#ended(error)) return
      log.error({ work, attempt, outcome, message: messageOf(error) }, 'report refused')
    }
    this.#dispatch({ type: 'reported' })
  }

  /** A result that the Coordinator will not take must not stay in hand: it is reported as a failure instead. */
  async #send(report: Report): Promise<'accepted' | 'void'> {
    const { coordinator } = this.#ports
    const { signal } = this.#lifetime
    try {
      return await coordinator.report(report, signal)
    } catch (error) {
      const refused = error instanceof CoordinatorError && error.reason === 'Refused'
      if (!refused || report.outcome === 'fail') throw error
      const message = `Look at the result: the Coordinator refused it; ${error.message}`
      return coordinator.report(failed(report.body, 'Failed', message, { retryable: false }), signal)
    }
  }

  #beat(): void {
    if (!this.#terms) return
    this.#timers.set('heartbeat', this.#terms.heartbeatIntervalMs, () => this.#beat())
    void this.#heartbeat()
  }

  async #heartbeat(): Promise<void> {
    const { coordinator, log } = this.#ports
    const state = heartbeatState(this.#life)
    if (!state) return
    const task = taskInHand(this.#life)
    const inHand = task && { name: task.work, attempt: task.attempt }
    const body: HeartbeatRequest = inHand ? { state, work: inHand } : { state }
    try {
      const { directive, idleTimeoutMs } = await coordinator.heartbeat(body, this.#lifetime.signal)
      if (idleTimeoutMs !== undefined) this.#takeIdleTimeout(idleTimeoutMs)
      if (directive === 'drain') this.#dispatch({ type: 'drainAsked', limited: false })
      if (directive === 'abandon' && inHand)
        this.#dispatch({ type: 'abandonAsked', work: inHand.name, attempt: inHand.attempt })
    } catch (error) {
      if (this.#ended(error)) return
      const silentForMs = Math.round(coordinator.silentForMs())
      log.warn({ message: messageOf(error), silentForMs }, 'heartbeat failed')
      if (silentForMs >= (this.#terms?.lostAfterMs ?? Infinity)) this.#dispatch({ type: 'coordinatorLost' })
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
