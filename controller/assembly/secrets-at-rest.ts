/** Encrypts Secrets where they are stored, and rewrites those that lie under an older key. */
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Environment } from '../config.ts'
import { resourceName } from '../api/define-kind.ts'
import { secretResource } from '../registry/secrets.ts'
import { createEncryptedStore, type EncryptedStore } from '../store/encrypted.ts'
import { derivedKey, keysIn, type SealingKey } from '../store/envelope.ts'
import type { Store } from '../store/store.ts'

/** The store with Secrets encrypted: under the first key of the setting, else under one derived from the master key. */
export function encryptSecrets(
  store: Store,
  ports: {
    readonly environment: Pick<Environment, 'SECRETS_ENCRYPTION_KEYS'>
    readonly masterKey: Uint8Array
    readonly entropy: Entropy
    readonly log: Log
  },
): EncryptedStore {
  const { entropy, log, masterKey } = ports
  const collections = new Set([resourceName(secretResource)])
  return createEncryptedStore(store, { collections, keys: sealingKeysOf(ports.environment, masterKey), entropy, log })
}

/** The keys for Secrets. The derived one stays the last, so that secrets from before the setting are read and rewritten. */
export function sealingKeysOf(
  { SECRETS_ENCRYPTION_KEYS: setting }: Pick<Environment, 'SECRETS_ENCRYPTION_KEYS'>,
  masterKey: Uint8Array,
): readonly [SealingKey, ...SealingKey[]] {
  const derived = derivedKey(masterKey)
  const [first, ...rest] = setting === undefined ? [] : keysIn(setting)
  return first === undefined ? [derived] : [first, ...rest, derived]
}

/** Rewrites in the background what lies under an older key; the returned function ends it and waits for that. */
export function startResealing(store: EncryptedStore, log: Log): () => Promise<void> {
  const stop = new AbortController()
  const running = store.reseal(stop.signal).then(
    ({ rewritten, unreadable }) => {
      if (rewritten > 0) log.info({ rewritten }, 'secrets were rewritten under the first key')
      if (unreadable > 0) log.error({ unreadable }, 'secrets cannot be read: see SECRETS_ENCRYPTION_KEYS')
    },
    (error: unknown) => log.warn({ err: error }, 'rewriting secrets failed, the next start goes on with it'),
  )
  return async () => {
    stop.abort()
    await running
  }
}
