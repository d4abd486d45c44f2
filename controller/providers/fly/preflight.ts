/** Asks Fly, before work begins, whether token, organization, regions, room and clock are as they must be. */
import { z } from 'zod'
import type { Clock } from '../../../system/clock.ts'
import { silentLog } from '../../../system/log.ts'
import { check, type Check } from '../check.ts'
import { ProviderError } from '../machines.ts'
import { createCircuitBreaker } from './breaker.ts'
import type { FlyAction } from './classify.ts'
import { createFlyHttp, type FlyHttp } from './http.ts'
import { isSharedApp } from './machine-config.ts'
import { unpaced } from './pace.ts'

/** What is to hold. */
export type PreflightOptions = {
  readonly baseUrl: string
  readonly token: string
  readonly orgSlug: string
  readonly appTemplate: string
  readonly regions: readonly string[]
  readonly clock: Clock
  /** Sprites that all tenants together may run at once; absent where it is not known. */
  readonly plannedSprites?: number | undefined
  readonly fetch?: typeof globalThis.fetch
}

const REQUEST_TIMEOUT_MS = 4_000
/** OIDC tokens of machines and the windows of macaroons bear no more. */
const SKEW_MS_MAX = 30_000
const NEW_TOKEN = 'make one with `fly tokens create org` and set FLY_API_TOKEN'

/** Six checks, each one request at most. Never rejects. */
export async function flyPreflight(options: PreflightOptions): Promise<readonly Check[]> {
  const dates: { readonly serverMs: number; readonly ownMs: number }[] = []
  const http = listeningHttp(options, dates)
  const token = await attempt('token', options, () => tokenCheck(http, options))
  // A refused token fails all that follows: one line says it.
  if (token.level === 'fail') return [token, clockCheck(dates)]
  const rest = await Promise.all([
    attempt('organization', options, () => organizationCheck(http, options)),
    attempt('regions', options, () => regionsCheck(http, options)),
    attempt('placements', options, () => placementsCheck(http, options)),
  ])
  return [token, ...rest, clockCheck(dates)]
}

/** Notes what time it is at Fly with each answer. */
function listeningHttp(options: PreflightOptions, dates: { serverMs: number; ownMs: number }[]): FlyHttp {
  const { clock, baseUrl, token } = options
  const fetch = options.fetch ?? globalThis.fetch
  return createFlyHttp({
    baseUrl,
    token,
    clock,
    log: silentLog,
    pace: unpaced,
    breaker: createCircuitBreaker(clock),
    isFresh: () => false,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      const serverMs = Date.parse(response.headers.get('date') ?? '')
      if (!Number.isNaN(serverMs)) dates.push({ serverMs, ownMs: clock.now() })
      return response
    },
  })
}

const FLY_URL = 'https://api.machines.dev'
/** What would help where nobody answers: the address first, if it is not Fly's own. */
const unanswered = ({ baseUrl }: PreflightOptions): string =>
  baseUrl.replace(/\/+$/, '') === FLY_URL
    ? 'look at https://status.flyio.net'
    : `check FLY_FLAPS_BASE_URL, which is "${baseUrl}"`

async function attempt(name: string, options: PreflightOptions, look: () => Promise<Check>): Promise<Check> {
  try {
    return await look()
  } catch (error) {
    const isRefused = error instanceof ProviderError && error.reason === 'CredentialsInvalid'
    // That the circuit is open from now on is of no interest to who asks once.
    const first = error instanceof ProviderError && error.cause instanceof ProviderError ? error.cause : error
    const text = first instanceof Error ? first.message : String(first)
    if (name === 'token') return check(name, 'fail', text, isRefused ? NEW_TOKEN : unanswered(options))
    return check(name, 'warn', text, isRefused ? NEW_TOKEN : 'try again')
  }
}

const ask = async (http: FlyHttp, action: FlyAction, call: { path: string; body?: object }): Promise<unknown> => {
  const { path, body } = call
  const reply = await http({ action, method: body ? 'POST' : 'GET', path, app: 'Fly', ...(body ? { body } : {}) })
  return reply.json
}

const tokensSchema = z.object({
  tokens: z.array(
    z.object({
      org_slug: z.string().nullish(),
      organization: z.string().nullish(),
      apps: z.array(z.unknown()).nullish(),
      restricted_to_machine: z.unknown().optional(),
    }),
  ),
})

