/** Fetches a small JSON document of an issuer: in time, without redirects, and no more of it than is good for us. */
import type { Clock } from '../../system/clock.ts'

/** An issuer could not be asked, or answered with something else; the message says what. */
export class IssuerError extends Error {
  override readonly name = 'IssuerError'
}

const TIMEOUT_MS = 5_000
const DOCUMENT_BYTES_MAX = 262_144
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Whether what comes from there can be believed: https, or this very machine. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname)))
}

/** The document at a URL. Rejects with IssuerError. */
export async function fetchJson(
  url: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<unknown> {
  const late = new AbortController()
  const cancel = clock.after(TIMEOUT_MS, () => late.abort())
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.any([late.signal, signal]),
    })
    const text = await textOf(response)
    if (!response.ok) throw new IssuerError(`it answers with code "${response.status}"`)
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof IssuerError) throw error
    throw new IssuerError(late.signal.aborted ? 'it does not answer in time' : whyOf(error), { cause: error })
  } finally {
    cancel()
  }
}

/** The whole body; one that is too long is left unread. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let sizeBytes = 0
  // What fetch gives are bytes.
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length
    if (sizeBytes > DOCUMENT_BYTES_MAX) throw new IssuerError('its answer is too long')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** A code such as ECONNREFUSED says more than "fetch failed". */
function whyOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'its answer is not JSON'
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof Error && 'code' in cause) return `it cannot be reached: ${String(cause.code)}`
  return 'it cannot be reached'
}
