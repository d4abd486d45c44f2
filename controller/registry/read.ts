/** Serves lists: at a revision, in pages, through selectors. */
import { resourceName } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { selectorPredicate, type Predicate } from '../api/selectors.ts'
import type { ListOptions, ListPage } from '../store/store.ts'
import { decodeContinue, encodeContinue } from './continue-token.ts'
import type { RegistryOptions } from './ports.ts'
import { badRequest, futureRevision } from './refusals.ts'
import { objectOf } from './records.ts'
import type { RegistryList, RegistryListOptions } from './registry.ts'
import { fromStore } from './store-errors.ts'
import { EVERYWHERE, isIn, placesOf, visibilityOf, type Bounds } from './within.ts'

/** Records that one read of the store asks for when a selector sorts most of them out. */
const FILTERED_PAGE_RECORDS = 500

/** Lists objects of a resource; see the Registry port. */
export async function list(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  options: RegistryListOptions,
): Promise<RegistryList> {
  const isSelected = selectedWithin(resource, options)
  const start = await startOf(ports, options)
  const collected = await collect(ports, resource, { options, isSelected, start })
  const hasSelector = (options.labelSelector ?? '') !== '' || (options.fieldSelector ?? '') !== ''
  // How many objects there are is not told to those who may not see them all.
  const isCounted = !hasSelector && options.within === undefined
  return {
    items: collected.items,
    resourceVersion: String(collected.revision),
    ...(collected.after === undefined
      ? {}
      : {
          continue: encodeContinue({ revision: collected.revision, after: collected.after }),
          ...(isCounted ? { remainingItemCount: collected.remaining } : {}),
        }),
  }
}

/** The predicate of both selectors; throws BadRequest when one is malformed or names an unsupported field. */
export function predicateOf(
  resource: ResourceDefinition,
  selectors: { readonly labelSelector?: string; readonly fieldSelector?: string },
): Predicate {
  const predicate = selectorPredicate(selectors, resource.selectableFields, resource.scope)
  if (!predicate.ok) throw badRequest(predicate.error.message)
  return predicate.value
}

/** The predicate of both selectors and of what may be seen; throws BadRequest as `predicateOf`. */
export function selectedWithin(
  resource: ResourceDefinition,
  options: Bounds & { readonly labelSelector?: string; readonly fieldSelector?: string },
): Predicate {
  const isSelected = predicateOf(resource, options)
  const isVisible = visibilityOf(resource, options)
  return isVisible === undefined ? isSelected : (object) => isVisible(object) && isSelected(object)
}

/** A resourceVersion of a request: undefined for '' and '0', which both mean any; throws BadRequest. */
export function revisionOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === '0') return undefined
  const revision = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : NaN
  if (Number.isSafeInteger(revision)) return revision
  throw badRequest(`Cannot read the resourceVersion "${text.slice(0, 50)}": a decimal integer is expected`)
}

type Start = {
  readonly at?: number
  readonly after?: { readonly namespace: string; readonly name: string }
  /** What this process has heard of is enough. */
  readonly mayLag?: boolean
}

