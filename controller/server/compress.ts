/** Compresses large answers for clients that accept gzip, off the event loop; streams are left as they are. */
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGzip, gzip } from 'node:zlib'
import { isStream, isWhole, type ApiRequest, type ApiResponse, type Pieces } from './exchange.ts'

/** Bytes from which on an answer is compressed, as kube-apiserver has it: smaller ones cost more time than they save. */
export const COMPRESS_FROM_BYTES = 128 * 1024
const OPTIONS = { level: constants.Z_BEST_SPEED } as const
const gzipped: (bytes: Uint8Array, options: typeof OPTIONS) => Promise<Buffer> = promisify(gzip)

/** Compressed forms of bodies that are kept, such as OpenAPI documents; they live as long as the body. */
const kept = new WeakMap<Uint8Array, Promise<Buffer>>()

/** The answer as it goes to this client: of a GET that is large enough, in gzip when it is accepted. */
export async function compressed(
  request: Pick<ApiRequest, 'method' | 'headers' | 'signal'>,
  response: ApiResponse,
): Promise<ApiResponse> {
  const { body } = response
  if (request.method !== 'GET' || isStream(body) || isSmall(body)) return response
  const vary = [response.headers['Vary'] ?? [], 'Accept-Encoding'].flat().join(', ')
  const headers = { ...response.headers, Vary: vary }
  if (!acceptsGzip(request.headers.get('accept-encoding'))) return { ...response, headers }
  const encoded = { ...headers, 'Content-Encoding': 'gzip' }
  if (isWhole(body)) return { ...response, headers: encoded, body: await gzipOf(body) }
  return { ...response, headers: encoded, body: gzipPieces(body, request.signal) }
}

/** Pieces are made of what is large alone. */
const isSmall = (body: ApiResponse['body']): boolean => isWhole(body) && body.length < COMPRESS_FROM_BYTES

function gzipOf(body: string | Uint8Array): Promise<Buffer> {
  if (typeof body === 'string') return gzipped(Buffer.from(body), OPTIONS)
  const known = kept.get(body)
  if (known !== undefined) return known
  const made = gzipped(body, OPTIONS)
  kept.set(body, made)
  return made
}

async function* gzipPieces(pieces: Pieces, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = Readable.from(pieces, { objectMode: true, highWaterMark: 1 })
  const zip = source.pipe(createGzip({ ...OPTIONS, chunkSize: 64 * 1024 }))
  const stop = (): void => {
    source.destroy()
    zip.destroy()
  }
  signal.addEventListener('abort', stop, { once: true })
  try {
    // Chunks of zlib are buffers.
    for await (const chunk of zip) yield chunk as Buffer
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

/** Whether gzip is acceptable (RFC 9110 §12.5.3): named, or by `*`, with a quality above 0. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined || header.length > HEADER_CHARS_MAX) return false
  const qualities = new Map(header.split(',').map(parseCoding))
  return (qualities.get('gzip') ?? qualities.get('x-gzip') ?? qualities.get('*') ?? 0) > 0
}

const HEADER_CHARS_MAX = 1_024

function parseCoding(entry: string): readonly [string, number] {
  const [name = '', ...params] = entry.split(';').map((part) => part.trim().toLowerCase())
  const quality = params.find((param) => param.startsWith('q='))?.slice(2)
  if (quality === undefined) return [name, 1]
  return [name, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(quality) ? Number(quality) : 0]
}
