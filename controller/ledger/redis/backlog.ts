/** Keeps what could not be booked while Redis was away, and books it when it is back. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import { LedgerError } from '../ledger.ts'

/** Something to be booked: the spending of a reservation, or spending without one. */
export type Booking = { readonly tenant: string; readonly id: string; readonly tokens: number } & (
  | { readonly kind: 'Settle' }
  | { readonly kind: 'Spend'; readonly period: string }
)

/** What is kept. */
export type Backlog = {
  /** Keeps one more. A settlement may make room: without it, its reservation is spent in full. Throws Full. */
  keep(booking: Booking): void
  readonly size: number
  /** Whether half of it is spending without a reservation: no more calls are to be made that may need the rest. */
  readonly isFull: boolean
  /** Tries to book all that is kept, now. */
  drain(): Promise<void>
  close(): void
}

/** Bookings kept at most, of all tenants. */
const BOOKINGS_MAX = 10_000
const RETRY_MS = 1_000

/** `book` books one, or rejects and is asked again later. */
export function createBacklog(ports: {
  readonly clock: Clock
  readonly book: (booking: Booking) => Promise<void>
  readonly onSize: (size: number) => void
  readonly bookingsMax?: number
}): Backlog {
  const bookingsMax = ports.bookingsMax ?? BOOKINGS_MAX
  const kept = new Map<string, Booking>()
  let spends = 0
  let draining: Promise<void> | undefined
  let cancel: CancelTimer | undefined

  function drop(key: string): void {
    if (kept.get(key)?.kind === 'Spend') spends--
    kept.delete(key)
    ports.onSize(kept.size)
  }

  function makeRoom(): void {
    if (kept.size < bookingsMax) return
    for (const [key, booking] of kept)
      if (booking.kind === 'Settle') {
        drop(key)
        return
      }
    throw new LedgerError('Full', 'Wait until the token ledger answers, too much is to be booked already')
  }

  async function drainAll(): Promise<void> {
    cancel?.()
    cancel = undefined
    try {
      for (const [key, booking] of kept) {
        await ports.book(booking)
        drop(key)
      }
    } catch {
      later()
    }
  }

  function later(): void {
    cancel ??= ports.clock.after(RETRY_MS, () => void drain(), { background: true })
  }

  function drain(): Promise<void> {
    draining ??= drainAll().finally(() => (draining = undefined))
    return draining
  }

  return {
    keep: (booking) => {
      const key = `${booking.tenant}/${booking.id}`
      if (kept.has(key)) return
      makeRoom()
      kept.set(key, booking)
      if (booking.kind === 'Spend') spends++
      ports.onSize(kept.size)
      later()
    },
    get size() {
      return kept.size
    },
    get isFull() {
      return spends * 2 >= bookingsMax
    },
    drain,
    close: () => cancel?.(),
  }
}
