/** Decides who the claims of a verified ID token make of its holder. Pure. */
import { PLATFORM_ADMINS, type Actor } from '../api/admission.ts'

/** How ID tokens of one issuer are taken. */
export type OidcSettings = {
  /** As the tokens name it in `iss`, to the letter. */
  readonly issuer: string
  /** A token has to be meant for one of these. */
  readonly audiences: readonly string[]
  /** The claim that names its holder. */
  readonly usernameClaim: string
  /** The claim that lists the groups of its holder. */
  readonly groupsClaim: string
  /** Stands before every group, and before names that are no e-mail address: nobody can claim one of ours. */
  readonly groupsPrefix: string
  /** Groups, as the issuer names them, whose members are platform admins. */
  readonly adminGroups: ReadonlySet<string>
}

/** The claims of a token. */
export type Claims = Readonly<Record<string, unknown>>

/** The holder, or why the claims name none. */
export type ClaimedActor =
  | { readonly isNamed: true; readonly actor: Actor }
  | { readonly isNamed: false; readonly why: string }

/** The group of everybody who has proved who they are. */
export const AUTHENTICATED = 'system:authenticated'

const NAME_CHARS_MAX = 254
const GROUP_CHARS_MAX = 256
/** A token of 8 KiB names no more. */
const GROUPS_MAX = 500
const EMAIL = /^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u

/** The actor whom verified claims name. */
export function actorOfClaims(claims: Claims, settings: OidcSettings): ClaimedActor {
  const { usernameClaim, groupsPrefix, adminGroups } = settings
  const claimed = ownText(claims, usernameClaim)
  if (claimed === undefined || claimed.length > NAME_CHARS_MAX || /\p{Cc}/u.test(claimed))
    return { isNamed: false, why: `the claim ${usernameClaim} is no name` }
  if (usernameClaim === 'email' && !isEmail(claimed))
    return { isNamed: false, why: 'the claim email is no e-mail address' }
  if (isEmail(claimed) && !isVerifiedEmail(claims)) return { isNamed: false, why: 'the e-mail address is not verified' }
  const groups = groupsOf(claims, settings.groupsClaim)
  const sub = ownText(claims, 'sub')
  const jti = ownText(claims, 'jti')
  return {
    isNamed: true,
    actor: {
      name: isEmail(claimed) ? claimed : `${groupsPrefix}${claimed}`,
      groups: [
        ...(groups.some((group) => adminGroups.has(group)) ? [PLATFORM_ADMINS] : []),
        ...groups.map((group) => `${groupsPrefix}${group}`),
        AUTHENTICATED,
      ],
      ...(sub === undefined ? {} : { uid: sub }),
      ...(jti === undefined ? {} : { extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${jti}`] } }),
    },
  }
}

/** Addresses are compared without regard to case: a letter that turns into another by that is none of an address. */
const isEmail = (text: string): boolean =>
  EMAIL.test(text) &&
  !text.startsWith('system:') &&
  !Array.from(text).some((char) => char > '\u007f' && char.toLowerCase() <= '\u007f')

/** Issuers that know nothing of it leave `email_verified` out; some write booleans as text. */
function isVerifiedEmail(claims: Claims): boolean {
  const verified = Object.hasOwn(claims, 'email_verified') ? claims['email_verified'] : true
  return verified === true || verified === 'true'
}

/** The groups that the claim lists; a single one may stand there as text. What is no group's name is left out. */
function groupsOf(claims: Claims, claim: string): string[] {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : []
  const listed: readonly unknown[] = Array.isArray(value) ? value : [value]
  const names = listed.filter(
    (one): one is string => typeof one === 'string' && one !== '' && one.length <= GROUP_CHARS_MAX,
  )
  return [...new Set(names)].slice(0, GROUPS_MAX)
}

function ownText(claims: Claims, claim: string): string | undefined {
  const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** What a token says of itself before anybody has verified it; undefined when it is no JWT. */
export function unverifiedOf(token: string): { readonly issuer: unknown; readonly alg: unknown } | undefined {
  const parts = token.split('.')
  if (parts.length !== 3) return undefined
  const [header, payload] = parts.slice(0, 2).map(objectOf)
  if (header === undefined || payload === undefined) return undefined
  return { issuer: payload['iss'], alg: header['alg'] }
}

function objectOf(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    // Own members of a parsed object: they are checked where they are used.
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}
