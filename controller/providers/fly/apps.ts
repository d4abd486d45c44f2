/** Makes sure that a tenant's app exists, and is ours, before a machine is made in it; removes it when it is empty. */
import type { Clock } from '../../../system/clock.ts'
import { ProviderError } from '../machines.ts'
import { flyError, isAbsent, type FlyCall, type FlyHttp, type FlyReply } from './http.ts'
import { appSchema } from './replies.ts'

/** The apps of our organization, as far as creates and removals need them. */
export interface FlyApps {
  /** Resolves when the app exists and belongs to our organization; NameConflict when another holds the name. */
  ensure(app: string, signal?: AbortSignal): Promise<void>
  /** Deletes the app; one that does not exist is success. */
  remove(app: string, signal?: AbortSignal): Promise<void>
  /** The provider has said that it does not know the app: look again before the next create. */
  forget(app: string): void
  /** True within a minute of our creating it: until then a 404 or a 401 may only mean "not seen everywhere yet". */
  isFresh(app: string): boolean
}

const FRESH_MS = 60_000
const KNOWN_APPS_MAX = 20_000

/** What the apps are asked through. */
export type FlyAppsOptions = { readonly http: FlyHttp; readonly orgSlug: string; readonly clock: Clock }

/** Apps of one organization; what it has seen to exist it does not ask again. */
export function createFlyApps({ http, orgSlug, clock }: FlyAppsOptions): FlyApps {
  const known = new Set<string>()
  const createdAtMs = new Map<string, number>()
  const underWay = new Map<string, Promise<void>>()

  const establish = async (app: string, signal: AbortSignal | undefined): Promise<void> => {
    if (!(await exists({ http, app, orgSlug, signal }))) {
      const isNew = await create({ http, app, orgSlug, signal })
      if (isNew) remember(createdAtMs, app, clock.monotonic())
    }
    if (known.size >= KNOWN_APPS_MAX) known.clear()
    known.add(app)
  }
  return {
    ensure: (app, signal) => {
      if (known.has(app)) return Promise.resolve()
      const running = underWay.get(app)
      if (running) return running
      const started = establish(app, signal).finally(() => underWay.delete(app))
      underWay.set(app, started)
      return started
    },
    remove: async (app, signal) => {
      known.delete(app)
      createdAtMs.delete(app)
      await http({ action: 'deleteApp', method: 'DELETE', path: appPath(app), app, signal, tolerate: [404] })
    },
    forget: (app) => {
      known.delete(app)
    },
    isFresh: (app) => {
      const atMs = createdAtMs.get(app)
      return atMs !== undefined && clock.monotonic() - atMs < FRESH_MS
    },
  }
}

/** Path of an app. */
export const appPath = (app: string): string => `/v1/apps/${encodeURIComponent(app)}`

type Ask = {
  readonly http: FlyHttp
  readonly app: string
  readonly orgSlug: string
  readonly signal: AbortSignal | undefined
}

async function exists({ http, app, orgSlug, signal }: Ask): Promise<boolean> {
  const call: FlyCall = { action: 'getApp', method: 'GET', path: appPath(app), app, signal, tolerate: [404] }
  const reply = await http(call)
  if (isAbsent(call, reply)) return false
  assertOurs(call, reply, orgSlug)
  return true
}

/** False when the app was there after all: another of us was faster. */
async function create(ask: Ask): Promise<boolean> {
  const { http, app, orgSlug, signal } = ask
  // A network of its own: on the organization's default one, tenants could reach each other.
  const body = { name: app, org_slug: orgSlug, network: app, enable_subdomains: false }
  try {
    await http({ action: 'createApp', method: 'POST', path: '/v1/apps', app, body, signal })
    return true
  } catch (error) {
    const taken = error instanceof ProviderError && ['NameConflict', 'InvalidSpec', 'NotReady'].includes(error.reason)
    if (!taken || !(await exists(ask))) throw error
    return false
  }
}

function assertOurs(call: FlyCall, reply: FlyReply, orgSlug: string): void {
  const found = appSchema.safeParse(reply.json)
  if (!found.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const slug = found.data.organization?.slug
  if (slug === undefined || slug === null || slug === orgSlug) return
  throw new ProviderError('NameConflict', `App "${call.app}" belongs to organization "${slug}", not to "${orgSlug}"`)
}

function remember(times: Map<string, number>, app: string, atMs: number): void {
  for (const [old, oldAtMs] of times) if (atMs - oldAtMs >= FRESH_MS) times.delete(old)
  times.set(app, atMs)
}
