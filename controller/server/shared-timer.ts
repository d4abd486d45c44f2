/** A clock that keeps all timers of long answers with one real one: 1,000 idle watches have no timers of their own. */
import type { CancelTimer, Clock } from '../../system/clock.ts'

type Deadline = { readonly dueAtMs: number; readonly fire: () => void }

/**
 * The clock with another `after`: timers without `background` go to it as they are. The shared timer is set for the
 * earliest deadline; it may wake once for one that was cancelled, and is gone when none is left.
 */
export function withSharedTimer(clock: Clock): Clock {
  const deadlines = new Set<Deadline>()
  let armed: { readonly dueAtMs: number; readonly cancel: CancelTimer } | undefined

  function arm(dueAtMs: number): void {
    armed?.cancel()
    const delayMs = Math.max(0, dueAtMs - clock.monotonic())
    armed = { dueAtMs, cancel: clock.after(delayMs, wake, { background: true }) }
  }

  function wake(): void {
    armed = undefined
    const nowMs = clock.monotonic()
    const due: Deadline[] = []
    let nextMs = Infinity
    for (const deadline of deadlines) {
      if (deadline.dueAtMs <= nowMs) due.push(deadline)
      else nextMs = Math.min(nextMs, deadline.dueAtMs)
    }
    for (const deadline of due) deadlines.delete(deadline)
    if (nextMs < Infinity) arm(nextMs)
    for (const { fire } of due) fire()
  }

  function after(delayMs: number, fire: () => void): CancelTimer {
    const deadline: Deadline = { dueAtMs: clock.monotonic() + delayMs, fire }
    deadlines.add(deadline)
    if (armed === undefined || deadline.dueAtMs < armed.dueAtMs) arm(deadline.dueAtMs)
    return () => {
      deadlines.delete(deadline)
      if (deadlines.size > 0) return
      armed?.cancel()
      armed = undefined
    }
  }

  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
    after: (delayMs, fire, options) =>
      options?.background === true ? after(delayMs, fire) : clock.after(delayMs, fire, options),
  }
}
