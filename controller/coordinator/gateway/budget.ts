/** Holds tokens for a call to the model and books what it used; what its plan says holds while the ledger is away. */
import { planKind } from '../../kinds/plan/schema.ts'
import { isLedgerAway, LedgerError, periodOf, type Reservation } from '../../ledger/ledger.ts'
import { CoordinatorError } from '../fault.ts'
import type { CoordinatorPorts } from '../ports.ts'
import { getCached } from '../reads.ts'
import type { AdmittedCall } from './admit.ts'

/** A reservation outlives its call by so long, in ms, before it counts as spent. */
const EXPIRY_MARGIN_MS = 60_000
/** When a call that met no ledger may go better, in ms. */
const LEDGER_RETRY_MS = 5_000

/** Leave to make one call, and how its cost is booked. */
export type Leave = {
  /** Books what the call used. A ledger that is away leaves the reservation to expire as spent in full. */
  book(tokens: number): Promise<void>
}

/** Reserves the most that the call can cost; throws BudgetExhausted, or LedgerUnavailable where the plan refuses. */
export async function reserve(
  ports: CoordinatorPorts,
  admitted: AdmittedCall,
  onRefusal: (outcome: string) => void,
): Promise<Leave> {
  const { tenant } = admitted.attempt
  const nowMs = ports.clock.now()
  const tokens = admitted.reserved.inputTokens + admitted.reserved.outputTokens
  const id = ports.entropy.uuid()
  const period = periodOf(nowMs)
  const expiresAfterMs = ports.settings.upstreamTimeoutMs + EXPIRY_MARGIN_MS
  const outcome = await tryReserve(ports, admitted, {
    tenant,
    period,
    id,
    tokens,
    limit: admitted.limit,
    expiresAfterMs,
  })
  if (outcome === 'Away') {
    if (!(await mayGoWithout(ports, admitted))) {
      onRefusal('ledger')
      throw ledgerUnavailable()
    }
    // Another id: what of the first may yet reach the ledger is none of this call's.
    const spent = ports.entropy.uuid()
    return { book: (used) => ports.ledger.spend({ tenant, period, id: spent, tokens: used }) }
  }
  if (outcome.granted) return { book: (used) => ports.ledger.settle(tenant, id, used) }
  onRefusal('budget')
  const message = lackText(tokens, { limit: admitted.limit, available: outcome.available })
  throw new CoordinatorError('BudgetExhausted', message, { retryAfterMs: nextMonthMs(nowMs) - nowMs })
}

/** What would do: no month suffices for a call that is larger than the whole budget. */
function lackText(
  tokens: number,
  { limit, available }: { readonly limit: number | null; readonly available: number },
): string {
  return limit !== null && tokens > limit
    ? `Raise the monthly budget of "${limit}" tokens: the call may need ${tokens}, more than any month has`
    : `Wait for next month or raise the budget: the call may need ${tokens} tokens, "${available}" are left`
}

/** The ledger's answer, or that there is none. */
async function tryReserve(ports: CoordinatorPorts, admitted: AdmittedCall, reservation: Reservation) {
  try {
    return await ports.ledger.reserve(reservation)
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
    // The ledger says of itself that it is away; the work says what it waits for.
    ports.log.debug({ ...admitted.attempt, error }, 'ledger gave no answer for a model call')
    if (isLedgerAway(error)) return 'Away' as const
    throw ledgerUnavailable(error)
  }
}

/** Whether the plan of the tenant, as it is now, lets calls be made without the ledger. Without the plan: no. */
async function mayGoWithout(ports: CoordinatorPorts, admitted: AdmittedCall): Promise<boolean> {
  const key = { namespace: '', name: admitted.plan }
  const plan = await getCached(ports, { kind: planKind, key, signal: admitted.signal })
  return plan?.spec.whenLedgerUnavailable === 'Allow'
}

const ledgerUnavailable = (cause?: unknown): CoordinatorError =>
  new CoordinatorError(
    'LedgerUnavailable',
    'Wait until the token ledger answers: the plan allows no call that is not counted',
    { retryAfterMs: LEDGER_RETRY_MS },
    { cause },
  )

function nextMonthMs(nowMs: number): number {
  const now = new Date(nowMs)
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)
}
