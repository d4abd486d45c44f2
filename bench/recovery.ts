/** From the start over 10,000 converged sprites to the first call for the one that is not, beside a bare read of the store. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { resourceName } from '../controller/api/define-kind.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createFakeMachines } from '../controller/providers/fake/fake-machines.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { openDatabase } from '../controller/store/database.ts'
import { openEmbeddedStore } from '../controller/store/embedded.ts'
import type { Mutation, StoreRecord } from '../controller/store/store.ts'
import { withRevision } from '../controller/store/with-revision.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { openFirestoreWorld } from './firestore-world.ts'
import type { Row } from './table.ts'
import { CONTROL_PLANE, openWorld } from './world.ts'

const TENANTS = 50
const SPRITES_EACH = 200
const ROUNDS = 3
/** Nobody waits longer for the call. */
const PATIENCE_MS = 60_000
const BATCH = 500
const TEMPLATE = { tenant: 'template-tenant', sprite: 'template-sprite' }

/** A row: best of three starts and best of three bare reads, in turns. */
export async function benchRecovery(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-recovery-'))
  try {
    const records = fleetOf(await templateRecords())
    const best = { ours: Infinity, bare: Infinity }
    for (let round = 0; round < ROUNDS; round++) {
      const path = join(folder, `store-${round}.db`)
      await fill(path, records)
      best.bare = Math.min(best.bare, bareMs(path))
      best.ours = Math.min(best.ours, await recoveryMs(path))
    }
    return [
      {
        what: `start over ${TENANTS * SPRITES_EACH} sprites -> first machine call`,
        ours: `${best.ours.toFixed(0)} ms`,
        divisor: `reading and parsing the store ${best.bare.toFixed(0)} ms`,
        ratio: best.ours / best.bare,
        aim: { ratio: 2, atMost: true },
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What a control plane has stored of one tenant with one sprite that is asleep, and of no tenant. */
async function templateRecords(): Promise<readonly StoreRecord[]> {
  const world = await openFirestoreWorld()
  try {
    const spec = { displayName: 'Template', plan: 'enterprise', config: {}, brand: {}, suspend: false }
    await world.settled(world.client.create(tenantKind, { metadata: { name: TEMPLATE.tenant }, spec }))
    await world.run(10)
    const metadata = { name: TEMPLATE.sprite, namespace: TEMPLATE.tenant }
    const asked = { agentType: 'copywriter', runPolicy: 'OnDemand' as const }
    await world.settled(world.client.create(spriteKind, { metadata, spec: asked }))
    await world.run(300)
    const pages = await Promise.all(
      [...CORE_RESOURCES, ...RESOURCES].map((resource) => world.store.list(resourceName(resource), { mayLag: true })),
    )
    return pages.flatMap(({ records }) => records).filter(({ collection }) => collection !== 'events')
  } finally {
    await world.close()
  }
}

/** The records of the whole fleet; one sprite is to run always, and has not heard of it yet. */
function fleetOf(template: readonly StoreRecord[]): readonly StoreRecord[] {
  const ofTenant = (record: StoreRecord): boolean =>
    record.namespace === TEMPLATE.tenant || record.name === TEMPLATE.tenant
  const global = template.filter((record) => !ofTenant(record))
  const tenants = Array.from({ length: TENANTS }, (_, at) => {
    const own = template.filter(ofTenant).map((record) => renamed(record, TEMPLATE.tenant, `tenant-${at}`))
    return own.flatMap((record) =>
      record.name === TEMPLATE.sprite
        ? Array.from({ length: SPRITES_EACH }, (_unused, index) => {
            const name = `sprite-${index}`
            return withUid(renamed(record, TEMPLATE.sprite, name), `${at}-${index}`)
          })
        : [{ ...record, value: record.value.replace('"declared":1', `"declared":${SPRITES_EACH}`) }],
    )
  })
  const fleet = [...global, ...tenants.flat()]
  const changed = fleet.findIndex(({ namespace, name }) => namespace === 'tenant-25' && name === 'sprite-100')
  return fleet.map((record, at) => (at === changed ? { ...record, value: changedText(record.value) } : record))
}

/** As somebody left it who changed the spec while no controller ran. */
const changedText = (text: string): string =>
  text.replace('"OnDemand"', '"Always"').replace('"generation":1', '"generation":2')

const renamed = (record: StoreRecord, from: string, to: string): StoreRecord => ({
  ...record,
  namespace: record.namespace === from ? to : record.namespace,
  name: record.name === from ? to : record.name,
  value: record.value.replaceAll(from, to),
})

/** The own uid alone is another one: those of owners stay, which nobody looks up by more than name and uid. */
const withUid = (record: StoreRecord, suffix: string): StoreRecord => ({
  ...record,
  value: record.value.replace(/"uid":"([^"]+)"/, (_all, uid: string) => `"uid":"${uid.slice(0, 24)}${suffix}"`),
})

async function fill(path: string, records: readonly StoreRecord[]): Promise<void> {
  const database = openDatabase(path)
  const store = openEmbeddedStore({ database })
  for (let at = 0; at < records.length; at += BATCH)
    await store.commit(
      records.slice(at, at + BATCH).map(({ collection, namespace, name, value }): Mutation => ({
        type: 'Put',
        key: { collection, namespace, name },
        expectedRevision: 0,
        value: (revision) => withRevision(value, revision),
      })),
    )
  await store.close()
  database.close()
}

/** What nobody can do without: each record out of the file, and its text read. */
function bareMs(path: string): number {
  const startedAt = realClock.monotonic()
  const database = new DatabaseSync(path)
  let count = 0
  for (const row of database.prepare('SELECT * FROM store_records').all())
    if (JSON.parse(String(row['value'])) !== undefined) count += 1
  database.close()
  if (count < TENANTS * SPRITES_EACH) throw new Error(`Only ${count} records were read`)
  return realClock.monotonic() - startedAt
}

async function recoveryMs(path: string): Promise<number> {
  const machines = createFakeMachines({
    clock: realClock,
    entropy: realEntropy,
    controlPlaneId: CONTROL_PLANE,
    steps: { min: 0, max: 0 },
  })
  const called = Promise.withResolvers<number>()
  const giveUp = realClock.after(PATIENCE_MS, () => called.reject(new Error('No machine was asked for')))
  const startedAt = realClock.monotonic()
  machines.onTransition(() => called.resolve(realClock.monotonic() - startedAt))
  const world = await openWorld(path, () => machines, true)
  try {
    return await called.promise
  } finally {
    giveUp()
    await world.close()
  }
}
