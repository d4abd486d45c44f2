/** The emulator's apps: made, shown, listed, deleted with all that is in them, and given tokens of their own. */
import { z } from 'zod'
import { randomHex } from '../../../system/entropy.ts'
import { durationMs } from './durations.ts'
import { drawnMs } from './latency.ts'
import type { EmulatedApp, EmulatedMachine } from './model.ts'
import { createAppSchema, readBody } from './request-body.ts'
import { APP_NOT_FOUND, appOf, seenMachines, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, appJson, refusalAnswer, type Answer } from './wire.ts'

/** Routes of apps. */
export const APP_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/apps', action: 'createApp', run: createApp },
  { method: 'GET', path: '/apps', action: 'listApps', run: listApps },
  { method: 'GET', path: '/apps/:app', action: 'getApp', run: getApp },
  { method: 'DELETE', path: '/apps/:app', action: 'deleteApp', run: deleteApp },
  { method: 'POST', path: '/apps/:app/deploy_token', action: 'createDeployToken', run: createDeployToken },
]

function createApp(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(createAppSchema, request.body)
  if (!body.ok) return body.refusal
  const { name, orgSlug, network, idempotencyKey } = body.value
  const { caller, records, clock, entropy } = context
  if (caller.orgSlug !== undefined && caller.orgSlug !== orgSlug)
    return refusalAnswer(403, `unauthorized: not allowed to create apps in organization "${orgSlug}"`)
  if (!/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/.test(name))
    return refusalAnswer(422, `Validation failed: Name "${name}" is invalid`)
  const other = records.apps.get(name)
  if (other && idempotencyKey !== undefined && other.idempotencyKey === idempotencyKey) return created(other)
  if (other)
    return refusalAnswer(context.quirks.appNameTaken, 'Validation failed: Name has already been taken', 'name_taken')
  const isKeyUsed =
    idempotencyKey !== undefined && [...records.apps.values()].some((app) => app.idempotencyKey === idempotencyKey)
  if (isKeyUsed) return refusalAnswer(422, 'Validation failed: idempotency_key was used for another app')
  const app: EmulatedApp = {
    id: randomHex(entropy, 8),
    name,
    orgSlug,
    network: network ?? 'default',
    createdAtMs: clock.now(),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...unseenFor(context),
  }
  records.putApp(app)
  return created(app)
}

function created(app: EmulatedApp): Answer {
  const affinity = `fly_flaps_affinity=emulator; Path=/v1/apps/${app.name}`
  return { status: 201, body: { id: app.id, created_at: app.createdAtMs }, headers: { 'set-cookie': affinity } }
}

/** For how long not every node knows the app, and what those say that do not. */
function unseenFor({ world, clock, entropy }: RouteContext): Pick<EmulatedApp, 'unseen'> {
  const forMs = drawnMs(world.latency.appUnseen, () => entropy.random())
  if (forMs === 0) return {}
  return { unseen: { untilMs: clock.now() + forMs, status: entropy.random() < 0.5 ? 401 : 404 } }
}

function listApps(context: RouteContext, request: RouteRequest): Answer {
  const org = request.query.get('org_slug')
  const { orgSlug, apps: own } = context.caller
  const rows = [...context.records.apps.values()]
    .filter((app) => org === null || app.orgSlug === org)
    .filter((app) => (orgSlug ?? app.orgSlug) === app.orgSlug && (own?.includes(app.name) ?? true))
    .map((app) => appJson(app, live(seenMachines(context, app.name)).length))
  return answer({ total_apps: rows.length, apps: rows })
}

function getApp(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  return answer(appJson(app, live(seenMachines(context, app.name)).length))
}

function deleteApp(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  for (const machine of context.records.machinesOf(app.name)) context.world.forget(machine.id)
  context.records.removeApp(app.name)
  return { status: 202 }
}

/** As long as the live service's: a caller that names no expiry has a token for twenty years. */
const TOKEN_MS_DEFAULT = 20 * 365 * 86_400_000

const expirySchema = z.object({ expiry: z.string().max(64).optional() })

function createDeployToken(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const body = readBody(expirySchema, request.body)
  if (!body.ok) return body.refusal
  const { expiry } = body.value
  const forMs = expiry === undefined || expiry === '' ? TOKEN_MS_DEFAULT : durationMs(expiry)
  if (forMs === undefined || forMs === 0)
    return refusalAnswer(400, `invalid_argument: expiry: time: invalid duration "${expiry ?? ''}"`)
  return answer({ token: context.tokens.mint(app, context.clock.now() + forMs) })
}

const live = (machines: readonly EmulatedMachine[]): EmulatedMachine[] =>
  machines.filter((machine) => machine.state !== 'destroyed')
