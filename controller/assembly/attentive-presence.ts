/** Notices when this process itself was away, such as on a computer that slept: silence of that time says nothing of sprites. */
import type { Presence } from '../bus/presence.ts'
import type { Clock } from '../../system/clock.ts'

const LOOK_EVERY_MS = 2_000
/** Two looks further apart than this were parted by a stop of the process or a jump of its clock, in ms. */
const AWAY_MS = 10_000

type ClosablePresence = Presence & { close(): Promise<void> }

/** The same presence, which listens anew from each return on; `close` ends the looks, and the presence. */
export function attentivePresence(presence: ClosablePresence, clock: Clock): ClosablePresence {
  let lookedAtMs = clock.now()
  let returnedAtMs = 0
  let cancel = (): void => {}

  const look = (): void => {
    const nowMs = clock.now()
    // A clock that was set back leaves nothing in the future.
    returnedAtMs = nowMs - lookedAtMs > AWAY_MS ? nowMs : Math.min(returnedAtMs, nowMs)
    lookedAtMs = nowMs
  }
  const lookOn = (): void => {
    look()
    cancel = clock.after(LOOK_EVERY_MS, lookOn, { background: true })
  }
  lookOn()
  return {
    get listeningSinceMs() {
      // Whoever asks may come before the timer that is overdue.
      look()
      // The bus may have been away meanwhile, too.
      return Math.max(returnedAtMs, presence.listeningSinceMs)
    },
    read: (tenant, sprite) => presence.read(tenant, sprite),
    onChange: (listener) => presence.onChange(listener),
    close: async () => {
      cancel()
      await presence.close()
    },
  }
}
