/** The emulator's organization feed, regions, placements, volumes' short list, and tokens that ask who they are. */
import { z } from 'zod'
import { microTimestamp, parseTimestamp } from '../../../system/timestamp.ts'
import { feedKey, feedPage } from './feed.ts'
import { isTrue, isWanted } from './machine-routes.ts'
import { NEAREST, REGIONS, regionsOf } from './regions.ts'
import { readBody } from './request-body.ts'
import type { Route, RouteContext, RouteRequest } from './routes.ts'
import { answer, feedRow, refusalAnswer, type Answer } from './wire.ts'

/** Routes of the organization and the platform. */
export const PLATFORM_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/orgs/:org/machines', action: 'listOrgMachines', run: listOrgMachines },
  { method: 'GET', path: '/platform/regions', action: 'listRegions', run: listRegions },
  { method: 'POST', path: '/platform/placements', action: 'placements', run: placements },
  { method: 'GET', path: '/tokens/current', action: 'currentToken', run: currentToken },
  { method: 'POST', path: '/tokens/oidc', action: 'oidcToken', run: oidcToken },
]

const FEED_ROWS_MAX = 1_000

function listOrgMachines(context: RouteContext, request: RouteRequest): Answer {
  const { query, org } = request
  const { caller, records, world, entropy, feed } = context
  if ((caller.orgSlug ?? org) !== org || caller.apps)
    return refusalAnswer(403, `unauthorized: not allowed to list machines of organization "${org}"`)
  const limit = Math.min(FEED_ROWS_MAX, Math.max(1, Number(query.get('limit') ?? FEED_ROWS_MAX) || FEED_ROWS_MAX))
  const updatedAfter = query.get('updated_after')
  const sinceMs = parseTimestamp(updatedAfter ?? undefined)
  if (updatedAfter !== null && sinceMs === undefined)
    return refusalAnswer(400, `invalid_argument: updated_after must be RFC 3339, got "${updatedAfter}"`)
  const isOfOrg = ({ app }: { readonly app: string }): boolean => records.apps.get(app)?.orgSlug === org
  const rows = world
    .seenAmong([...records.machines.values()].filter(isOfOrg), isOfOrg)
    .filter((machine) => machine.updatedAtMs > (sinceMs ?? -1) && isWanted(machine, query))
    .map((machine) => ({ key: feedKey(machine.updatedAtMs, machine.id), region: machine.region, row: machine }))
  const page = feedPage(
    rows,
    { cursor: query.get('cursor') ?? '', limit },
    { oddities: feed, draw: () => entropy.random() },
  )
  const last = page.rows.at(-1)?.row
  const summary = query.has('summary') && isTrue(query.get('summary'))
  return answer({
    machines: page.rows.map(({ row }) => feedRow(row, { summary })),
    next_cursor: page.cursor,
    last_machine_id: last?.id ?? '',
    ...(last ? { last_updated_at: microTimestamp(last.updatedAtMs) } : {}),
    error_regions: feed.errorRegions,
  })
}

/** Spelt as the live service does, not as its description says. */
function listRegions(): Answer {
  const rows = REGIONS.map((region) => ({
    ...region,
    gateway_available: true,
    requires_paid_plan: false,
    deprecated: false,
  }))
  return answer({ Regions: rows, Nearest: NEAREST })
}

const placementsSchema = z.object({
  org_slug: z.string().min(1),
  region: z.string().max(256).nullish(),
  count: z.int().min(0).max(100_000).nullish(),
})

/** What a region takes where no rule limits it. */
const ROOM_DEFAULT = 1_000

function placements(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(placementsSchema, request.body)
  if (!body.ok) return body.refusal
  const { org_slug: org, region, count } = body.value
  if ((context.caller.orgSlug ?? org) !== org) return refusalAnswer(403, 'unauthorized')
  const wanted = count ?? 0
  let left = wanted
  const regions = regionsOf(region || 'any').map((code) => {
    const room = context.placement.roomIn(code) ?? ROOM_DEFAULT
    const taken = wanted === 0 ? room : Math.min(room, left)
    left -= wanted === 0 ? 0 : taken
    return { region: code, count: taken, concurrency: room }
  })
  if (wanted > 0 && left > 0) return refusalAnswer(422, 'could not find a candidate host', 'insufficient_capacity')
  return answer({ regions: regions.filter((row) => wanted === 0 || row.count > 0) })
}

function currentToken({ caller, orgSlug }: RouteContext): Answer {
  const organization = caller.orgSlug ?? orgSlug
  return answer({
    tokens: [
      {
        org_slug: organization,
        organization,
        apps: caller.apps ?? [],
        user: '',
        token_id: caller.tokenId,
        ...(caller.machine === undefined
          ? {}
          : { restricted_to_machine: caller.machine, source_machine_id: caller.machine }),
      },
    ],
  })
}

const oidcSchema = z.object({ aud: z.string().max(2_000).nullish(), aws_principal_tags: z.boolean().nullish() })

/** Only from inside a machine: a token says who somebody is, not which machine. */
function oidcToken({ caller, world, records, issuer }: RouteContext, request: RouteRequest): Answer {
  const body = readBody(oidcSchema, request.body)
  if (!body.ok) return body.refusal
  const machine = caller.machine === undefined ? undefined : world.machine(caller.machine)
  const app = machine && records.apps.get(machine.app)
  if (!machine || !app) return refusalAnswer(403, 'unauthorized: OIDC tokens are for machines')
  return { status: 200, text: issuer.token(machine, app, body.value.aud || undefined) }
}
