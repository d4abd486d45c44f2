/** Mends accounts by what the store knows: rebuilds one that Redis lost, and raises ceilings before they are passed. */
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import { LedgerError, type Reservation } from '../ledger.ts'
import type { Answer } from './answer.ts'
import { nextCeiling, type Recount } from './record.ts'
import { BUILD } from './scripts.ts'
import type { Sightings } from './sightings.ts'

/** What repairs are made with. */
export type RepairPorts = {
  readonly run: (script: string, tenant: string, call: { readonly args: readonly string[] }) => Promise<Answer>
  readonly recount: Recount
  readonly clock: Clock
  readonly log: Log
  readonly sightings: Sightings
  readonly onRebuild: () => void
  readonly storeDeadlineMs: number
}

/** So many looks are given to another process that has raised a ceiling and not told Redis yet. */
const LOOKS_MAX = 20
const LOOK_MS = 50
/** Months of tenants whose looks are counted; past that, the count begins anew. */
const LOOKED_AT_MAX = 10_000

type CeilingAnswer = Extract<Answer, { status: 'CEILING' }>

/** The repairs of one ledger; both reject with LedgerError Unavailable when the store does not answer. */
export function createRepairs(ports: RepairPorts) {
  const { clock, log, sightings } = ports
  // One at a time for a tenant: the others find it done.
  const rebuilding = new Map<string, Promise<void>>()
  const raising = new Map<string, Promise<readonly string[]>>()
  // By tenant and month: tokens that wait for a ceiling, and how often one was found behind the store's.
  const wanted = new Map<string, number>()
  const looks = new Map<string, { readonly from: number; readonly count: number }>()

  async function rebuild(tenant: string, found: Answer, periods: readonly string[]): Promise<void> {
    const months = await Promise.all(
      periods.map(async (period) => {
        const { used, ceiling } = await fromStore(ports, () => ports.recount.read(tenant, period))
        return [period, String(Math.max(used, ceiling, sightings.totalOf(tenant, period))), String(ceiling)]
      }),
    )
    const isReset = found.status === 'BROKEN' ? '1' : ''
    const built = await ports.run(BUILD, tenant, { args: [String(found.epoch), isReset, ...months.flat()] })
    if (built.status !== 'BUILT') return
    // An account that was never there is nothing to tell of.
    if (found.epoch === 0 && months.every(([, used]) => used === '0')) return
    ports.onRebuild()
    log.warn({ tenant, periods, found: found.status }, 'account of the ledger was rebuilt from the store')
  }

  async function raise(key: string, { tenant, limit }: Reservation, found: CeilingAnswer): Promise<readonly string[]> {
    const { period, need, ceiling: from } = found
    const tokens = wanted.get(key) ?? 0
    wanted.delete(key)
    if (limit === null) return []
    const to = nextCeiling(need, { tokens, limit })
    const recorded = await fromStore(ports, () => ports.recount.raise(tenant, period, { from, to }))
    if (recorded.isOurs) {
      looks.delete(key)
      return [period, String(recorded.ceiling)]
    }
    // Another process is about to tell Redis, or Redis went back to before it was told.
    const before = looks.get(key)
    const count = before?.from === from ? before.count + 1 : 1
    if (looks.size >= LOOKED_AT_MAX) looks.clear()
    looks.set(key, { from, count })
    if (count < LOOKS_MAX) await clock.sleep(LOOK_MS)
    else {
      looks.delete(key)
      await shared(rebuilding, tenant, () => rebuild(tenant, found, [period]))
    }
    return []
  }

  return {
    /** Whether the answer said that the account is not whole; it is rebuilt then, and the call is to be made again. */
    rebuilt: async (tenant: string, found: Answer, period: string): Promise<boolean> => {
      if (found.status !== 'LOST' && found.status !== 'BROKEN' && found.status !== 'RECOUNT') return false
      const periods = found.status === 'RECOUNT' ? [found.period] : [...new Set([found.month, period])]
      await shared(rebuilding, tenant, () => rebuild(tenant, found, periods))
      return true
    },

    /** The ceilings to tell Redis when the call is made again. */
    raised: async (call: Reservation, found: CeilingAnswer): Promise<readonly string[]> => {
      const key = `${call.tenant}/${found.period}`
      wanted.set(key, (wanted.get(key) ?? 0) + call.tokens)
      return await shared(raising, key, () => raise(key, call, found))
    },
  }
}

/** Runs it unless it is running under that key; then its outcome is that of the other. */
function shared<T>(running: Map<string, Promise<T>>, key: string, start: () => Promise<T>): Promise<T> {
  const known = running.get(key)
  if (known !== undefined) return known
  const started = start().finally(() => running.delete(key))
  running.set(key, started)
  return started
}

/** A call of the store within its deadline; any failure of it is one of the ledger's. */
async function fromStore<T>(ports: RepairPorts, call: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const cancel = ports.clock.after(ports.storeDeadlineMs, () => late.reject(new Error('The store took too long')))
  try {
    return await Promise.race([call(), late.promise])
  } catch (error) {
    ports.log.debug({ error }, 'the store has no answer for the ledger')
    throw new LedgerError('Unavailable', 'Try again later, the store of the token ledger does not answer', {
      cause: error,
    })
  } finally {
    cancel()
  }
}