async function tokenCheck(http: FlyHttp, { orgSlug, appTemplate }: PreflightOptions): Promise<Check> {
  const read = tokensSchema.safeParse(await ask(http, 'currentToken', { path: '/v1/tokens/current' }))
  if (!read.success) return check('token', 'warn', 'Fly takes the token, but does not say what it is for')
  const { tokens } = read.data
  const own = tokens.filter((one) => (one.org_slug ?? one.organization ?? orgSlug) === orgSlug)
  const others = [...new Set(tokens.map((one) => one.org_slug ?? one.organization ?? '?'))].join(', ')
  if (own.length === 0) return check('token', 'fail', `is for "${others}", not for "${orgSlug}"`, NEW_TOKEN)
  const isOfApps = own.every((one) => (one.apps ?? []).length > 0)
  if (!isOfApps) return check('token', 'ok', `is good for organization "${orgSlug}"`)
  if (isSharedApp(appTemplate)) return check('token', 'ok', `is good for single apps of "${orgSlug}"`)
  return check('token', 'fail', `is for single apps: "${appTemplate}" needs one that makes apps`, NEW_TOKEN)
}

async function organizationCheck(http: FlyHttp, { orgSlug }: PreflightOptions): Promise<Check> {
  const path = `/v1/apps?org_slug=${encodeURIComponent(orgSlug)}`
  const read = z.object({ total_apps: z.number() }).safeParse(await ask(http, 'listApps', { path }))
  if (!read.success) return check('organization', 'warn', `"${orgSlug}" answers what cannot be read`)
  return check(
    'organization',
    'ok',
    `"${orgSlug}" has ${read.data.total_apps} ${read.data.total_apps === 1 ? 'app' : 'apps'}`,
  )
}

const regionRows = z.array(z.object({ code: z.string(), deprecated: z.boolean().nullish() }))
/** Real answers spell it with a capital, the document without. */
const regionsSchema = z.union([
  z.object({ Regions: regionRows }).transform((one) => one.Regions),
  z.object({ regions: regionRows }).transform((one) => one.regions),
])

/** Codes have three letters; aliases (any, us, eu) that Fly knows are not in the list. */
const ALIASES: ReadonlySet<string> = new Set(['any', 'us', 'eu', 'sa', 'af', 'apac', 'na'])

async function regionsCheck(http: FlyHttp, { regions }: PreflightOptions): Promise<Check> {
  const read = regionsSchema.safeParse(await ask(http, 'listRegions', { path: '/v1/platform/regions' }))
  if (!read.success) return check('regions', 'warn', 'Fly’s list of regions cannot be read')
  const open = new Set(read.data.filter((row) => row.deprecated !== true).map((row) => row.code))
  const unknown = regions.filter((region) => !open.has(region) && !ALIASES.has(region))
  if (unknown.length === 0) return check('regions', 'ok', `${regions.join(', ')}: all are there`)
  const known = [...open].sort().join(', ')
  const level = unknown.length === regions.length ? 'fail' : 'warn'
  return check('regions', level, `${unknown.join(', ')}: not there`, `set FLY_REGIONS to some of ${known}`)
}

const placementsSchema = z.object({
  regions: z.array(z.object({ region: z.string(), count: z.number().nullish(), concurrency: z.number().nullish() })),
})

/** Count 0 asks for the organization's own limit in each region. */
async function placementsCheck(http: FlyHttp, options: PreflightOptions): Promise<Check> {
  const { orgSlug, regions, plannedSprites } = options
  const body = { org_slug: orgSlug, region: regions.join(','), count: 0 }
  const read = placementsSchema.safeParse(await ask(http, 'placements', { path: '/v1/platform/placements', body }))
  if (!read.success) return check('placements', 'warn', 'Fly does not say how many machines there may be')
  const ceiling = read.data.regions.reduce((sum, row) => sum + (row.count ?? row.concurrency ?? 0), 0)
  const room = `Fly has room for ${ceiling} machines in ${regions.join(', ')}`
  if (plannedSprites === undefined) return check('placements', 'ok', room)
  const both = `${room}; the plans of all tenants allow ${plannedSprites}`
  return ceiling >= plannedSprites
    ? check('placements', 'ok', both)
    : check('placements', 'warn', both, 'name more FLY_REGIONS, ask Fly for a higher limit, or lower the plans')
}

function clockCheck(dates: readonly { readonly serverMs: number; readonly ownMs: number }[]): Check {
  const skews = dates.map(({ serverMs, ownMs }) => Math.abs(ownMs - serverMs))
  if (skews.length === 0) return check('clock', 'warn', 'nobody said what time it is')
  // The header has whole seconds; the least skew seen is nearest to the truth.
  const seconds = Math.round(Math.min(...skews) / 1_000)
  return seconds * 1_000 <= SKEW_MS_MAX
    ? check('clock', 'ok', `within ${seconds} s of Fly’s`)
    : check(
        'clock',
        'fail',
        `${seconds} s off Fly’s: tokens will not be taken`,
        'synchronize it, for example with chrony',
      )
}
