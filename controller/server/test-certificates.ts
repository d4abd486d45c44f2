/** Makes authorities and certificates of every sort for tests of TLS. */
import { generateKeys, loadX509, privatePem, SIGNATURE } from './x509.ts'

/** A certificate and its key, as PEM texts. */
export type TestPair = { readonly cert: string; readonly key: string }

/** An authority that signs what it is asked to. */
export type TestAuthority = {
  readonly caCert: string
  readonly sign: (subject: string, options?: SignOptions) => Promise<TestPair>
}

/** What a certificate is good for; default: a client's, for a day from an hour ago. */
export type SignOptions = { readonly usage?: 'client' | 'server'; readonly endsAtMs?: number }

const HOUR_MS = 3_600_000
let serial = 1_000

/** Makes an authority; `nowMs` is ms since 1970 by the real clock, as TLS looks at it. */
export async function testAuthority(name: string, nowMs: number): Promise<TestAuthority> {
  const x509 = await loadX509()
  const keys = await generateKeys()
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: nextSerial(),
    name: `CN=${name}`,
    notBefore: new Date(nowMs - HOUR_MS),
    notAfter: new Date(nowMs + 24 * HOUR_MS),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  })
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage
  return {
    caCert: ca.toString('pem'),
    sign: async (subject, { usage = 'client', endsAtMs = nowMs + 24 * HOUR_MS } = {}) => {
      const own = await generateKeys()
      const cert = await x509.X509CertificateGenerator.create({
        serialNumber: nextSerial(),
        subject,
        issuer: ca.subject,
        notBefore: new Date(Math.min(nowMs, endsAtMs) - HOUR_MS),
        notAfter: new Date(endsAtMs),
        signingAlgorithm: SIGNATURE,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.ExtendedKeyUsageExtension([usage === 'client' ? clientAuth : serverAuth]),
          new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
        ],
      })
      return { cert: cert.toString('pem'), key: await privatePem(own.privateKey) }
    },
  }
}

const nextSerial = (): string => (serial++).toString(16).padStart(8, '1')
