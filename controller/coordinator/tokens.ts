/** Mints and verifies the token of one sprite's incarnation; nothing but node:crypto, no state, no clock. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'

const PREFIX = 'spr1'
const TOKEN_CHARS_MAX = 1_024

const identitySchema = z.strictObject({
  tenant: z.string().min(1).max(63),
  sprite: z.string().min(1).max(253),
  uid: z.string().min(1).max(64),
  incarnation: z.int().min(1),
})

/** Who a sprite's process is: what its token is bound to. */
export type SpriteIdentity = Readonly<z.infer<typeof identitySchema>>

/**
 * Each identity has a key of its own: HKDF-SHA256 of the master key over tenant, uid and incarnation. A key that
 * leaks opens one incarnation, never the fleet.
 */
function keyOf(masterKey: Uint8Array, identity: SpriteIdentity): Uint8Array {
  const info = JSON.stringify(['sprite-token', 1, identity.tenant, identity.uid, identity.incarnation])
  return new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(0), info, 32))
}

const macOf = (masterKey: Uint8Array, identity: SpriteIdentity, payload: string): Buffer =>
  createHmac('sha256', keyOf(masterKey, identity)).update(`${PREFIX}_${payload}`).digest()

/** The token of an identity, `spr1_<payload>_<mac>`; the same identity always has the same token. */
export function mintToken(masterKey: Uint8Array, identity: SpriteIdentity): string {
  const { tenant, sprite, uid, incarnation } = identity
  const payload = Buffer.from(JSON.stringify({ tenant, sprite, uid, incarnation })).toString('base64url')
  return `${PREFIX}_${payload}_${macOf(masterKey, identity, payload).toString('base64url')}`
}

/** The identity that a token was minted for; undefined for anything else. */
export function verifyToken(masterKey: Uint8Array, token: string): SpriteIdentity | undefined {
  if (token.length > TOKEN_CHARS_MAX || !token.startsWith(`${PREFIX}_`)) return undefined
  // base64url has an underscore of its own: the mac is the last 43 characters.
  const macStart = token.length - 43
  if (macStart <= PREFIX.length + 1 || token[macStart - 1] !== '_') return undefined
  const payload = token.slice(PREFIX.length + 1, macStart - 1)
  const identity = readPayload(payload)
  if (identity === undefined) return undefined
  const [given, expected] = [Buffer.from(token.slice(macStart), 'base64url'), macOf(masterKey, identity, payload)]
  return given.length === expected.length && timingSafeEqual(given, expected) ? identity : undefined
}

function readPayload(payload: string): SpriteIdentity | undefined {
  try {
    return identitySchema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))).data
  } catch {
    return undefined
  }
}
