/** Stops calls that Fly refuses whatever they ask: after a refusal of the token, or of any further machine, only probes go out. */
import type { Clock } from '../../../system/clock.ts'
import { ProviderError } from '../machines.ts'
import type { FlyAction } from './classify.ts'

/** Which circuit a call runs through: its app's, and for a create that of its app's creates as well. */
export type CircuitCall = { readonly app: string; readonly action: FlyAction }

/** Circuits of every app; each is closed until a refusal opens it. */
export interface CircuitBreaker {
  /** Throws what stands in the way while a circuit of the call is open. When its time has come, one call passes as a probe. */
  enter(call: CircuitCall): void
  /** Takes the outcome of a call that had entered; undefined is success. Gives the error as its caller is to see it. */
  leave(call: CircuitCall, error: ProviderError | undefined): ProviderError | undefined
  /** What was answered by the app's open circuits; one that nobody has probed for long says nothing any more. */
  standing(app: string): readonly ProviderError[]
}

type Circuit = {
  /** What opened it first: told until a call goes through again, so that a condition made of it stands still. */
  readonly error: ProviderError
  readonly waitMs: number
  readonly untilMs: number
  readonly isProbing: boolean
}

type Kind = 'credentials' | 'quota'

/** From the first refusal to the first probe, doubling up to the second. A quota is lifted by people. */
const WAIT_MS: Readonly<Record<Kind, readonly [number, number]>> = {
  credentials: [30_000, 300_000],
  quota: [60_000, 600_000],
}
const CIRCUITS_MAX = 20_000
/** A probe that is due goes out with the next call; when none comes, nobody can say how it stands. */
const STALE_MS = 900_000

/** A breaker whose circuits are all closed; `onChange` is told of each app of which one opens or closes. */
export function createCircuitBreaker(clock: Clock, onChange: (app: string) => void = () => {}): CircuitBreaker {
  const open = new Map<string, Circuit>()
  return {
    enter: (call) => {
      const nowMs = clock.monotonic()
      const circuits = circuitsOf(call).flatMap(({ key }) => {
        const circuit = open.get(key)
        return circuit === undefined ? [] : [{ key, circuit }]
      })
      for (const { circuit } of circuits) {
        if (nowMs < circuit.untilMs) throw paused(circuit, circuit.untilMs - nowMs)
        if (circuit.isProbing) throw paused(circuit, 1_000)
      }
      for (const { key, circuit } of circuits) open.set(key, { ...circuit, isProbing: true })
    },
    leave: (call, error) => {
      let told = error
      for (const { key, kind } of circuitsOf(call)) {
        const circuit = open.get(key)
        if (error !== undefined && opens(kind, error)) {
          const next = opened(circuit, { error, kind, nowMs: clock.monotonic() })
          if (open.size >= CIRCUITS_MAX) open.clear()
          open.set(key, next)
          told = paused(next, next.waitMs)
          if (circuit === undefined) onChange(call.app)
        } else if (circuit !== undefined && saysNothing(error)) open.set(key, { ...circuit, isProbing: false })
        else if (open.delete(key)) onChange(call.app)
      }
      return told
    },
    standing: (app) =>
      circuitsOf({ app, action: 'create' }).flatMap(({ key }) => {
        const circuit = open.get(key)
        return circuit === undefined || clock.monotonic() >= circuit.untilMs + STALE_MS ? [] : [circuit.error]
      }),
  }
}

const circuitsOf = ({ app, action }: CircuitCall): readonly { readonly key: string; readonly kind: Kind }[] => [
  { key: app, kind: 'credentials' },
  // Reads and destroys go on while the organization is full: they are what makes room.
  ...(action === 'create' ? [{ key: `${app} create`, kind: 'quota' as const }] : []),
]

const opens = (kind: Kind, error: ProviderError): boolean =>
  error.reason === (kind === 'credentials' ? 'CredentialsInvalid' : 'QuotaExceeded')

const SAYS_NOTHING: ReadonlySet<string> = new Set(['Unavailable', 'OutcomeUnknown', 'RateLimited'])

/** Whether the outcome leaves open what the next call would meet. */
const saysNothing = (error: ProviderError | undefined): boolean =>
  error !== undefined && (SAYS_NOTHING.has(error.reason) || error.reason === 'CredentialsInvalid')

function opened(
  before: Circuit | undefined,
  by: { readonly error: ProviderError; readonly kind: Kind; readonly nowMs: number },
): Circuit {
  const [firstMs, maxMs] = WAIT_MS[by.kind]
  const waitMs = before === undefined ? firstMs : Math.min(maxMs, 2 * before.waitMs)
  return { error: before?.error ?? by.error, waitMs, untilMs: by.nowMs + waitMs, isProbing: false }
}

function paused({ error }: Circuit, retryAfterMs: number): ProviderError {
  return new ProviderError(error.reason, `Paused but for probes: ${error.message}`, {
    retryAfterMs,
    cause: error,
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
  })
}
