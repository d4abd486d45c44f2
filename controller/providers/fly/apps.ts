/** Makes sure that a tenant's app exists, and is ours, before a machine is made in it; removes it when it is empty. */
import type { Clock } from '../../../system/clock.ts'
import { ProviderError } from '../machines.ts'
import { flyError, isAbsent, type FlyCall, type FlyHttp, type FlyReply } from './http.ts'
import { appSchema } from './replies.ts'

/** How one call goes: until when, and for whom. */
type Bounds = { readonly signal: AbortSignal; readonly priority?: number }

/** The apps of our organization, as far as creates and removals need them. */
export interface FlyApps {
  /** Resolves when the app exists and belongs to our organization; NameConflict when another holds the name. */
  ensure(app: string, bounds: Bounds): Promise<void>
  /** Deletes the app; one that does not exist is success. */
  remove(app: string, bounds: Bounds): Promise<void>
  /** The provider has said that it does not know the app: look again before the next create. */
  forget(app: string): void
  /** True within a minute of our creating it: until then a 404 or a 401 may only mean "not seen everywhere yet". */
  isFresh(app: string): boolean
}

const FRESH_MS = 60_000
const KNOWN_APPS_MAX = 20_000

/** When we made which app. */
export type AppAges = {
  readonly made: (app: string) => void
  readonly removed: (app: string) => void
  /** True within a minute of our making it: until then a 404 or a 401 may only mean "not seen everywhere yet". */
  readonly isFresh: (app: string) => boolean
}

/** Ages of the apps made from now on. */
export function createAppAges(clock: Clock): AppAges {
  const madeAtMs = new Map<string, number>()
  return {
    made: (app) => {
      const nowMs = clock.monotonic()
      for (const [old, oldAtMs] of madeAtMs) if (nowMs - oldAtMs >= FRESH_MS) madeAtMs.delete(old)
      madeAtMs.set(app, nowMs)
    },
    removed: (app) => {
      madeAtMs.delete(app)
    },
    isFresh: (app) => clock.monotonic() - (madeAtMs.get(app) ?? -Infinity) < FRESH_MS,
  }
}

/** What the apps are asked through. */
export type FlyAppsOptions = { readonly http: FlyHttp; readonly orgSlug: string; readonly ages: AppAges }

/** Apps of one organization; what it has seen to exist it does not ask again. */
export function createFlyApps({ http, orgSlug, ages }: FlyAppsOptions): FlyApps {
  const known = new Set<string>()
  const underWay = new Map<string, Promise<void>>()

  const establish = async (app: string, bounds: Bounds): Promise<void> => {
    if (!(await exists({ http, app, orgSlug, bounds }))) {
      const isNew = await create({ http, app, orgSlug, bounds })
      if (isNew) ages.made(app)
    }
    if (known.size >= KNOWN_APPS_MAX) known.clear()
    known.add(app)
  }
  return {
    ensure: (app, bounds) => {
      if (known.has(app)) return Promise.resolve()
      const running = underWay.get(app)
      if (running) return running
      const started = establish(app, bounds).finally(() => underWay.delete(app))
      underWay.set(app, started)
      return started
    },
    remove: async (app, bounds) => {
      known.delete(app)
      ages.removed(app)
      await http({ action: 'deleteApp', method: 'DELETE', path: appPath(app), app, tolerate: [404], ...bounds })
    },
    forget: (app) => {
      known.delete(app)
    },
    isFresh: ages.isFresh,
  }
}

/** Path of an app. */
export const appPath = (app: string): string => `/v1/apps/${encodeURIComponent(app)}`

type Ask = {
  readonly http: FlyHttp
  readonly app: string
  readonly orgSlug: string
  readonly bounds: Bounds
}

async function exists({ http, app, orgSlug, bounds }: Ask): Promise<boolean> {
  const call: FlyCall = { action: 'getApp', method: 'GET', path: appPath(app), app, tolerate: [404], ...bounds }
  const reply = await http(call)
  if (isAbsent(call, reply)) return false
  assertOurs(call, reply, orgSlug)
  return true
}

/** False when the app was there after all: another of us was faster. */
async function create(ask: Ask): Promise<boolean> {
  const { http, app, orgSlug, bounds } = ask
  // A network of its own: on the organization's default one, tenants could reach each other.
  const body = { name: app, org_slug: orgSlug, network: app, enable_subdomains: false }
  try {
    await http({ action: 'createApp', method: 'POST', path: '/v1/apps', app, body, ...bounds })
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
