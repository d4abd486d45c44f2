/** Decides who calls: identity comes from the token alone, and only a sprite's current incarnation is let in. */
import type { IncomingMessage } from 'node:http'
import type { Sprite } from '../kinds/sprite/schema.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { CoordinatorError } from './fault.ts'
import type { Caller, CoordinatorPorts } from './ports.ts'
import { getOrNothing } from './reads.ts'
import { refuse } from './refusal.ts'
import { verifyToken } from './tokens.ts'

/** An ID token with many groups is some KiB long. */
const HEADER_CHARS_MAX = 8_192

/** The bearer token of a request, if it has one. */
export function bearerOf(request: IncomingMessage): string | undefined {
  const header = request.headers.authorization ?? ''
  if (header.length > HEADER_CHARS_MAX) return undefined
  return /^Bearer +(\S+)$/i.exec(header)?.[1]
}

/** The incarnation that may act for a sprite; undefined before its first machine. */
export const currentIncarnation = (sprite: Sprite): number | undefined =>
  sprite.status?.machine?.incarnation ?? sprite.status?.incarnation

/**
 * Throws Unavailable where the tenant is not there either: a tenant goes after its last machine, so that whoever still calls
 * speaks for a store that was lost, or is another one. Missing data ends nobody (S4).
 */
async function expectTenant({ client }: CoordinatorPorts, name: string, signal: AbortSignal): Promise<void> {
  const tenant = await getOrNothing(client, { kind: tenantKind, key: { namespace: '', name }, signal })
  if (tenant !== undefined) return
  const message = `Try again later, the store has no tenant "${name}": was it lost, or is it another one?`
  throw new CoordinatorError('Unavailable', message)
}

/** The caller; throws Unauthorized for a bad token, Fenced for a sprite that is gone or has a newer incarnation. */
export async function authenticate(
  ports: CoordinatorPorts,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Caller> {
  const token = bearerOf(request)
  const identity = token === undefined ? undefined : verifyToken(ports.masterKey, token)
  if (identity === undefined) throw new CoordinatorError('Unauthorized', 'Send the token of a sprite')
  const key = { namespace: identity.tenant, name: identity.sprite }
  const sprite = await getOrNothing(ports.client, { kind: spriteKind, key, signal })
  if (sprite === undefined) await expectTenant(ports, identity.tenant, signal)
  if (sprite === undefined || sprite.metadata.uid !== identity.uid)
    throw refuse(ports, {
      subject: undefined,
      identity,
      what: 'sprite',
      message: 'Exit, the sprite does not exist any more',
    })
  const current = currentIncarnation(sprite)
  if (current !== identity.incarnation) {
    const message = `Exit, incarnation "${identity.incarnation}" is not the current one, which is "${current ?? 'none'}"`
    throw refuse(ports, { subject: sprite, identity, what: 'incarnation', message })
  }
  return { identity, sprite }
}
