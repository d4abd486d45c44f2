/** What lies in the store of a control plane with 10,000 converged sprites, and one that is not. */
import { resourceName } from '../controller/api/define-kind.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import type { StoreRecord } from '../controller/store/store.ts'
import { openFirestoreWorld } from './firestore-world.ts'

const TENANTS = 50
const SPRITES_EACH = 200
/** Sprites of all tenants together. */
export const SPRITES = TENANTS * SPRITES_EACH
/** Whose sprite is to run and does not yet. */
export const CHANGED_TENANT = 'tenant-25'
const TEMPLATE = { tenant: 'template-tenant', sprite: 'template-sprite' }

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
export async function fleetRecords(): Promise<readonly StoreRecord[]> {
  return fleetOf(await templateRecords())
}

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
  const changed = fleet.findIndex(({ namespace, name }) => namespace === CHANGED_TENANT && name === 'sprite-100')
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
