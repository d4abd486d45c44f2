/** Keys and the library that certificates are made with: ECDSA on P-256, as PEM. */
import { createPrivateKey, webcrypto } from 'node:crypto'
import { supplyReflectMetadata } from './reflect-metadata.ts'

/** The kind of every key. */
export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
/** How every certificate is signed. */
export const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' } as const

/** The library, loaded only when something is made: most starts find good certificates. */
export async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  supplyReflectMetadata()
  const x509 = await import('@peculiar/x509')
  // The library's Crypto is the browser's type of the same interface.
  x509.cryptoProvider.set(webcrypto as never)
  return x509
}

/** A new pair of keys, which can be exported. */
export const generateKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify'])

/** The private key as PKCS #8 in PEM. */
export async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ format: 'pem', type: 'pkcs8' })
    .toString()
}
