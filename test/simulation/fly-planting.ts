/** Plants in a fleet at Fly what a control plane must not touch, and one machine of its own that belongs to nobody. */
import { createRequest, stampMetadata, type FlyCreateRequest } from '../../controller/providers/fly/machine-config.ts'
import type { OwnerStamp } from '../../controller/providers/machines.ts'

/** Where it is planted. */
export type PlantingGround = {
  readonly send: (path: string, body: object) => Promise<Response>
  readonly pass: (ms: number) => Promise<void>
  readonly appOf: (tenant: string) => string
  /** All tenants' machines are in one app, and others' too. */
  readonly isShared: boolean
  readonly controlPlaneId: string
  readonly image: string
}

const UID = '0a1b2c3d-0000-4000-8000-000000000000'

/** Plants them; gives the ids of what is ours and is to go. */
export async function plantStrangers(ground: PlantingGround): Promise<readonly string[]> {
  const { send, pass, appOf, controlPlaneId } = ground
  const app = appOf('acme')
  await send('/v1/apps', { name: app, org_slug: 'personal', network: app })
  await send('/v1/apps', { name: 'theirs', org_slug: 'personal' })
  const gone = appOf('gone')
  if (gone !== app) await send('/v1/apps', { name: gone, org_slug: 'personal', network: gone })
  // Not every node knows them at once.
  await pass(5_000)
  const owner: OwnerStamp = {
    controlPlane: controlPlaneId,
    tenant: 'acme',
    sprite: 'stray',
    spriteUid: UID,
    incarnation: 1,
    specHash: 'h',
  }
  await plantOne(ground, app, requestOf(ground, 'unstamped', owner), { env: {}, metadata: {} })
  await plantOne(ground, app, requestOf(ground, 'of-another-1', { ...owner, controlPlane: 'another' }))
  await plantOne(ground, 'theirs', requestOf(ground, 'stray-0a1b2c3d-1', owner))
  if (ground.isShared) await plantForged(ground, app, owner)
  return [await plantOne(ground, app, requestOf(ground, 'stray-0a1b2c3d-1', owner))]
}

/** Where others are too, what claims to be ours by its env, its metadata or its name alone is not. */
async function plantForged(ground: PlantingGround, app: string, owner: OwnerStamp): Promise<void> {
  const forgeries: readonly ((config: FlyCreateRequest['config'], of: OwnerStamp) => object)[] = [
    () => ({ metadata: {} }),
    () => ({ env: {} }),
    (_, of) => ({ metadata: stampMetadata({ ...of, controlPlane: 'another' }) }),
    (_, of) => ({ metadata: stampMetadata({ ...of, spriteUid: 'another' }) }),
    (_, of) => ({ metadata: stampMetadata({ ...of, incarnation: of.incarnation + 1 }) }),
    ({ metadata }) => ({ metadata: { ...metadata, highera_managed_by: 'another' } }),
  ]
  for (const [at, forge] of forgeries.entries()) {
    const of = { ...owner, incarnation: at + 2 }
    const request = requestOf(ground, `stray-0a1b2c3d-${at + 2}`, of)
    await plantOne(ground, app, request, forge(request.config, of))
  }
  await plantOne(ground, app, requestOf(ground, 'stray-ffffffff-1', owner))
}

const requestOf = ({ image }: PlantingGround, name: string, owner: OwnerStamp): FlyCreateRequest =>
  createRequest({
    name,
    owner,
    image,
    guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
    regions: ['iad'],
    env: {},
    autoDestroy: false,
    stopTimeoutSeconds: 5,
  })

async function plantOne(
  { send }: PlantingGround,
  app: string,
  request: FlyCreateRequest,
  change: object = {},
): Promise<string> {
  const config = { ...request.config, ...change }
  const response = await send(`/v1/apps/${app}/machines`, { ...request, config })
  const { id } = (await response.json()) as { readonly id: string } // Nothing refuses yet: the faults come later.
  return id
}
