/**
 * Access tokens: random, kept as SHA-256 only, looked up by key id and compared in constant time.
 * Form: `prefix_keyid_secret`, where secret ends in a checksum, so that a cut or mistyped token is told from a revoked
 * one and secret scanners can find it.
 */
import { hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Entropy } from '../../system/entropy.ts'
import { randomHex } from '../../system/entropy.ts'
import { memoized } from '../../system/memo.ts'
import type { Actor } from '../api/admission.ts'

/** What is stored of a token: everything but the token. */
export type TokenRecord = {
  readonly keyId: string
  /** Lower-case hex of the SHA-256 of the whole token. */
  readonly sha256: string
  readonly actor: Actor
}

/** Says who holds a token; undefined when nobody does. */
export type Authenticate = (token: string) => Actor | undefined | Promise<Actor | undefined>

/** The set of tokens that are valid now. A change counts from the next request on. */
export type TokenSet = {
  readonly authenticate: (token: string) => Actor | undefined
  readonly add: (record: TokenRecord) => void
  /** Whether there was one to revoke. */
  readonly revoke: (keyId: string) => boolean
}

/** The prefix of the API's own tokens. */
export const TOKEN_PREFIX = 'sprt'

const KEY_ID_BYTES = 8
const SECRET_BYTES = 32
const TOKEN_CHARS_MAX = 256
const FORM = /^([a-z]{2,16})_([0-9a-f]{16})_([0-9a-f]{64})([0-9a-f]{8})$/

const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer')
const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0')

/** Makes a token for an actor: the token goes to its holder and is kept nowhere, the record goes to the set. */
export function mintToken(actor: Actor, entropy: Entropy, prefix = TOKEN_PREFIX): MintedToken {
  return tokenOf(actor, { keyId: randomHex(entropy, KEY_ID_BYTES), secret: randomHex(entropy, SECRET_BYTES), prefix })
}

/** A token and what is stored of it. */
export type MintedToken = { readonly token: string; readonly record: TokenRecord }

/** The token that every process makes of the same key for the same purpose, so that all of them take it. */
export function derivedToken(actor: Actor, key: Uint8Array, purpose: string): MintedToken {
  const bytes = Buffer.from(hkdfSync('sha256', key, '', `access token: ${purpose}`, KEY_ID_BYTES + SECRET_BYTES))
  const keyId = bytes.subarray(0, KEY_ID_BYTES).toString('hex')
  return tokenOf(actor, { keyId, secret: bytes.subarray(KEY_ID_BYTES).toString('hex'), prefix: TOKEN_PREFIX })
}

function tokenOf(
  actor: Actor,
  parts: { readonly keyId: string; readonly secret: string; readonly prefix: string },
): MintedToken {
  const body = `${parts.prefix}_${parts.keyId}_${parts.secret}`
  const token = body + checksum(body)
  return { token, record: { keyId: parts.keyId, sha256: sha256(token).toString('hex'), actor } }
}

/** The record of a token that was made before, such as the one in a kubeconfig; undefined when it is not of our form. */
export function recordOf(token: string, actor: Actor): TokenRecord | undefined {
  const keyId = keyIdOf(token)
  return keyId === undefined ? undefined : { keyId, sha256: sha256(token).toString('hex'), actor }
}

/** The key id of a well-formed token: what may be logged of it. */
export function keyIdOf(token: string): string | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined
  const form = FORM.exec(token)
  if (!form) return undefined
  const [, prefix, keyId, secret, check] = form
  return checksum(`${prefix}_${keyId}_${secret}`) === check ? keyId : undefined
}

/** A token as it is looked up. */
export type PresentedToken = { readonly keyId: string; readonly sha256: string }

/** Tokens in use at once whose hash is not computed for every request. */
const TOKENS_REMEMBERED = 1_000

/** False for what is not of our form: it is remembered too. */
const readToken = memoized((token: string): PresentedToken | false => {
  const keyId = keyIdOf(token)
  return keyId === undefined ? false : { keyId, sha256: sha256(token).toString('hex') }
}, TOKENS_REMEMBERED)

/** A token as it is looked up: its key id and its SHA-256 in lower-case hex; undefined when it is not of our form. */
export const presentedToken = (token: string): PresentedToken | undefined =>
  token.length > TOKEN_CHARS_MAX ? undefined : readToken(token) || undefined

/** A set that holds these records. */
export function createTokenSet(records: readonly TokenRecord[] = []): TokenSet {
  const byKeyId = new Map<string, TokenRecord>(records.map((record) => [record.keyId, record]))
  return {
    authenticate: (token) => {
      const presented = presentedToken(token)
      const record = presented && byKeyId.get(presented.keyId)
      return record && sameHash(record.sha256, presented.sha256) ? record.actor : undefined
    },
    add: (record) => void byKeyId.set(record.keyId, record),
    revoke: (keyId) => byKeyId.delete(keyId),
  }
}

function sameHash(storedHex: string, actualHex: string): boolean {
  const [stored, actual] = [Buffer.from(storedHex), Buffer.from(actualHex)]
  // timingSafeEqual throws on unequal lengths.
  return stored.length === actual.length && timingSafeEqual(stored, actual)
}
