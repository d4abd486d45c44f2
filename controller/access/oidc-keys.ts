/** Fetches an issuer's public keys by its discovery document and keeps them: anew when they are old or one is missing. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import { ApiError } from '../api/errors.ts'
import { fetchJson, isSafeUrl, IssuerError } from './oidc-fetch.ts'

/** What fetching keys needs of the process. */
export type IssuerKeyPorts = { readonly issuer: string; readonly clock: Clock; readonly log: Log }

/** The keys of one issuer. */
export type IssuerKeys = {
  /**
   * The key that a token's header names. Rejects with ApiError ServiceUnavailable while no keys could be fetched yet,
   * and with jose's error when the issuer has no such key.
   */
  readonly keyFor: JWTVerifyGetKey
  /** Ends what is being fetched. */
  readonly close: () => void
}

/** Keys that the issuer has taken back are forgotten after that. */
const KEYS_AGE_MS_MAX = 10 * 60_000
/** Between two looks at the issuer: unknown keys in made-up tokens do not become a flood of requests. */
const FETCH_GAP_MS = 10_000
const KEYS_MAX = 100

const discoverySchema = z.object({ issuer: z.string().max(2_048), jwks_uri: z.string().max(2_048) })
const keySetSchema = z.object({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(KEYS_MAX) })

/** Makes the source of keys; nothing is fetched before the first token. */
export function createIssuerKeys({ issuer, clock, log }: IssuerKeyPorts): IssuerKeys {
  const closing = new AbortController()
  let known: { readonly find: JWTVerifyGetKey; readonly fetchedAtMs: number } | undefined
  let keysUrl: string | undefined
  let fetching: Promise<void> | undefined
  let nextFetchAtMs = 0

  const ask = (url: string): Promise<unknown> => fetchJson(url, { clock, signal: closing.signal })

  async function fetchKeys(): Promise<void> {
    keysUrl ??= keysUrlOf(await ask(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`), issuer)
    known = { find: keySetOf(await ask(keysUrl)), fetchedAtMs: clock.monotonic() }
  }

  async function refresh(): Promise<void> {
    try {
      await fetchKeys()
    } catch (error) {
      // The keys may lie elsewhere by now: the next look begins with discovery.
      keysUrl = undefined
      const why = error instanceof IssuerError ? error.message : 'the answer is no set of keys'
      log.warn({ issuer, why, hasKeys: known !== undefined }, 'OIDC issuer gives no keys')
    } finally {
      nextFetchAtMs = clock.monotonic() + FETCH_GAP_MS
      fetching = undefined
    }
  }

  /** Whether keys have been looked for; never rejects. */
  async function lookAgain(): Promise<boolean> {
    if (fetching === undefined && clock.monotonic() < nextFetchAtMs) return false
    fetching ??= refresh()
    await fetching
    return true
  }

  async function keys(): Promise<JWTVerifyGetKey> {
    if (known === undefined) await lookAgain()
    // The keys that are known stay good until the issuer has said otherwise: nobody waits for that.
    else if (clock.monotonic() - known.fetchedAtMs > KEYS_AGE_MS_MAX) void lookAgain()
    if (known !== undefined) return known.find
    const retryAfterSeconds = Math.ceil(FETCH_GAP_MS / 1_000)
    throw new ApiError('ServiceUnavailable', 'Try again later: the OIDC issuer gives no keys', { retryAfterSeconds })
  }

  return {
    keyFor: async (header, token) => {
      const find = await keys()
      try {
        return await find(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey) || !(await lookAgain())) throw error
        return (await keys())(header, token)
      }
    },
    close: () => closing.abort(new IssuerError('the control plane is stopping')),
  }
}

/** Where the discovery document says the keys are; it has to speak of the issuer that was asked. */
function keysUrlOf(document: unknown, issuer: string): string {
  const read = discoverySchema.safeParse(document)
  if (!read.success) throw new IssuerError('its discovery document has no issuer or no jwks_uri')
  if (read.data.issuer !== issuer)
    throw new IssuerError(`its discovery document is of another issuer: "${read.data.issuer}"`)
  if (!isSafeUrl(read.data.jwks_uri)) throw new IssuerError('its jwks_uri is not https')
  return read.data.jwks_uri
}

function keySetOf(document: unknown): JWTVerifyGetKey {
  const read = keySetSchema.safeParse(document)
  if (!read.success) throw new IssuerError('its jwks_uri gives no set of keys')
  // jose looks at each member before it uses it, and at its kind before it verifies with it.
  return createLocalJWKSet(read.data as unknown as JSONWebKeySet)
}
