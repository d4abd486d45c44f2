/** What a resync of 10,000 converged sprites costs in calls: a count, on the fleet in a bottle (fake store, machines and clock). */
import { Fleet } from '../test/simulation/fleet.ts'
import type { Row } from './table.ts'

const TENANTS = 50
const SPRITES_EACH = 200
/** A tenth is up, the rest asleep. */
const RUNNING_EACH = 20
/** The first resync that has all of them begins 300 s after the start, and lasts 300 s. */
const RESYNC_SECONDS = 575

/** Machine calls besides the looks at all machines, and store writes, over one whole resync; both are to be none. */
export async function benchResync(): Promise<Row[]> {
  const tenants = Array.from({ length: TENANTS }, (_, index) => `tenant-${index}`)
  const fleet = new Fleet({ seed: 8, limit: SPRITES_EACH, tenants })
  await fleet.start()
  try {
    for (const tenant of tenants)
      for (let at = 0; at < SPRITES_EACH; at++)
        await fleet.addSprite(tenant, `s${at}`, { runPolicy: at < RUNNING_EACH ? 'Always' : 'OnDemand' })
    await fleet.run(30)
    const settled = fleet.sprites().filter(({ status }) => status?.phase === 'Idle' || status?.phase === 'Stopped')
    if (settled.length !== TENANTS * SPRITES_EACH) throw new Error(`Only ${settled.length} sprites have converged`)
    const passesBefore = passesOf(fleet)
    fleet.client.resetCalls()
    fleet.machines.calls.length = 0
    await fleet.run(RESYNC_SECONDS)
    const passes = passesOf(fleet) - passesBefore
    if (passes < settled.length) throw new Error(`Only ${passes} passes: no whole resync`)
    const calls = fleet.machines.calls.filter(({ call }) => call !== 'list').length
    return [
      countRow('machine calls but for looks at all, resync of 10,000', calls, passes),
      countRow('store writes, resync of 10,000', fleet.client.commits, passes),
    ]
  } finally {
    await fleet.crash()
  }
}

const passesOf = (fleet: Fleet): number => fleet.manager?.stats()['sprite']?.reconciles ?? 0

const countRow = (what: string, count: number, passes: number): Row => ({
  what,
  ours: String(count),
  divisor: `${passes} passes`,
  ratio: count / passes,
  aim: { ratio: 0, atMost: true },
})