/** Where a list begins: at a token's key and revision, at an exact revision, or now. */
async function startOf(ports: RegistryOptions, options: RegistryListOptions): Promise<Start> {
  const { resourceVersion, resourceVersionMatch: match } = options
  if (options.continue !== undefined && options.continue !== '') {
    if (revisionOf(resourceVersion) !== undefined)
      throw badRequest('specifying resource version is not allowed when using continue')
    const token = decodeContinue(options.continue)
    if (!token.ok) throw badRequest(token.error)
    return { at: token.value.revision, after: token.value.after }
  }
  const revision = revisionOf(resourceVersion)
  if (match !== undefined && (resourceVersion ?? '') === '') throw matchWithoutVersion()
  if (match === 'Exact' && revision === undefined)
    throw new ApiError('Invalid', 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
  // As Kubernetes: "0" takes what is at hand, and nothing asks for the newest.
  if (revision === undefined) return resourceVersion === '0' ? { mayLag: true } : {}
  const current = await ports.store.revision()
  if (revision > current) throw futureRevision(revision, current)
  // As Kubernetes: a bare resourceVersion on a paged list means that very revision.
  const isExact = match === 'Exact' || (match === undefined && (options.limit ?? 0) > 0)
  return isExact ? { at: revision } : {}
}

const matchWithoutVersion = (): ApiError =>
  new ApiError('Invalid', 'resourceVersionMatch is forbidden unless resourceVersion is provided', {
    causes: [{ reason: 'FieldValueForbidden', message: 'Forbidden', field: 'resourceVersionMatch' }],
  })

type Collected = {
  readonly items: readonly KubeObject[]
  readonly revision: number
  readonly after?: { readonly namespace: string; readonly name: string }
  readonly remaining: number
}

/** Reads pages of one snapshot until enough objects are selected or none is left: each page moves on, so it ends. */
async function collect(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  from: { readonly options: RegistryListOptions; readonly isSelected: Predicate; readonly start: Start },
): Promise<Collected> {
  const { limit = 0 } = from.options
  const { after } = from.start
  const items: KubeObject[] = []
  const isAhead = (place: string): boolean => after === undefined || place === EVERYWHERE || place >= after.namespace
  const places = placesOf(resource, from.options).filter(isAhead)
  const isVisible = visibilityOf(resource, from.options)
  let { at } = from.start
  for (const [index, place] of places.entries()) {
    const isBegun = after !== undefined && isIn(place, after.namespace)
    const start: Start = {
      ...(at === undefined ? { mayLag: from.start.mayLag === true } : { at }),
      ...(isBegun ? { after } : {}),
    }
    const found = await collectFrom(ports, resource, { place, items, limit, isSelected: from.isSelected, start })
    at = found.revision
    const { last } = found
    if (last === undefined) continue
    const rest = { isVisible, places: places.slice(index + 1), at }
    const isAnyHere = (): Promise<boolean> => isAnyIn(ports, resource, { ...rest, places: [place], after: last })
    const hasMore =
      (found.remaining > 0 && (isVisible === undefined || (await isAnyHere()))) ||
      (await isAnyIn(ports, resource, rest))
    return { items, revision: at, remaining: found.remaining, ...(hasMore ? { after: last } : {}) }
  }
  return { items, revision: at ?? (await ports.store.revision()), remaining: 0 }
}

/** Adds the objects of one namespace, or of all, to `items`; `last` is the key at which there were enough. */
async function collectFrom(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  from: {
    readonly place: string
    readonly items: KubeObject[]
    readonly limit: number
    readonly isSelected: Predicate
    readonly start: Start
  },
): Promise<{ readonly revision: number; readonly remaining: number; readonly last?: Start['after'] }> {
  const { items, limit } = from
  let { start } = from
  for (;;) {
    const pageLimit = limit > 0 ? { limit: start === from.start ? limit : Math.max(limit, FILTERED_PAGE_RECORDS) } : {}
    const page = await pageOf(ports, resource, { ...start, ...pageLimit, ...inPlace(from.place) })
    for (const [index, record] of page.records.entries()) {
      const object = objectOf(record)
      if (!from.isSelected(object)) continue
      items.push(object)
      if (items.length !== limit) continue
      const remaining = page.remaining + page.records.length - index - 1
      return { revision: page.revision, remaining, last: { namespace: record.namespace, name: record.name } }
    }
    if (page.next === undefined) return { revision: page.revision, remaining: 0 }
    start = { at: page.revision, after: page.next }
  }
}

/**
 * Whether any of the namespaces has an object, after the key if one is given: else a page that is full is the last one.
 * What may not be seen does not count: a token would tell that it is there.
 */
async function isAnyIn(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  from: {
    readonly isVisible: Predicate | undefined
    readonly places: readonly string[]
    readonly at: number
    readonly after?: NonNullable<Start['after']>
  },
): Promise<boolean> {
  const { isVisible } = from
  const limit = isVisible === undefined ? 1 : FILTERED_PAGE_RECORDS
  for (const place of from.places) {
    let { after } = from
    do {
      const page = await pageOf(ports, resource, {
        at: from.at,
        limit,
        ...(after === undefined ? {} : { after }),
        ...inPlace(place),
      })
      if (page.records.some((record) => isVisible?.(objectOf(record)) ?? true)) return true
      after = page.next
    } while (after !== undefined)
  }
  return false
}

const inPlace = (place: string) => (place === EVERYWHERE ? {} : { namespace: place })

const pageOf = (ports: RegistryOptions, resource: ResourceDefinition, options: ListOptions): Promise<ListPage> =>
  fromStore(resource, '', () => ports.store.list(resourceName(resource), options))
