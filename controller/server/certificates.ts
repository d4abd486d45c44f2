/** Makes and renews the local certificate authority and the server's certificate, as files in one folder. */
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import { randomHex } from '../../system/entropy.ts'
import { generateKeys, KEY_ALGORITHM, loadX509, privatePem, SIGNATURE } from './x509.ts'
import { writeFileAtomically } from './write-file.ts'

/** What a listener and a kubeconfig need, as PEM texts. */
export type ServerCertificates = {
  readonly caCert: string
  readonly cert: string
  readonly key: string
  /** What was made anew by this call. */
  readonly renewed: 'Nothing' | 'Server' | 'All'
}

/** Where the local CA lies, and for which hosts it signs. */
export type CertificateOptions = {
  /** Made (0700) when absent. Holds ca.crt, ca.key, tls.crt, tls.key; keys are 0600. */
  readonly folder: string
  readonly clock: Clock
  readonly entropy: Entropy
  /** Names and addresses beyond 127.0.0.1, ::1 and localhost. */
  readonly extraHosts?: readonly string[]
}

const DAY_MS = 86_400_000
const CA_DAYS = 3650
const LEAF_DAYS = 365
const RENEW_BEFORE_DAYS = 30
/** Certificates count from a little earlier, for clients whose clock is behind. */
const SKEW_MS = 3_600_000

const HOSTS = ['127.0.0.1', '::1', 'localhost'] as const

type Pair = { readonly cert: string; readonly key: string }

/**
 * The certificates of a folder; what is missing, damaged, of another CA, for other hosts or within 30 days of its end
 * is made anew. A new CA makes a new server certificate too. Rejects with node's error when the folder cannot be used.
 */
export async function ensureCertificates(options: CertificateOptions): Promise<ServerCertificates> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 })
  const nowMs = options.clock.now()
  const hosts = [...new Set([...HOSTS, ...(options.extraHosts ?? [])])]
  const storedCa = await readPair(options.folder, 'ca')
  const ca = storedCa !== undefined && isGood(storedCa, nowMs) ? storedCa : undefined
  const leaf = ca && (await readPair(options.folder, 'tls'))
  if (ca && leaf && isGood(leaf, nowMs) && isIssuedBy(leaf, ca) && covers(leaf, hosts))
    return { caCert: ca.cert, ...leaf, renewed: 'Nothing' }
  const issuer = ca ?? (await writePair(options.folder, 'ca', await makeCa(options)))
  const made = await writePair(options.folder, 'tls', await makeLeaf(options, issuer, hosts))
  return { caCert: issuer.cert, ...made, renewed: ca ? 'Server' : 'All' }
}

async function readPair(folder: string, name: string): Promise<Pair | undefined> {
  try {
    const [cert, key] = await Promise.all([
      readFile(join(folder, `${name}.crt`), 'utf8'),
      readFile(join(folder, `${name}.key`), 'utf8'),
    ])
    return { cert, key }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writePair(folder: string, name: string, pair: Pair): Promise<Pair> {
  // The key first: a crash in between leaves a pair that does not match, which is then made anew.
  await writeFileAtomically(join(folder, `${name}.key`), pair.key, { mode: 0o600 })
  await writeFileAtomically(join(folder, `${name}.crt`), pair.cert, { mode: 0o644 })
  return pair
}

function isGood(pair: Pair, nowMs: number): boolean {
  try {
    const cert = new X509Certificate(pair.cert)
    const endsAt = Date.parse(cert.validTo)
    return cert.checkPrivateKey(createPrivateKey(pair.key)) && endsAt - nowMs >= RENEW_BEFORE_DAYS * DAY_MS
  } catch {
    // Not a certificate, or not a key: damaged.
    return false
  }
}

const isIssuedBy = (leaf: Pair, ca: Pair): boolean =>
  new X509Certificate(leaf.cert).verify(new X509Certificate(ca.cert).publicKey)

function covers(leaf: Pair, hosts: readonly string[]): boolean {
  const cert = new X509Certificate(leaf.cert)
  return hosts.every((host) => (isAddress(host) ? cert.checkIP(host) : cert.checkHost(host)) !== undefined)
}

const isAddress = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':')

const lifetime = (nowMs: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } => ({
  notBefore: new Date(nowMs - SKEW_MS),
  notAfter: new Date(nowMs + days * DAY_MS),
})

/** 15 bytes after a leading 1, so that the serial number is positive and never starts with zero. */
const serialOf = (entropy: Entropy): string => `1${randomHex(entropy, 15)}`.padStart(32, '0')

async function makeCa({ clock, entropy }: CertificateOptions): Promise<Pair> {
  const x509 = await loadX509()
  const keys = await generateKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialOf(entropy),
    name: `CN=sprites local CA ${randomHex(entropy, 4)}`,
    ...lifetime(clock.now(), CA_DAYS),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${cert.toString('pem')}\n`, key: await privatePem(keys.privateKey) }
}

async function makeLeaf({ clock, entropy }: CertificateOptions, ca: Pair, hosts: readonly string[]): Promise<Pair> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(ca.cert)
  const keys = await generateKeys()
  const signingKey = await importSigningKey(ca.key)
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serialOf(entropy),
    subject: 'CN=sprites',
    issuer: issuer.subject,
    ...lifetime(clock.now(), LEAF_DAYS),
    signingAlgorithm: SIGNATURE,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isAddress(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { cert: `${cert.toString('pem')}\n`, key: await privatePem(keys.privateKey) }
}

function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' })
  return webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign'])
}
