/** Opens the API's listeners, with a local CA, and writes the kubeconfig by which clients come in. */
import { PLATFORM_ADMINS, type Actor } from '../api/admission.ts'
import type { FrontProxySource } from '../server/front-proxy-tls.ts'
import { KubeconfigError, readKubeconfig, writeKubeconfig } from '../server/kubeconfig.ts'
import type { ApiServer } from '../server/server.ts'
import { derivedToken, mintToken, recordOf, type TokenSet } from '../server/tokens.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Environment } from '../config.ts'
import type { DataPaths } from './data-folder.ts'
import { openTls } from './tls.ts'

/** Where the API listens. */
export type DoorOptions = {
  /** Loopback unless said otherwise. */
  readonly host: string
  /** For kubectl and spritectl; 0 takes a free one. */
  readonly httpsPort: number
  /** For a person's browser, for curl and for local sprites; 0 takes a free one, the last one if it is free. */
  readonly httpPort: number
}

/** The open listeners: where they are, and how to enter. */
export type Door = {
  readonly httpsUrl: string
  readonly httpUrl: string
  readonly httpPort: number
  readonly kubeconfig: string
}

type Place = { readonly host: string; readonly port: number; readonly flag: '--port' | '--http-port' }

/** What is wrong is the address, whatever the port. */
const ADDRESS_CODES = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN'])

/** A listener could not be opened: EADDRINUSE, EACCES and the like are in `code`. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: string
  readonly port: number
  readonly flag: '--port' | '--http-port'

  constructor(code: string, { host, port, flag }: Place) {
    super(
      ADDRESS_CODES.has(code)
        ? `Cannot listen on "${host}" (${code}): give --host an address of this machine, or 0.0.0.0 for all of them`
        : `Cannot listen on port ${port} (${code}): choose another with ${flag}, 0 takes a free one`,
    )
    this.code = code
    this.port = port
    this.flag = flag
  }
}

const ADMIN: Actor = { name: 'admin', groups: [PLATFORM_ADMINS] }

/** Opens both listeners and writes the kubeconfig. Throws ListenError and ConfigError. */
export async function openDoor(ports: {
  readonly server: ApiServer
  readonly tokens: TokenSet
  readonly paths: DataPaths
  readonly clock: Clock
  readonly entropy: Entropy
  readonly options: DoorOptions
  readonly environment: Pick<Environment, 'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CA_FILE'>
  readonly lastHttpPort: number | undefined
  /** Who may name callers on the https listener; absent: nobody. */
  readonly frontProxy?: FrontProxySource | undefined
  /** Processes that share a control plane let the same administrator in: the token is made of this key. */
  readonly sharedKey?: Uint8Array | undefined
}): Promise<Door> {
  const { server, paths, clock, entropy, options } = ports
  const { environment, frontProxy } = ports
  const tls = await openTls({ environment, folder: paths.certificates, host: options.host, clock, entropy })
  const token = await adminToken(ports)
  const { host } = options
  const httpPort = await listenOn(
    { flag: '--http-port', host, port: options.httpPort },
    async (port) => {
      const opened = await server.listen({ http: { host, port } })
      return opened.httpPort ?? port
    },
    ports.lastHttpPort,
  )
  const httpsPort = await listenOn({ flag: '--port', host, port: options.httpsPort }, async (port) => {
    const opened = await server.listen({ https: { host, port, cert: tls.cert, key: tls.key, frontProxy } })
    return opened.httpsPort ?? port
  })
  const httpsUrl = `https://${urlHost(tls.host)}:${httpsPort}`
  const { caCert } = tls
  await writeKubeconfig(paths.kubeconfig, { server: httpsUrl, token, ...(caCert === undefined ? {} : { caCert }) })
  return { httpsUrl, httpUrl: `http://${host}:${httpPort}`, httpPort, kubeconfig: paths.kubeconfig }
}

/** An IPv6 address stands in brackets in a URL. */
const urlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** The token of the kubeconfig that is there, or a new one: it is kept nowhere else. */
async function adminToken(ports: Parameters<typeof openDoor>[0]): Promise<string> {
  if (ports.sharedKey !== undefined) {
    const { token, record } = derivedToken(ADMIN, ports.sharedKey, ADMIN.name)
    ports.tokens.add(record)
    return token
  }
  const known = await readKubeconfig(ports.paths.kubeconfig).catch((error: unknown) => {
    if (error instanceof KubeconfigError) return undefined
    throw error
  })
  const record = known === undefined ? undefined : recordOf(known.token, ADMIN)
  if (known !== undefined && record !== undefined) {
    ports.tokens.add(record)
    return known.token
  }
  const made = mintToken(ADMIN, ports.entropy)
  ports.tokens.add(made.record)
  return made.token
}

/** Opens on the port asked for; for 0 the last one is tried first, so that sprites that still run find us. */
async function listenOn(at: Place, listen: (port: number) => Promise<number>, lastPort?: number): Promise<number> {
  const { port } = at
  if (port === 0 && lastPort !== undefined) {
    try {
      return await listen(lastPort)
    } catch {
      // Taken by now: any free one will do.
    }
  }
  try {
    return await listen(port)
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new ListenError(String(error.code), at)
    throw error
  }
}
