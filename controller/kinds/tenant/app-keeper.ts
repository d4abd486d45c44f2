/** Sees to it, beside the passes, that tenants' apps exist at the provider: no pass waits for a call or for its turn. */
import type { Clock } from '../../../system/clock.ts'
import { ProviderError } from '../../providers/machines.ts'

/** How it stands with one tenant's app. */
export type AppLook = {
  /** The last answer; undefined before the first. */
  readonly last: 'Made' | ProviderError | undefined
  /** Whether it is time to try, or to look whether it is still so. */
  readonly isDue: boolean
  /** Ms until it is due after a failure; absent otherwise. */
  readonly retryInMs?: number
}

/** The apps of all tenants of this process. */
export interface AppKeeper {
  look(tenant: string): AppLook
  /** Begins a try when it is due; whoever began none and waits is called by `wake` when it is over. */
  begin(tenant: string): void
  /** Resolves when nothing is under way for the tenant any more, and forgets how it stood. */
  end(tenant: string): Promise<void>
}

/** What the keeper needs. */
export type AppKeeperPorts = {
  readonly clock: Pick<Clock, 'monotonic'>
  /** Makes what is not there; rejects with ProviderError. */
  readonly ensure: (tenant: string) => Promise<void>
  /** Called when there is a new answer for the tenant. */
  readonly wake: (tenant: string) => void
}

/** The provider makes apps one after the other: more at once would only wait, and then have waited in vain. */
const TRIES_AT_ONCE_MAX = 4
const RETRY_FIRST_MS = 5_000
const RETRY_MAX_MS = 600_000
/** A person has to act first. */
const RETRY_STALLED_MS = 60_000
/** What was there is asked for again after so long. */
const FRESH_MS = 600_000

const NEEDS_PERSON: ReadonlySet<string> = new Set([
  'CredentialsInvalid',
  'QuotaExceeded',
  'NameConflict',
  'InvalidSpec',
])

type Kept = { readonly last: 'Made' | ProviderError; readonly dueAtMs: number; readonly waitMs: number }

/** A keeper that knows nothing yet: no more entries than there are tenants. */
export function createAppKeeper({ clock, ensure, wake }: AppKeeperPorts): AppKeeper {
  const kept = new Map<string, Kept>()
  const underWay = new Map<string, Promise<void>>()
  const waiting = new Map<string, () => void>()
  let running = 0

  const turn = async (tenant: string): Promise<void> => {
    if (running < TRIES_AT_ONCE_MAX) running += 1
    else await new Promise<void>((resolve) => waiting.set(tenant, resolve))
  }
  /** Who waits longest takes over. */
  const next = (): void => {
    for (const [tenant, resolve] of waiting) {
      waiting.delete(tenant)
      return resolve()
    }
    running -= 1
  }
  const attempt = async (tenant: string): Promise<void> => {
    await turn(tenant)
    const before = kept.get(tenant)
    const error = await ensure(tenant).then(() => undefined, asProviderError)
    next()
    underWay.delete(tenant)
    kept.set(tenant, outcome(before, error, clock.monotonic()))
    // That it is still there is no news.
    if (error !== undefined || before?.last !== 'Made') wake(tenant)
  }
  return {
    look: (tenant) => {
      const known = kept.get(tenant)
      const leftMs = (known?.dueAtMs ?? 0) - clock.monotonic()
      const isDue = !underWay.has(tenant) && (known === undefined || leftMs <= 0)
      const retries = known !== undefined && known.last !== 'Made' && leftMs > 0
      return { last: known?.last, isDue, ...(retries ? { retryInMs: leftMs } : {}) }
    },
    begin: (tenant) => {
      if (!underWay.has(tenant)) underWay.set(tenant, attempt(tenant))
    },
    end: async (tenant) => {
      await underWay.get(tenant)
      kept.delete(tenant)
    },
  }
}

function outcome(before: Kept | undefined, error: ProviderError | undefined, nowMs: number): Kept {
  if (error === undefined) return { last: 'Made', dueAtMs: nowMs + FRESH_MS, waitMs: 0 }
  const firstMs = NEEDS_PERSON.has(error.reason) ? RETRY_STALLED_MS : RETRY_FIRST_MS
  const waitMs = Math.min(RETRY_MAX_MS, Math.max(firstMs, 2 * (before?.waitMs ?? 0)))
  const askedMs = Math.min(RETRY_MAX_MS, error.retryAfterMs ?? 0)
  return { last: error, dueAtMs: nowMs + Math.max(waitMs, askedMs), waitMs }
}

const asProviderError = (error: unknown): ProviderError =>
  error instanceof ProviderError
    ? error
    : new ProviderError('Unexpected', error instanceof Error ? error.message : String(error), { cause: error })
