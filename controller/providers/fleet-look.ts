/** Goes once through the pages of the fleet's feed, all of it or what has changed, and says how complete that was. */
import { ProviderError, type FleetPage, type Machine, type MachineProvider } from './machines.ts'

/** What one look has shown. */
export type FleetLook = {
  readonly byTenant: ReadonlyMap<string, readonly Machine[]>
  readonly complete: boolean
  readonly changedAtMs?: number
}

/** Changes come late and out of order: each look goes back so far behind the latest that was seen. */
export const OVERLAP_MS = 60_000
/** 1,000 machines a page; a feed that does not end is no feed. */
const PAGES_MAX = 1_000

/** All pages of one look; what fails on the way is the look's failure. Never rejects. */
export async function lookAtFleet(
  provider: Pick<MachineProvider, 'listFleet'>,
  ask: { readonly sinceMs: number | undefined; readonly signal: AbortSignal },
): Promise<FleetLook | ProviderError> {
  const since = ask.sinceMs === undefined ? {} : { sinceMs: ask.sinceMs - OVERLAP_MS }
  const byTenant = new Map<string, Machine[]>()
  let [complete, changedAtMs, cursor] = [true, 0, '']
  for (let page = 0; page < PAGES_MAX; page++) {
    const given = await turn(provider, { ...since, ...(cursor === '' ? {} : { cursor }) }, ask.signal)
    if (given instanceof ProviderError) return given
    for (const { tenant, machine } of given.rows) {
      const known = byTenant.get(tenant)
      if (known) known.push(machine)
      else byTenant.set(tenant, [machine])
    }
    complete &&= given.complete
    changedAtMs = Math.max(changedAtMs, given.changedAtMs ?? 0)
    if (given.next === undefined) return { byTenant, complete, ...(changedAtMs === 0 ? {} : { changedAtMs }) }
    if (given.next === cursor) break
    cursor = given.next
  }
  return new ProviderError('Unexpected', 'The feed of the fleet does not end: its pages go in a circle or are too many')
}

async function turn(
  provider: Pick<MachineProvider, 'listFleet'>,
  ask: Parameters<NonNullable<MachineProvider['listFleet']>>[0],
  signal: AbortSignal,
): Promise<FleetPage | ProviderError> {
  try {
    if (provider.listFleet === undefined) return new ProviderError('NotFound', 'The provider has no feed of the fleet')
    return await provider.listFleet(ask, signal)
  } catch (error) {
    if (error instanceof ProviderError) return error
    return new ProviderError('Unexpected', `Machine list of the fleet failed: ${String(error)}`, { cause: error })
  }
}
