/** The emulator's volumes, as far as a client that has none of its own looks at them: made, shown, listed, deleted. */
import { z } from 'zod'
import { randomHex } from '../../../system/entropy.ts'
import { microTimestamp } from '../../../system/timestamp.ts'
import type { EmulatedApp, EmulatedMachine, EmulatedVolume } from './model.ts'
import { NEAREST, regionsOf } from './regions.ts'
import { readBody, regionField } from './request-body.ts'
import { APP_NOT_FOUND, appOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'

/** Routes of volumes. */
export const VOLUME_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/apps/:app/volumes', action: 'listVolumes', run: listVolumes },
  { method: 'POST', path: '/apps/:app/volumes', action: 'createVolume', run: createVolume },
  { method: 'GET', path: '/apps/:app/volumes/:key', action: 'getVolume', run: getVolume },
  { method: 'DELETE', path: '/apps/:app/volumes/:key', action: 'deleteVolume', run: deleteVolume },
]

const VOLUMES_MAX = 1_000
const volumeSchema = z.object({
  name: z.string().regex(/^[a-z0-9_]{1,30}$/, 'invalid volume name'),
  region: regionField,
  size_gb: z.int().min(1).max(500).nullish(),
})

const NOT_FOUND: Answer = { status: 404, body: { error: 'not_found: volume not found' } }

function createVolume(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const body = readBody(volumeSchema, request.body)
  if (!body.ok) return body.refusal
  const region = regionsOf(body.value.region)[0] ?? NEAREST
  const refusal = context.placement.refusal('volume', { app: app.name, region, image: '' })
  if (refusal) return refusalAnswer(refusal.status, refusal.text, refusal.code)
  const volumes = app.volumes ?? []
  if (volumes.length >= VOLUMES_MAX) return refusalAnswer(422, `too many volumes, maximum ${VOLUMES_MAX}`)
  const volume: EmulatedVolume = {
    id: `vol_${randomHex(context.entropy, 8)}`,
    name: body.value.name,
    region,
    sizeGb: body.value.size_gb ?? 3,
    createdAtMs: context.clock.now(),
  }
  context.records.putApp({ ...app, volumes: [...volumes, volume] })
  return answer(volumeJson(volume, context.records.machinesOf(app.name)))
}

function listVolumes(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const machines = context.records.machinesOf(app.name)
  return answer((app.volumes ?? []).map((volume) => volumeJson(volume, machines)))
}

const volumeOf = (app: EmulatedApp | undefined, request: RouteRequest): EmulatedVolume | undefined =>
  app?.volumes?.find((volume) => volume.id === request.key)

function getVolume(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  const volume = volumeOf(app, request)
  return app && volume ? answer(volumeJson(volume, context.records.machinesOf(app.name))) : NOT_FOUND
}

function deleteVolume(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  const volume = volumeOf(app, request)
  if (!app || !volume) return NOT_FOUND
  const holder = mountOf(volume, context.records.machinesOf(app.name))
  if (holder) return refusalAnswer(412, `failed_precondition: volume is claimed by machine ${holder.id}`)
  context.records.putApp({ ...app, volumes: (app.volumes ?? []).filter((other) => other.id !== volume.id) })
  return answer(volumeJson(volume, [], 'pending_destroy'))
}

const mountsSchema = z.array(z.object({ volume: z.string().optional() }))

const mountOf = (volume: EmulatedVolume, machines: readonly EmulatedMachine[]): EmulatedMachine | undefined =>
  machines.find(
    (machine) =>
      machine.state !== 'destroyed' &&
      mountsSchema.safeParse(machine.config['mounts']).data?.some((mount) => mount.volume === volume.id),
  )

function volumeJson(volume: EmulatedVolume, machines: readonly EmulatedMachine[], state = 'created'): object {
  const holder = mountOf(volume, machines)
  return {
    id: volume.id,
    name: volume.name,
    state,
    region: volume.region,
    zone: volume.id.slice(4, 8),
    size_gb: volume.sizeGb,
    encrypted: true,
    fstype: 'ext4',
    ...(holder ? { attached_machine_id: holder.id } : {}),
    snapshot_retention: 5,
    auto_backup_enabled: true,
    host_status: 'ok',
    created_at: microTimestamp(volume.createdAtMs),
  }
}
