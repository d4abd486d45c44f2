/** The organization's feed: one request for many tenants' machines, or for what has changed since a time. */
import { parseTimestamp } from '../../../system/timestamp.ts'
import type { FleetAsk, FleetPage, Machine } from '../machines.ts'
import { flyError, type FlyCall } from './http.ts'
import { tenantOf } from './machine-config.ts'
import { fleetRowSchema, fleetSchema, machineSchema, toMachine } from './replies.ts'
import type { Bounds, Room } from './room.ts'

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
