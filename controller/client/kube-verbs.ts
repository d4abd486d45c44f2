/** Reads and patches a Kubernetes API server whatever the kind: pages of one snapshot, reads tried again, patches that overtake. */
import { backoffMs, type BackoffPolicy } from '../../system/backoff.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { ResourceIdentity } from '../api/define-kind.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import type { ListQuery } from './client.ts'
import { collectionPath } from './kube-path.ts'
import type { KubeWire, WireRequest } from './kube-wire.ts'

/** Objects a page. */
const PAGE_LIMIT = 500
/** Pages of one list: 5 million objects. */
const PAGES_MAX = 10_000

/** kube-apiserver gives up a patch that other writes overtook five times; we ask again so often. */
const PATCH_TRIES = 8
const PATCH_BACKOFF: BackoffPolicy = { baseMs: 10, maxMs: 500, jitter: 0.5 }

/** `group/version`, or the version alone in the core group. */
export const apiVersionOf = ({ group, version }: Pick<ResourceIdentity, 'group' | 'version'>): string =>
  group === '' ? version : `${group}/${version}`

/** The selectors of a query as URL parameters. */
export const selectorsOf = ({ labelSelector, fieldSelector }: ListQuery): Record<string, string> => ({
  ...(labelSelector === undefined ? {} : { labelSelector }),
  ...(fieldSelector === undefined ? {} : { fieldSelector }),
})

/** A read; asked once more when its connection breaks: a server that has restarted closed those that were kept. */
export async function readKube(
  wire: Pick<KubeWire, 'send'>,
  request: Pick<WireRequest, 'path' | 'query'>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  try {
    return await wire.send({ method: 'GET', ...request }, signal)
  } catch (error) {
    if (!hasReason(error, 'ServiceUnavailable')) throw error
    return await wire.send({ method: 'GET', ...request }, signal)
  }
}

/** What is listed: objects of a resource, those that the query selects. */
export type Listing = { readonly resource: ResourceIdentity; readonly query: ListQuery }

/** A list or a page of one; `continue` names the page after it. */
export type KubeList = {
  readonly items: readonly KubeObject[]
  readonly resourceVersion: string
  readonly continue?: string
}

/** All pages of one snapshot; where that expires between pages, everything at once. */
export async function listKube(
  wire: Pick<KubeWire, 'send'>,
  what: Listing,
  signal: AbortSignal | undefined,
): Promise<KubeList> {
  try {
    return await pages(wire, what, signal)
  } catch (error) {
    if (!hasReason(error, 'Expired')) throw error
    return await pageOfKube(wire, what, {}, signal)
  }
}

async function pages(wire: Pick<KubeWire, 'send'>, what: Listing, signal: AbortSignal | undefined): Promise<KubeList> {
  const found: KubeList[] = []
  let token: string | undefined
  do {
    const more = { limit: String(PAGE_LIMIT), ...(token === undefined ? {} : { continue: token }) }
    const page = await pageOfKube(wire, what, more, signal)
    found.push(page)
    token = page.continue
  } while (token !== undefined && found.length < PAGES_MAX)
  return { items: found.flatMap(({ items }) => items), resourceVersion: found.at(-1)?.resourceVersion ?? '' }
}

type Page = {
  readonly items?: readonly KubeObject[] | null
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}

/** One request for a list; `more` are the parameters of paging. Items of built-in kinds come without kind and apiVersion. */
export async function pageOfKube(
  wire: Pick<KubeWire, 'send'>,
  { resource, query }: Listing,
  more: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<KubeList> {
  const path = collectionPath(resource, query.namespace ?? '')
  // A list of the API has this shape; what is absent is looked at as such.
  const page = (await readKube(wire, { path, query: { ...selectorsOf(query), ...more } }, signal)) as Page
  const identity = { apiVersion: apiVersionOf(resource), kind: resource.kind }
  const { resourceVersion = '', continue: token = '' } = page.metadata ?? {}
  if (resourceVersion === '')
    throw new ApiError('InternalError', `The list of ${resource.plural} has no resourceVersion`)
  return {
    items: (page.items ?? []).map((item) => ({ ...identity, ...item })),
    resourceVersion,
    ...(token === '' ? {} : { continue: token }),
  }
}

/** A patch that names no version means whatever is current: a conflict is only that others were faster. */
export async function overtaking<T>(
  send: () => Promise<T>,
  at: {
    readonly resourceVersion: string | undefined
    readonly clock: Clock
    readonly entropy: Entropy
    readonly signal: AbortSignal | undefined
  },
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send()
    } catch (error) {
      if (at.resourceVersion !== undefined || tries >= PATCH_TRIES || !hasReason(error, 'Conflict')) throw error
      await at.clock.sleep(backoffMs(PATCH_BACKOFF, tries, at.entropy.random()), at.signal)
    }
  }
}
