/** Makes sure that a tenant's app exists, and is ours, before a machine is made in it; removes it when it is empty. */
import type { Clock } from '../../../system/clock.ts'
import { ProviderError } from '../machines.ts'
import type { AppTokens } from './app-tokens.ts'
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
const ABSENT_MS = 30_000
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
export type FlyAppsOptions = {
  readonly http: FlyHttp
  readonly clock: Pick<Clock, 'monotonic'>
  readonly orgSlug: string
  readonly ages: AppAges
  readonly controlPlaneId: string
  /** All tenants share one app, which is whoever's set it up: its network is theirs to choose. */
  readonly isShared: boolean
  /** Told of each app that is seen to be ours, and of each that is gone. */
  readonly tokens: Pick<AppTokens, 'wanted' | 'removed'>
}

/** Apps of one organization; what it has seen to exist it does not ask again. */
export function createFlyApps(options: FlyAppsOptions): FlyApps {
  const { ages, tokens } = options
  const known = new Set<string>()
  const underWay = new Map<string, Promise<void>>()
  /** Seen not to exist, at which monotonic ms: who waits for the turn to make it need not look each time. */
  const absent = new Map<string, number>()

  const isMissing = async (app: string, bounds: Bounds): Promise<boolean> => {
    const nowMs = options.clock.monotonic()
    if (nowMs - (absent.get(app) ?? -Infinity) < ABSENT_MS) return true
    if (await exists(options, app, bounds)) return false
    if (absent.size >= KNOWN_APPS_MAX) absent.clear()
    absent.set(app, nowMs)
    return true
  }
  const establish = async (app: string, bounds: Bounds): Promise<void> => {
    if (await isMissing(app, bounds)) {
      const isNew = await create(options, app, bounds)
      if (isNew) ages.made(app)
    }
    absent.delete(app)
    if (known.size >= KNOWN_APPS_MAX) known.clear()
    known.add(app)
    tokens.wanted(app)
  }
  return {
    ensure: (app, bounds) => {
      if (known.has(app)) {
        tokens.wanted(app)
        return Promise.resolve()
      }
      const running = underWay.get(app)
      if (running) return running
      const started = establish(app, bounds).finally(() => underWay.delete(app))
      underWay.set(app, started)
      return started
    },
    remove: async (app, bounds) => {
      known.delete(app)
      // An empty app of that name may be somebody else's.
      const isThere = await exists(options, app, bounds)
      if (!isThere && ages.isFresh(app))
        throw new ProviderError(
          'NotReady',
          `Look for app "${app}" again: it was made within the last minute, unseen yet`,
        )
      if (isThere) await destroy(options, app, bounds)
      ages.removed(app)
      await tokens.removed(app)
    },
    forget: (app) => {
      known.delete(app)
    },
    isFresh: ages.isFresh,
  }
}

/** An answer proves nothing: what comes back of a deletion is seen. */
async function destroy(options: FlyAppsOptions, app: string, bounds: Bounds): Promise<void> {
  await options.http({
    action: 'deleteApp',
    method: 'DELETE',
    path: appPath(app),
    app,
    countedBy: options.orgSlug,
    tolerate: [404],
    ...bounds,
  })
  if (await exists(options, app, bounds))
    throw new ProviderError('NotReady', `Look for app "${app}" again: it was deleted and is still there`)
}

/** Path of an app. */
export const appPath = (app: string): string => `/v1/apps/${encodeURIComponent(app)}`

async function exists(options: FlyAppsOptions, app: string, bounds: Bounds): Promise<boolean> {
  const call: FlyCall = { action: 'getApp', method: 'GET', path: appPath(app), app, tolerate: [404], ...bounds }
  const reply = await options.http(call)
  if (isAbsent(call, reply)) return false
  assertOurs(options, call, reply)
  return true
}

/** False when the app was there after all: another of us was faster. */
async function create(options: FlyAppsOptions, app: string, bounds: Bounds): Promise<boolean> {
  const { http, orgSlug, controlPlaneId } = options
  const body = {
    name: app,
    org_slug: orgSlug,
    // A network of its own: on the organization's default one, tenants could reach each other.
    network: app,
    enable_subdomains: false,
    // An answer that was lost: the same key and name give the same app.
    idempotency_key: `${controlPlaneId}-${app}`,
  }
  try {
    // No app is there yet that it could be counted by.
    await http({
      action: 'createApp',
      method: 'POST',
      path: '/v1/apps',
      app,
      countedBy: orgSlug,
      claimant: app,
      body,
      ...bounds,
    })
    return true
  } catch (error) {
    // It may be there all the same, and is then to be found by whoever removes it.
    if (error instanceof ProviderError && error.reason === 'OutcomeUnknown') options.ages.made(app)
    const taken = error instanceof ProviderError && ['NameConflict', 'InvalidSpec', 'NotReady'].includes(error.reason)
    if (!taken || !(await exists(options, app, bounds))) throw error
    return false
  }
}

function assertOurs({ orgSlug, isShared }: FlyAppsOptions, call: FlyCall, reply: FlyReply): void {
  const found = appSchema.safeParse(reply.json)
  if (!found.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const { organization, network } = found.data
  const slug = organization?.slug ?? orgSlug
  if (slug !== orgSlug)
    throw new ProviderError('NameConflict', `App "${call.app}" belongs to organization "${slug}", not to "${orgSlug}"`)
  if (!isShared && typeof network === 'string' && network !== call.app)
    throw new ProviderError(
      'NameConflict',
      `App "${call.app}" is on network "${network}", not on one of its own: it was not made by this control plane`,
    )
}
