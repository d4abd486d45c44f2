/** Seals texts with AES-256-GCM under one of several keys, each bound to the place where it lies. */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Entropy } from '../../system/entropy.ts'
import type { StoreKey } from './store.ts'

/** A key of 256 bits with the name that envelopes call it by. */
export type SealingKey = { readonly id: string; readonly bytes: Uint8Array }

/** Where a sealed text lies; it opens nowhere else, so that no text can be moved or put back to an older one. */
export type SealedPlace = StoreKey & { readonly revision: number }

const FORM = 'aes256gcm.v1'
const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
const ENVELOPE = /^aes256gcm\.v1:([a-z0-9][a-z0-9-]{0,31}):([A-Za-z0-9+/]+={0,2})$/

/** The key that is made from a secret of the control plane where none is set. */
export const derivedKey = (masterKey: Uint8Array): SealingKey => ({
  id: 'derived',
  bytes: new Uint8Array(hkdfSync('sha256', masterKey, '', 'objects at rest', KEY_BYTES)),
})

/** The keys in a setting of the form `id:base64,id2:base64`, which has been checked; the first one seals. */
export const keysIn = (setting: string): readonly SealingKey[] =>
  setting.split(',').map((part) => {
    const colon = part.indexOf(':')
    return { id: part.slice(0, colon), bytes: Buffer.from(part.slice(colon + 1), 'base64') }
  })

/** The text, sealed with a nonce of its own. */
export function seal(text: string, key: SealingKey, at: SealedPlace & { readonly entropy: Entropy }): string {
  const nonce = at.entropy.bytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key.bytes, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(boundTo(key.id, at))
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return `${FORM}:${key.id}:${sealed.toString('base64')}`
}

/** The key that a sealed text names; undefined when it is no sealed text. */
export const keyIdOf = (sealed: string): string | undefined => ENVELOPE.exec(sealed)?.[1]

/** A text that was sealed for this place, or why it does not open. */
export type Opened = { readonly text: string } | { readonly fault: string }

/** Opens a sealed text with the key that it names. Never throws; a fault holds nothing of the text. */
export function open(sealed: string, keys: ReadonlyMap<string, SealingKey>, at: SealedPlace): Opened {
  const match = ENVELOPE.exec(sealed)
  const [, id = '', body = ''] = match ?? []
  if (match === null) return { fault: 'it is not encrypted as it should be' }
  const key = keys.get(id)
  if (key === undefined) return { fault: `it was encrypted under key "${id}", which is not set` }
  const bytes = Buffer.from(body, 'base64')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return { fault: 'it is cut off' }
  try {
    const decipher = createDecipheriv(CIPHER, key.bytes, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(boundTo(id, at))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    const plain = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES))
    return { text: Buffer.concat([plain, decipher.final()]).toString('utf8') }
  } catch {
    return { fault: `it does not decrypt under key "${id}": the key is another one, or the value was changed or moved` }
  }
}

const boundTo = (keyId: string, { collection, namespace, name, revision }: SealedPlace): Buffer =>
  Buffer.from(JSON.stringify([FORM, keyId, collection, namespace, name, revision]))
