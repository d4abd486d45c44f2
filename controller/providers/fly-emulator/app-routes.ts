/** The emulator's apps, organization feed and token preflight. */
import { randomHex } from '../../../system/entropy.ts'
import { parseTimestamp } from '../../../system/timestamp.ts'
import type { EmulatedApp, EmulatedMachine } from './model.ts'
import { createAppSchema, readBody } from './request-body.ts'
import { appOf, machinesOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, appJson, feedRow, refusalAnswer, type Answer } from './wire.ts'

/** Routes of apps, feed and token. */
export const APP_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/apps', action: 'createApp', run: createApp },
  { method: 'GET', path: '/apps', action: 'listApps', run: listApps },
  { method: 'GET', path: '/apps/:app', action: 'getApp', run: getApp },
  { method: 'DELETE', path: '/apps/:app', action: 'deleteApp', run: deleteApp },
  { method: 'GET', path: '/orgs/:org/machines', action: 'listOrgMachines', run: listOrgMachines },
  { method: 'GET', path: '/tokens/current', action: 'currentToken', run: currentToken },
]

const FEED_ROWS_MAX = 1_000

function createApp(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(createAppSchema, request.body)
  if (!body.ok) return body.refusal
  const { name, orgSlug, network } = body.value
  if (!/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/.test(name))
    return refusalAnswer(422, `Validation failed: Name "${name}" is invalid`)
  if (context.records.apps.has(name))
    return refusalAnswer(422, 'Validation failed: Name has already been taken', 'name_taken')
  const app: EmulatedApp = {
    id: randomHex(context.entropy, 8),
    name,
    orgSlug,
    network: network ?? 'default',
    createdAtMs: context.clock.now(),
  }
  context.records.putApp(app)
  const affinity = `fly_flaps_affinity=emulator; Path=/v1/apps/${name}`
  return { status: 201, body: { id: app.id, created_at: app.createdAtMs }, headers: { 'set-cookie': affinity } }
}

function listApps(context: RouteContext, request: RouteRequest): Answer {
  const org = request.query.get('org_slug')
  const apps = [...context.records.apps.values()].filter((app) => org === null || app.orgSlug === org)
  const rows = apps.map((app) => appJson(app, live(machinesOf(context, app.name)).length))
  return answer({ total_apps: rows.length, apps: rows })
}

function getApp(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return refusalAnswer(404, 'not_found: app not found')
  return answer(appJson(app, live(machinesOf(context, app.name)).length))
}

function deleteApp(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return refusalAnswer(404, 'not_found: app not found')
  for (const machine of machinesOf(context, app.name)) context.world.forget(machine.id)
  context.records.removeApp(app.name)
  return { status: 202 }
}

function listOrgMachines(context: RouteContext, request: RouteRequest): Answer {
  const { query, org } = request
  const limit = Math.min(FEED_ROWS_MAX, Math.max(1, Number(query.get('limit') ?? FEED_ROWS_MAX) || FEED_ROWS_MAX))
  const since = parseTimestamp(query.get('updated_after') ?? undefined) ?? -1
  const after = query.get('cursor') ?? ''
  const apps = new Set([...context.records.apps.values()].filter((app) => app.orgSlug === org).map((app) => app.name))
  const rows = [...context.records.machines.values()]
    .filter((machine) => apps.has(machine.app) && machine.updatedAtMs > since)
    .filter((machine) => query.get('include_deleted') === 'true' || machine.state !== 'destroyed')
    .filter((machine) => query.get('state')?.split(',').includes(machine.state) ?? true)
    .filter((machine) => query.get('region') === null || machine.region === query.get('region'))
    .map((machine) => ({ machine, at: feedKey(machine) }))
    .filter((row) => row.at > after)
    .sort((a, b) => (a.at < b.at ? -1 : 1))
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return answer({
    machines: page.map((row) => feedRow(row.machine)),
    next_cursor: rows.length > page.length && last ? last.at : '',
    last_machine_id: last?.machine.id ?? '',
    error_regions: [],
  })
}

function currentToken(context: RouteContext): Answer {
  const organization = context.orgSlug
  return answer({ tokens: [{ org_slug: organization, organization, apps: [], user: '', token_id: 'emulator' }] })
}

const live = (machines: readonly EmulatedMachine[]): EmulatedMachine[] =>
  machines.filter((machine) => machine.state !== 'destroyed')

/** Sorts by time, then id. */
const feedKey = (machine: EmulatedMachine): string => `${String(machine.updatedAtMs).padStart(15, '0')}|${machine.id}`
