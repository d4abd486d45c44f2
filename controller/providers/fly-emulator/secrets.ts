/** The emulator's secrets of apps: set together or one by one, shown by digest, versioned, and given to machines at boot. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { microTimestamp } from '../../../system/timestamp.ts'
import { drawnMs } from './latency.ts'
import type { EmulatedApp, EmulatedMachine, EmulatedSecret } from './model.ts'
import { readBody } from './request-body.ts'
import { APP_NOT_FOUND, appOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'

/** Routes of secrets. */
export const SECRET_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/apps/:app/secrets', action: 'listSecrets', run: listSecrets },
  { method: 'POST', path: '/apps/:app/secrets', action: 'updateSecrets', run: updateSecrets },
  { method: 'GET', path: '/apps/:app/secrets/:key', action: 'getSecret', run: getSecret },
  { method: 'POST', path: '/apps/:app/secrets/:key', action: 'setSecret', run: setSecret },
  { method: 'DELETE', path: '/apps/:app/secrets/:key', action: 'deleteSecret', run: deleteSecret },
]

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/
const SECRETS_MAX = 1_000
const valueSchema = z.string().max(65_536)
const bulkSchema = z.object({ values: z.record(z.string().regex(NAME, 'invalid secret name'), valueSchema.nullable()) })
const oneSchema = z.object({ value: valueSchema })

/** The refusal of a machine that wants secrets of a version that there is not yet. */
export function secretsRefusal(app: EmulatedApp, minVersion: number | undefined): Answer | undefined {
  const version = app.secretsVersion ?? 0
  if (minVersion === undefined || minVersion <= version) return undefined
  return refusalAnswer(412, `failed_precondition: secrets version ${minVersion} is not available, have ${version}`)
}

/** The secrets that a process of the machine gets when it is started now, by the name of the variable. */
export function secretsFor(app: EmulatedApp, machine: EmulatedMachine, nowMs: number): Record<string, string> {
  const isStale = app.staleSecrets !== undefined && app.staleSecrets.untilMs > nowMs
  const current = app.secrets ?? []
  const given =
    isStale && (machine.minSecretsVersion ?? 0) < (app.secretsVersion ?? 0) ? app.staleSecrets.secrets : current
  const values = new Map(given.map((secret) => [secret.name, secret.value]))
  const process = processSchema.safeParse(machine.config['processes']).data?.[0]
  const named = (process?.secrets ?? []).flatMap(({ env_var: variable, name }): [string, string][] => {
    const value = values.get(name ?? variable)
    return value === undefined ? [] : [[variable, value]]
  })
  const isAll = machine.skipsSecrets !== true && process?.ignore_app_secrets !== true
  return Object.fromEntries([...(isAll ? values : []), ...named])
}

const processSchema = z.array(
  z.object({
    ignore_app_secrets: z.boolean().optional(),
    secrets: z.array(z.object({ env_var: z.string(), name: z.string().optional() })).optional(),
  }),
)

function listSecrets(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const refusal = staleRefusal(app, request)
  if (refusal) return refusal
  const isShown = request.query.get('show_secrets') === 'true'
  return answer({
    secrets: (app.secrets ?? []).map((one) => secretJson(one, isShown)),
    version: app.secretsVersion ?? 0,
  })
}

function getSecret(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const refusal = staleRefusal(app, request)
  if (refusal) return refusal
  const secret = app.secrets?.find((one) => one.name === request.key)
  const isShown = request.query.get('show_secrets') === 'true'
  return secret ? answer(secretJson(secret, isShown)) : refusalAnswer(404, 'not_found: secret not found')
}

const staleRefusal = (app: EmulatedApp, { query }: RouteRequest): Answer | undefined =>
  secretsRefusal(app, query.has('min_version') ? Number(query.get('min_version')) : undefined)

function updateSecrets(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const body = readBody(bulkSchema, request.body)
  if (!body.ok) return body.refusal
  const after = store(context, app, new Map(Object.entries(body.value.values)))
  if ('status' in after) return after
  return answer({ ...versionJson(after), secrets: (after.secrets ?? []).map((one) => secretJson(one, false)) })
}

function setSecret(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  if (!NAME.test(request.key)) return refusalAnswer(400, `invalid_argument: invalid secret name "${request.key}"`)
  const body = readBody(oneSchema, request.body)
  if (!body.ok) return body.refusal
  const after = store(context, app, new Map([[request.key, body.value.value]]))
  if ('status' in after) return after
  const secret = after.secrets?.find((one) => one.name === request.key)
  return answer({ ...(secret ? secretJson(secret, false) : {}), ...versionJson(after) }, 201)
}

function deleteSecret(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  if (!app.secrets?.some((one) => one.name === request.key)) return refusalAnswer(404, 'not_found: secret not found')
  const after = store(context, app, new Map([[request.key, null]]))
  return 'status' in after ? after : answer(versionJson(after))
}

/** Machines that run keep what they have until they are started again. */
function store(
  { records, clock, entropy, world }: RouteContext,
  app: EmulatedApp,
  changes: ReadonlyMap<string, string | null>,
): EmulatedApp | Answer {
  const nowMs = clock.now()
  const secrets = new Map((app.secrets ?? []).map((secret) => [secret.name, secret]))
  for (const [name, value] of changes) {
    if (value === null) secrets.delete(name)
    else {
      const createdAtMs = secrets.get(name)?.createdAtMs ?? nowMs
      secrets.set(name, { name, value, digest: digestOf(value), createdAtMs, updatedAtMs: nowMs })
    }
  }
  if (secrets.size > SECRETS_MAX) return refusalAnswer(422, `too many secrets, maximum ${SECRETS_MAX}`)
  const staleMs = drawnMs(world.latency.secretsLag, () => entropy.random())
  const { staleSecrets: _, ...fresh } = app
  const after: EmulatedApp = {
    ...fresh,
    secrets: [...secrets.values()],
    secretsVersion: (app.secretsVersion ?? 0) + 1,
    ...(staleMs === 0 ? {} : { staleSecrets: { untilMs: nowMs + staleMs, secrets: app.secrets ?? [] } }),
  }
  records.putApp(after)
  return after
}

const digestOf = (value: string): string => createHash('sha256').update(value).digest('hex').slice(0, 16)

/** Both spellings, as the live service answers. */
const versionJson = (app: EmulatedApp): object => ({
  Version: app.secretsVersion ?? 0,
  version: app.secretsVersion ?? 0,
})

const secretJson = (secret: EmulatedSecret, isShown: boolean): object => ({
  name: secret.name,
  digest: secret.digest,
  created_at: microTimestamp(secret.createdAtMs),
  updated_at: microTimestamp(secret.updatedAtMs),
  ...(isShown ? { value: secret.value } : {}),
})
