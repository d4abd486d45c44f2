/** Decides which token a request presents and whether it may be believed from where it comes. Pure. */
import { ApiError } from '../api/errors.ts'
import type { ApiRequest } from './exchange.ts'
import { isImpersonation } from './impersonate.ts'

/**
 * A token comes as `Authorization: Bearer`, or as the password of HTTP Basic (any user name), which a browser asks a
 * person for. Not as ?token=: a URL ends up in histories, logs and Referer headers.
 */
export type Credential = { readonly token: string; readonly scheme: 'Bearer' | 'Basic' }

const TOKEN_CHARS_MAX = 8192

/** The credential of an Authorization header; undefined when there is none of a known scheme. */
export function credentialOf(authorization: string | undefined): Credential | undefined {
  if (authorization === undefined || authorization.length > TOKEN_CHARS_MAX) return undefined
  // As nearly every client writes it.
  if (/^Bearer \S+$/.test(authorization)) return { token: authorization.slice('Bearer '.length), scheme: 'Bearer' }
  const [, scheme = '', value = ''] = /^(\S+)\s+(\S+)\s*$/.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'bearer') return { token: value, scheme: 'Bearer' }
  if (scheme.toLowerCase() !== 'basic') return undefined
  const decoded = Buffer.from(value, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  return colon < 0 ? undefined : { token: decoded.slice(colon + 1), scheme: 'Basic' }
}

/** Refuses what would let a stranger act: tokens in the clear, DNS rebinding, a foreign page's form. */
export function refuseUntrusted(request: ApiRequest, credential: Credential | undefined): void {
  if (!request.isTrustedTransport)
    throw forbidden('Use https: tokens are taken over plain http only on the loopback interface')
  if (request.isLoopbackHttp && !isLoopbackHost(request.headers.get('host')))
    throw forbidden('Address the server as localhost or 127.0.0.1: the Host header names another')
  // A page may read what it gets by a WebSocket, whatever its origin.
  const isGuarded = request.method !== 'GET' || request.headers.has('upgrade')
  if (credential?.scheme === 'Basic' && isGuarded && comesFromForeignPage(request))
    throw forbidden('Write from the same origin: a page of another origin sent this request with your password')
}

/** Refuses impersonation where it is not served: to ignore it would give the caller its own, larger rights. */
export function refuseImpersonation(request: Pick<ApiRequest, 'headers'>): void {
  if (isImpersonation(request)) throw forbidden('Leave impersonation out: it is not served on this path')
}

const forbidden = (message: string): ApiError => new ApiError('Forbidden', message)

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

const isLoopbackHost = (host: string | undefined): boolean => host !== undefined && LOOPBACK_HOST.test(host)

/** Browsers add the password of Basic to any page's requests; Sec-Fetch-Site and Origin tell whose page it was. */
function comesFromForeignPage(request: ApiRequest): boolean {
  const site = request.headers.get('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const origin = request.headers.get('origin')
  if (origin === undefined) return false
  return origin.replace(/^https?:\/\//, '') !== request.headers.get('host')
}

/** The 401 of kube-apiserver; `WWW-Authenticate` names both schemes, so that a browser asks for the password. */
export const unauthorized = (): ApiError => new ApiError('Unauthorized', 'Unauthorized')

/** The challenges that go with a 401. */
export const CHALLENGES: readonly string[] = ['Bearer', 'Basic realm="sprites", charset="UTF-8"']

/** An address of the loopback interface, mapped IPv4 included. */
export const isLoopbackAddress = (address: string | undefined): boolean =>
  address !== undefined && (address === '::1' || /^(?:::ffff:)?127\./.test(address))
