/** Decides with which certificate the API is served: from files where they are set, else from the local CA. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import { ConfigError, type Environment } from '../config.ts'
import { ensureCertificates } from '../server/certificates.ts'

/** What the https listener is opened with, and how clients reach and trust it. */
export type ServerTls = {
  /** PEM, the chain after the certificate. */
  readonly cert: string
  readonly key: string
  /** PEM of the authority that clients have to know; absent when the system's will do. */
  readonly caCert?: string
  /** The name or address that the certificate is good for. */
  readonly host: string
}

type TlsSettings = Pick<Environment, 'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CA_FILE'>

/** Throws ConfigError for files that are missing, do not fit together, or are out of date. */
export async function openTls(options: {
  readonly environment: TlsSettings
  readonly folder: string
  /** The address that is listened on. */
  readonly host: string
  readonly clock: Clock
  readonly entropy: Entropy
}): Promise<ServerTls> {
  const { environment, folder, host, clock, entropy } = options
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, TLS_CA_FILE: caFile } = environment
  if (certFile === undefined || keyFile === undefined) {
    const extraHosts = isAny(host) ? [] : [host]
    const { caCert, cert, key } = await ensureCertificates({ folder, clock, entropy, extraHosts })
    return { cert, key, caCert, host: isAny(host) ? '127.0.0.1' : host }
  }
  const [cert, key] = await Promise.all([readText('TLS_CERT_FILE', certFile), readText('TLS_KEY_FILE', keyFile)])
  const certificate = parsed('TLS_CERT_FILE', certFile, () => new X509Certificate(cert))
  const privateKey = parsed('TLS_KEY_FILE', keyFile, () => createPrivateKey(key))
  if (!certificate.checkPrivateKey(privateKey))
    throw new ConfigError(`Check TLS_KEY_FILE: "${keyFile}" is not the key of the certificate in "${certFile}"`)
  if (certificate.validToDate.getTime() <= clock.now())
    throw new ConfigError(`Renew TLS_CERT_FILE: the certificate in "${certFile}" ended at ${certificate.validTo}`)
  const caCert = caFile === undefined ? undefined : await readText('TLS_CA_FILE', caFile)
  if (caCert !== undefined) parsed('TLS_CA_FILE', caFile ?? '', () => new X509Certificate(caCert))
  return { cert, key, ...(caCert === undefined ? {} : { caCert }), host: hostOf(certificate, host) }
}

const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** The listener's own address where the certificate has it, else the first name that is no wildcard. */
function hostOf(certificate: X509Certificate, host: string): string {
  const fits = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)
  if (fits !== undefined) return host
  const names = [...(certificate.subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].flatMap(([, name]) => name ?? [])
  return names.find((name) => !name.includes('*')) ?? (isAny(host) ? '127.0.0.1' : host)
}

async function readText(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read'
    throw new ConfigError(`Check ${setting}: cannot read "${file}" (${why})`, { cause: error })
  }
}

function parsed<T>(setting: string, file: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw new ConfigError(`Check ${setting}: "${file}" holds no PEM of this sort`, { cause: error })
  }
}
