/** Looks again and again until something is so, with a deadline. */
import type { CliContext } from './context.ts'

const LOOK_EVERY_MS = 200

/** Whether it became true in time; a stop signal ends the wait as the deadline does. */
export async function untilTrue(
  { clock, onStop }: Pick<CliContext, 'clock' | 'onStop'>,
  timeoutMs: number,
  isTrue: () => Promise<boolean>,
): Promise<boolean> {
  const deadline = clock.monotonic() + timeoutMs
  const controller = new AbortController()
  const stopListening = onStop(() => controller.abort())
  try {
    while (!controller.signal.aborted) {
      if (await isTrue()) return true
      if (clock.monotonic() >= deadline) return false
      await clock.sleep(LOOK_EVERY_MS, controller.signal).catch(() => {})
    }
    return false
  } finally {
    stopListening()
  }
}
