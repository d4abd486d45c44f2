/** Asks an image's registry whether it can be pulled, and which digest a tag names now. */
import type { Clock } from '../../../system/clock.ts'
import { check, type Check } from '../check.ts'
import { isPinned } from './spec-check.ts'

/** Where an image lies. */
export type ImageRef = { readonly host: string; readonly repository: string; readonly reference: string }

/** An image's name taken apart, as Docker does; undefined where it is none. Pure. */
export function parseImage(image: string): ImageRef | undefined {
  const found =
    /^(?:([^/]+\.[^/]+|localhost(?::\d+)?|[^/]+:\d+)\/)?([a-z0-9][a-z0-9._/-]*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(
      image,
    )
  const [, host = 'registry-1.docker.io', path, tag = 'latest', digest] = found ?? []
  if (path === undefined) return undefined
  const repository = host === 'registry-1.docker.io' && !path.includes('/') ? `library/${path}` : path
  return { host, repository, reference: digest ?? tag }
}

const FLY_REGISTRY = 'registry.fly.io'
const TIMEOUT_MS = 4_000
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** How the registry is asked. */
export type ImagePorts = {
  readonly clock: Clock
  /** For Fly's own registry alone. */
  readonly flyToken?: string | undefined
  readonly fetch?: typeof globalThis.fetch
}

/** One check. Never rejects. */
export async function imageCheck(image: string, ports: ImagePorts): Promise<Check> {
  const ref = parseImage(image)
  if (ref === undefined) return check('image', 'fail', `"${image}" is no image`, 'set SPRITE_IMAGE')
  try {
    const { status, digest } = await manifest(ref, ports)
    if (status === 404)
      return check('image', 'fail', `"${image}" is not in its registry`, 'push it, or set SPRITE_IMAGE')
    if (status !== 200)
      return check(
        'image',
        'warn',
        `the registry answers ${status}: whether "${image}" is there is not known`,
        toPin(image),
      )
    if (isPinned(image)) return check('image', 'ok', `"${image}" can be pulled and is pinned`)
    const pinned = digest === undefined ? 'a digest' : `"${image}@${digest}"`
    return check('image', 'warn', `"${image}" can be pulled, but is not pinned`, `set SPRITE_IMAGE to ${pinned}`)
  } catch (error) {
    return check('image', 'warn', `cannot ask "${ref.host}" for it: ${causeOf(error)}`, toPin(image))
  }
}

/** What fetch hides behind "fetch failed": a name that is not found, a refused connection, a certificate. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error && cause.message !== '' ? cause.message : String(error)
}

/** The first machine's digest would be the pin: better one that somebody has chosen. */
const toPin = (image: string): string | undefined =>
  isPinned(image) ? undefined : 'it is not pinned, set SPRITE_IMAGE to a digest, IMAGE@sha256:…'

/** What a registry says of an image: which digest it names now, or that there is none of that name. */
export type ImageLook = { readonly digest?: string | undefined; readonly isMissing: boolean }

/** Asks the image's registry; neither digest nor absence where it does not say. Never rejects. */
export async function lookAtImage(image: string, ports: ImagePorts): Promise<ImageLook> {
  const ref = parseImage(image)
  if (ref === undefined) return { isMissing: false }
  try {
    const { status, digest } = await manifest(ref, ports)
    return { digest: status === 200 ? digest : undefined, isMissing: status === 404 }
  } catch {
    return { isMissing: false }
  }
}

type Manifest = { readonly status: number; readonly digest: string | undefined }

async function manifest(ref: ImageRef, ports: ImagePorts): Promise<Manifest> {
  const path = ref.repository.split('/').map(encodeURIComponent).join('/')
  const url = `https://${ref.host}/v2/${path}/manifests/${encodeURIComponent(ref.reference)}`
  const first = await head(url, authorizationFor(ref, ports), ports)
  const challenge = first.status === 401 ? first.headers.get('www-authenticate') : null
  const bearer = challenge === null ? undefined : await anonymousToken(challenge, ports)
  const reply = bearer === undefined ? first : await head(url, `Bearer ${bearer}`, ports)
  return { status: reply.status, digest: reply.headers.get('docker-content-digest') ?? undefined }
}

function authorizationFor({ host }: ImageRef, { flyToken }: ImagePorts): string | undefined {
  if (host !== FLY_REGISTRY || flyToken === undefined) return undefined
  const bare = flyToken.trim().replace(/^(?:FlyV1|Bearer)\s+/i, '')
  return `Basic ${Buffer.from(`x:${bare}`).toString('base64')}`
}

const head = (url: string, authorization: string | undefined, ports: ImagePorts): Promise<Response> =>
  bounded(ports, (signal, fetch) =>
    fetch(url, {
      method: 'HEAD',
      headers: { accept: ACCEPT, ...(authorization === undefined ? {} : { authorization }) },
      redirect: 'manual',
      signal,
    }),
  )

/** The token that anybody may have for a public image; undefined where the challenge asks for something else. */
async function anonymousToken(challenge: string, ports: ImagePorts): Promise<string | undefined> {
  const field = (name: string): string | undefined => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1]
  const realm = field('realm')
  if (!/^bearer /i.test(challenge) || realm === undefined || !realm.startsWith('https://')) return undefined
  const url = new URL(realm)
  for (const name of ['service', 'scope']) {
    const value = field(name)
    if (value !== undefined) url.searchParams.set(name, value)
  }
  const answer = await bounded(ports, (signal, fetch) => fetch(url, { signal }))
  const body: unknown = answer.ok ? await answer.json() : undefined
  const token = typeof body === 'object' && body !== null && 'token' in body ? body.token : undefined
  return typeof token === 'string' ? token : undefined
}

async function bounded(
  { clock, fetch = globalThis.fetch }: ImagePorts,
  send: (signal: AbortSignal, fetch: typeof globalThis.fetch) => Promise<Response>,
): Promise<Response> {
  const deadline = new AbortController()
  const cancel = clock.after(TIMEOUT_MS, () => deadline.abort(), { background: true })
  try {
    return await send(deadline.signal, fetch)
  } finally {
    cancel()
  }
}
