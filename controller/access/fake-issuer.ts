/** A real OIDC issuer on the loopback interface whose keys and manners a test changes. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose'

/** How a fake issuer answers. */
export type Manners = 'well' | 'error' | 'hangs' | 'garbage' | 'huge' | 'redirects' | 'otherIssuer' | 'noKeys'

/** A key that signs, and what is told of it. */
export type IssuerKey = {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

/** An issuer that listens. */
export type FakeIssuer = {
  readonly url: string
  /** The paths that were asked for, in order. */
  readonly asked: string[]
  /** What stands in the set of keys. */
  readonly keys: JWK[]
  manners: Manners
  /** Where the set of keys lies. */
  keysPath: string
  readonly close: () => Promise<void>
}

/** A new key pair; `told` is what the set of keys says of it besides. */
export async function makeKey(kid: string, alg = 'RS256', told: Partial<JWK> = {}): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig', ...told } }
}

/** A signed token; `header` goes over what the key says. */
export const signed = (key: IssuerKey, claims: JWTPayload, header: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey)

/** Opens an issuer on a free port. */
export async function fakeIssuer(keys: readonly IssuerKey[]): Promise<FakeIssuer> {
  const server = createServer((request, response) => answer(issuer, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // a TCP listener's address is of this form
  const issuer: FakeIssuer = {
    url: `http://127.0.0.1:${port}`,
    asked: [],
    keys: keys.map(({ jwk }) => jwk),
    manners: 'well',
    keysPath: '/keys',
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return issuer
}

const HUGE = 'x'.repeat(300_000)

function answer(issuer: FakeIssuer, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? ''
  issuer.asked.push(path)
  if (issuer.manners === 'hangs') return
  if (issuer.manners === 'error') return void response.writeHead(500).end('{}')
  if (issuer.manners === 'redirects' && path !== '/elsewhere')
    return void response.writeHead(302, { location: '/elsewhere' }).end()
  if (issuer.manners === 'garbage') return void response.end('<html>')
  if (issuer.manners === 'huge') return void response.end(JSON.stringify({ ...document(issuer), HUGE }))
  if (path === issuer.keysPath)
    return void response.end(JSON.stringify({ keys: issuer.manners === 'noKeys' ? [] : issuer.keys }))
  const isDocument = path === '/.well-known/openid-configuration' || path === '/elsewhere'
  response.writeHead(isDocument ? 200 : 404).end(JSON.stringify(document(issuer)))
}

const document = (issuer: FakeIssuer): object => ({
  issuer: issuer.manners === 'otherIssuer' ? 'https://evil.example' : issuer.url,
  jwks_uri: `${issuer.url}${issuer.keysPath}`,
})
