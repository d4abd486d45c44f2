/** Gives each tenant's app a token of its own, so that its machine calls need no right over the whole organization. */
import { z } from 'zod'
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import type { AppTokenStanding } from '../machines.ts'
import { appPath } from './apps.ts'
import { flyError, type FlyCall, type FlyHttp } from './http.ts'

/** A token and when it ends, wall ms. */
export type AppToken = { readonly token: string; readonly expiresAtMs: number }

/** Where tokens are kept from one start to the next; whoever implements it encrypts them. */
export interface AppTokenStore {
  read(app: string): Promise<AppToken | undefined>
  write(app: string, token: AppToken): Promise<void>
  remove(app: string): Promise<void>
}

/** The tokens of apps. Nothing here rejects: where there is no token the organization's is used. */
export interface AppTokens {
  /** The app's token; undefined while it has none. One that ends soon is renewed meanwhile. */
  of(app: string): Promise<string | undefined>
  /** The app exists and is ours: sees to it that it has a token, without anybody waiting for it. */
  wanted(app: string): void
  /** Fly takes the token no more: it is forgotten and made anew. */
  refused(app: string, token: string): void
  /** The app is gone, and with it whatever its token could do. */
  removed(app: string): Promise<void>
  /** How it is with the app's token, as far as was seen; undefined where apps are given none. */
  standing(app: string): AppTokenStanding | undefined
}

/** No app has a token of its own. */
export const noAppTokens: AppTokens = {
  of: () => Promise.resolve(undefined),
  wanted: () => {},
  refused: () => {},
  removed: () => Promise.resolve(),
  standing: () => undefined,
}

/** What the tokens are made through. */
export type AppTokenOptions = {
  /** Calls with the organization's token. */
  readonly http: FlyHttp
  readonly store: AppTokenStore
  readonly clock: Clock
  readonly log: Log
  /** How long a token lives; default two days, since the API can revoke none. Fly's own default is twenty years. */
  readonly lifeMs?: number
  /** Told of each app whose token stands otherwise than before. */
  readonly onChange?: (app: string) => void
}

const LIFE_MS = 2 * 86_400_000
/** Renewed when less than this share of its life is left. */
const RENEW_SHARE = 1 / 3
/** After a refusal or a failure no new one is asked for within. */
const PAUSE_MS = 600_000
const APPS_MAX = 20_000

const answerSchema = z.object({ token: z.string().min(1).max(16_384) })

/** Tokens made when they are wanted, kept in the store, renewed before they end. */
export function createAppTokens(options: AppTokenOptions): AppTokens {
  const { store, clock, log, lifeMs = LIFE_MS } = options
  /** What is known; null where there is none. */
  const known = new Map<string, Promise<AppToken | null>>()
  const making = new Set<string>()
  const pausedUntilMs = new Map<string, number>()
  const standings = createStandings(options.onChange)

  const current = (app: string): Promise<AppToken | null> => {
    const found = known.get(app) ?? load(options, app)
    if (known.size >= APPS_MAX) known.clear()
    known.set(app, found)
    return found
  }
  const make = async (app: string): Promise<void> => {
    try {
      const made = await mint(options, app, lifeMs)
      await store.write(app, made)
      known.set(app, Promise.resolve(made))
      standings.set(app, { is: 'Own' })
      log.info({ app, expires: new Date(made.expiresAtMs).toISOString() }, 'made a token for the app')
    } catch (error) {
      if (pausedUntilMs.size >= APPS_MAX) pausedUntilMs.clear()
      pausedUntilMs.set(app, clock.monotonic() + PAUSE_MS)
      standings.failed(app, { error, isLeft: ((await current(app))?.expiresAtMs ?? 0) > clock.now() })
      log.warn({ app, error: String(error) }, 'cannot make a token for the app: the organization’s is used')
    } finally {
      making.delete(app)
    }
  }
  const seeTo = async (app: string): Promise<void> => {
    const leftMs = ((await current(app))?.expiresAtMs ?? 0) - clock.now()
    const isPaused = (pausedUntilMs.get(app) ?? -Infinity) > clock.monotonic()
    if (standings.of(app) === undefined) standings.set(app, { is: leftMs > 0 ? 'Own' : 'Pending' })
    if (leftMs > lifeMs * RENEW_SHARE || isPaused || making.has(app)) return
    making.add(app)
    await make(app)
  }
  return {
    of: async (app) => {
      const found = await current(app)
      if (found === null) return undefined
      void seeTo(app)
      return found.expiresAtMs > clock.now() ? found.token : undefined
    },
    wanted: (app) => void seeTo(app),
    refused: (app, token) => {
      void current(app).then((found) => {
        if (found?.token !== token) return
        known.set(app, Promise.resolve(null))
        standings.set(app, { is: 'Refused' })
        void seeTo(app)
      })
      log.warn({ app }, 'Fly refused the token of an app: the organization’s is used until there is another')
    },
    removed: async (app) => {
      known.delete(app)
      standings.remove(app)
      pausedUntilMs.delete(app)
      try {
        await store.remove(app)
      } catch (error) {
        log.warn({ app, error: String(error) }, 'cannot remove the token of an app that is gone')
      }
    },
    standing: (app) => standings.of(app) ?? { is: 'Pending' },
  }
}

async function load({ store, log }: AppTokenOptions, app: string): Promise<AppToken | null> {
  try {
    return (await store.read(app)) ?? null
  } catch (error) {
    log.warn({ app, error: String(error) }, 'cannot read the token of an app: the organization’s is used')
    return null
  }
}

/** How it is with each app's token, as far as was seen; tells of each that changes. */
function createStandings(onChange: (app: string) => void = () => {}) {
  const known = new Map<string, AppTokenStanding>()
  const set = (app: string, now: AppTokenStanding): void => {
    const before = known.get(app)
    if (known.size >= APPS_MAX) known.clear()
    known.set(app, now)
    if (before?.is !== now.is) onChange(app)
  }
  return {
    of: (app: string): AppTokenStanding | undefined => known.get(app),
    set,
    /** None could be made; one that is left goes on being used. */
    failed: (app: string, { error, isLeft }: { readonly error: unknown; readonly isLeft: boolean }): void => {
      const message = error instanceof Error ? error.message : String(error)
      const isRefused = known.get(app)?.is === 'Refused'
      set(app, { is: isLeft ? 'NotRenewed' : isRefused ? 'Refused' : 'Missing', message })
    },
    remove: (app: string): void => void known.delete(app),
  }
}

/** Asks for a token that ends; the time it lives counts from before it was asked for. */
async function mint({ http, clock }: AppTokenOptions, app: string, lifeMs: number): Promise<AppToken> {
  const expiresAtMs = clock.now() + lifeMs
  const body = { expiry: `${Math.floor(lifeMs / 1_000)}s` }
  const path = `${appPath(app)}/deploy_token`
  const call: FlyCall = { action: 'createToken', method: 'POST', path, app, body }
  const reply = await http(call)
  const answer = answerSchema.safeParse(reply.json)
  // Not its text: it may hold what it should.
  if (!answer.success) throw flyError(call, reply, { reason: 'Unexpected', why: 'no token in the answer' })
  return { token: answer.data.token, expiresAtMs }
}
