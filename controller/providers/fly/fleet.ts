/** All tenants' machines: by the organization's feed, all or what has changed since a time, or by the one app they share. */
import { parseTimestamp } from '../../../system/timestamp.ts'
import type { FleetAsk, FleetPage, Machine } from '../machines.ts'
import { appPath } from './apps.ts'
import { flyError, isAbsent, type FlyCall } from './http.ts'
import { stampFilter, tenantOf } from './machine-config.ts'
import { fleetRowSchema, fleetSchema, listSchema, machineSchema, toMachine } from './replies.ts'
import { machineOf, remember, type Bounds, type Room } from './room.ts'

const PAGE_ROWS = '1000'

/** One page of it; what is in apps of somebody else's is left out. */
export async function listFleet(room: Room, ask: FleetAsk, bounds: Bounds): Promise<FleetPage> {
  const { orgSlug } = room.options
  const query = new URLSearchParams({
    limit: PAGE_ROWS,
    // Of what has changed the destroyed are told too; all that lives is all that is asked for otherwise.
    ...(ask.sinceMs === undefined
      ? {}
      : { updated_after: new Date(ask.sinceMs).toISOString(), include_deleted: 'true' }),
    ...(ask.cursor === undefined ? {} : { cursor: ask.cursor }),
  })
  const path = `/v1/orgs/${encodeURIComponent(orgSlug)}/machines?${query.toString()}`
  const call: FlyCall = { action: 'listFleet', method: 'GET', path, app: `organization "${orgSlug}"`, ...bounds }
  const reply = await room.http(call)
  const page = fleetSchema.safeParse(reply.json)
  if (!page.success || !Array.isArray(page.data.machines))
    throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const read = page.data.machines.map((row) => readRow(room, row))
  const changedAtMs = latest([
    parseTimestamp(page.data.last_updated_at ?? undefined),
    ...read.map((row) => (typeof row === 'object' ? row.machine.updatedAtMs : undefined)),
  ])
  const { next_cursor: next, error_regions: errors } = page.data
  return {
    rows: read.filter((row) => typeof row === 'object'),
    complete: reply.status === 200 && (errors ?? []).length === 0 && !read.includes('unreadable'),
    ...(next ? { next } : {}),
    ...(changedAtMs === undefined ? {} : { changedAtMs }),
  }
}

/** All of ours in an app that tenants share: one list, which tells no changes. What is not proven ours is left out. */
export async function listSharedApp(room: Room, bounds: Bounds): Promise<FleetPage> {
  const { appTemplate, controlPlaneId } = room.options
  const path = `${appPath(appTemplate)}/machines?${stampFilter(controlPlaneId).toString()}`
  const call: FlyCall = { action: 'list', method: 'GET', path, app: appTemplate, tolerate: [404], ...bounds }
  const reply = await room.http(call)
  if (isAbsent(call, reply)) {
    room.apps.forget(appTemplate)
    return { rows: [], complete: !room.apps.isFresh(appTemplate) }
  }
  const list = listSchema.safeParse(reply.json)
  if (!list.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const parsed = list.data.map((row) => machineSchema.safeParse(row))
  const rows = parsed.flatMap((row) => {
    const machine = row.success ? machineOf(room, row.data, appTemplate) : undefined
    const isLive = machine !== undefined && machine.state !== 'destroyed' && remember(room, machine)
    return isLive && machine.owner !== undefined ? [{ tenant: machine.owner.tenant, machine }] : []
  })
  return { rows, complete: reply.status === 200 && parsed.every((row) => row.success) }
}

type Row = FleetPage['rows'][number]

function readRow({ options }: Room, raw: unknown): Row | 'foreign' | 'unreadable' {
  const place = fleetRowSchema.safeParse(raw)
  if (!place.success) return 'unreadable'
  const app = place.data.app_name
  const tenant = tenantOf(options.appTemplate, app)
  if (tenant === undefined) return 'foreign'
  const row = machineSchema.safeParse(raw)
  if (!row.success) return 'unreadable'
  return { tenant, machine: ofTenant(toMachine(row.data, { app, controlPlaneId: options.controlPlaneId }), tenant) }
}

/** A workload can rewrite its metadata: a stamp for another tenant than the app's is none. */
function ofTenant(machine: Machine, tenant: string): Machine {
  if (machine.owner === undefined || machine.owner.tenant === tenant) return machine
  const { owner: _forged, ...rest } = machine
  return rest
}

const latest = (times: readonly (number | undefined)[]): number | undefined => {
  const known = times.filter((time) => time !== undefined && time > 0)
  return known.length === 0 ? undefined : Math.max(...(known as number[])) /* undefined is filtered out */
}
