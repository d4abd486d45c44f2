/** Opens the authentication by ID tokens that the settings ask for, and asks several authentications in turn. */
import { createOidc, type Oidc, type OidcPorts } from '../access/oidc.ts'
import type { OidcSettings } from '../access/oidc-claims.ts'
import type { Environment } from '../config.ts'
import type { Authenticate } from '../server/tokens.ts'

/** The settings of OIDC; undefined when no issuer is trusted. Pure. */
export function oidcSettingsOf(environment: Environment): OidcSettings | undefined {
  const { OIDC_ISSUER: issuer, OIDC_AUDIENCE: audience = '' } = environment
  if (issuer === undefined) return undefined
  return {
    issuer,
    audiences: namesOf(audience),
    usernameClaim: environment.OIDC_USERNAME_CLAIM,
    groupsClaim: environment.OIDC_GROUPS_CLAIM,
    groupsPrefix: environment.OIDC_GROUPS_PREFIX,
    adminGroups: new Set(namesOf(environment.OIDC_ADMIN_GROUPS)),
  }
}

const namesOf = (list: string): string[] =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

/** Knows nobody. */
const NO_OIDC: Oidc = { authenticate: () => Promise.resolve(undefined), close: () => undefined }

/** The authentication by ID tokens, as the settings say; without an issuer it knows nobody. */
export function openOidc(environment: Environment, ports: Omit<OidcPorts, 'settings'>): Oidc {
  const settings = oidcSettingsOf(environment)
  return settings === undefined ? NO_OIDC : createOidc({ ...ports, settings })
}

/** Asks each in turn; the first that knows the holder says who it is. */
export const anyOf =
  (...authentications: readonly Authenticate[]): Authenticate =>
  async (token) => {
    for (const authenticate of authentications) {
      const actor = await authenticate(token)
      if (actor !== undefined) return actor
    }
    return undefined
  }
