/** Lets in who holds an ID token of the trusted OIDC issuer; the rules are in docs/spec/oidc.md. */
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import type { Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import { actorOfClaims, unverifiedOf, type ClaimedActor, type OidcSettings } from './oidc-claims.ts'
import { createIssuerKeys } from './oidc-keys.ts'

/** What OIDC needs of the process. */
export type OidcPorts = { readonly settings: OidcSettings; readonly clock: Clock; readonly log: Log }

/** The authentication by ID tokens. */
export type Oidc = {
  /**
   * Who holds the token; undefined when it is none of the issuer's, or not good. Rejects with ApiError
   * ServiceUnavailable while the issuer's keys are not known.
   */
  readonly authenticate: (token: string) => Promise<Actor | undefined>
  /** Ends what is being fetched. */
  readonly close: () => void
}

/** Signatures by public key alone: whoever knows a public key could make an HMAC with it. */
export const SIGNATURES = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

const ALLOWED: ReadonlySet<unknown> = new Set(SIGNATURES)
const TOKEN_CHARS_MAX = 8_192
/** Clocks differ by that much, in s. */
const SKEW_SECONDS = 30
/** Keys that are tried for a token that names none. */
const KEYS_TRIED_MAX = 10

/** Makes the authentication; nothing is fetched before the first token of the issuer. */
export function createOidc({ settings, clock, log }: OidcPorts): Oidc {
  const keys = createIssuerKeys({ issuer: settings.issuer, clock, log })
  const optionsNow = (): JWTVerifyOptions => ({
    algorithms: [...SIGNATURES],
    issuer: settings.issuer,
    audience: [...settings.audiences],
    requiredClaims: ['exp'],
    clockTolerance: SKEW_SECONDS,
    currentDate: new Date(clock.now()),
  })
  return {
    authenticate: async (token) => {
      if (token.length > TOKEN_CHARS_MAX) return undefined
      const said = unverifiedOf(token)
      // Other tokens are somebody else's to judge, and no reason to ask the issuer.
      if (said?.issuer !== settings.issuer) return undefined
      const claims = ALLOWED.has(said.alg) ? await verified(token, keys.keyFor, optionsNow()) : 'alg is not allowed'
      const holder = typeof claims === 'string' ? refused(claims) : actorOfClaims(claims, settings)
      if (holder.isNamed) return holder.actor
      log.warn({ issuer: settings.issuer, why: holder.why }, 'OIDC token refused')
      return undefined
    },
    close: keys.close,
  }
}

const refused = (why: string): ClaimedActor => ({ isNamed: false, why })

/** The claims of a good token, or why it is none. Rejects with ApiError when that cannot be known. */
async function verified(
  token: string,
  keyFor: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload | string> {
  try {
    return (await jwtVerify(token, keyFor, options)).payload
  } catch (error) {
    if (error instanceof ApiError) throw error
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifiedByAny(token, error, options)
    return whyOf(error)
  }
}

/** A token without kid may be signed by any of the keys of its kind. */
async function verifiedByAny(
  token: string,
  keys: errors.JWKSMultipleMatchingKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload | string> {
  let tried = 0
  for await (const key of keys) {
    if (++tried > KEYS_TRIED_MAX) break
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) return whyOf(error)
    }
  }
  return 'no key of the issuer made it'
}

/** Without the token, and without its claims. */
function whyOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim ${error.claim} is not as it must be`
  if (error instanceof errors.JWKSNoMatchingKey) return 'the issuer has no such key'
  return error instanceof errors.JOSEError ? error.code : 'its key cannot be used'
}
