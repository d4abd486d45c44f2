/** Decides how a response is represented from its Accept header. Pure. */
import { memoized } from '../../system/memo.ts'
import { ApiError } from '../api/errors.ts'

/** One entry of an Accept or Content-Type header. */
export type MediaType = { readonly type: string; readonly params: ReadonlyMap<string, string> }

/** How objects are sent: as themselves, as rows of a Table, or with their metadata alone. */
export type Representation =
  | { readonly as: 'Object' }
  | { readonly as: 'Table'; readonly version: 'v1' | 'v1beta1' }
  | { readonly as: 'PartialObjectMetadata'; readonly version: 'v1' | 'v1beta1' }

/** More entries than any client sends. */
const ENTRIES_MAX = 32

/** The media types of an Accept or Content-Type header, in order; quality values are ignored, as kube-apiserver does. */
export const parseMediaTypes = (header: string): readonly MediaType[] =>
  header.split(',', ENTRIES_MAX).map((entry) => {
    const [type = '', ...params] = entry.split(';').map((part) => part.trim())
    return { type: type.toLowerCase(), params: new Map(params.map(parseParam)) }
  })

function parseParam(param: string): [string, string] {
  const equals = param.indexOf('=')
  return equals < 0 ? [param, ''] : [param.slice(0, equals).trim(), param.slice(equals + 1).trim()]
}

const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/*', '*/*'])

/** The first representation of the list that we can give; throws NotAcceptable when there is none. */
export function representationOf(accept: string | undefined): Representation {
  const found = accept === undefined ? OBJECT : chosen(accept)
  if (found === false) throw notAcceptable()
  return found
}

const OBJECT: Representation = { as: 'Object' }

/** Clients send a handful of different headers, each with every request; longer ones than any of theirs are not kept. */
const HEADERS_REMEMBERED = 200
const HEADER_CHARS_MAX = 500
const remembered = memoized(choose, HEADERS_REMEMBERED)
const chosen = (accept: string) => (accept.length > HEADER_CHARS_MAX ? choose(accept) : remembered(accept))

/** False when there is nothing that we can give. */
function choose(accept: string): Representation | false {
  if (accept.trim() === '') return OBJECT
  for (const { type, params } of parseMediaTypes(accept)) {
    if (!JSON_TYPES.has(type)) continue
    const as = params.get('as')
    if (as === undefined) return OBJECT
    const version = params.get('v')
    if (params.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue
    if (as === 'Table') return { as: 'Table', version }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { as: 'PartialObjectMetadata', version }
  }
  return false
}

/** The version of aggregated discovery that is asked for first; undefined is legacy discovery. */
export function discoveryVersionOf(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, params } of parseMediaTypes(accept ?? '')) {
    if (type !== 'application/json') continue
    if (params.get('as') === undefined) return undefined
    const version = params.get('v')
    const isDiscovery = params.get('g') === 'apidiscovery.k8s.io' && params.get('as') === 'APIGroupDiscoveryList'
    if (isDiscovery && (version === 'v2' || version === 'v2beta1')) return version
  }
  return undefined
}

/** The refusal of an Accept header that names nothing we can give, in kube-apiserver's words. */
export const notAcceptable = (): ApiError =>
  new ApiError(
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io',
  )
