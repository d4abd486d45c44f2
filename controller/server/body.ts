/** Turns the bytes of a request body into a value, within limits, before anything looks at it. Pure. */
import { ApiError } from '../api/errors.ts'
import { parseMediaTypes } from './accept.ts'
import { decodeProtobuf, PROTOBUF_TYPE } from './protobuf.ts'

/** The largest request body, as kube-apiserver's: 3 MiB. Objects of more than 1 MiB are the registry's to refuse. */
export const BODY_BYTES_MAX = 3 * 1024 * 1024

/** How deep JSON may nest before it is refused unread (promises.md §3.5). */
export const JSON_DEPTH_MAX = 64

/** The refusal of a body over the limit. */
export const bodyTooLarge = (): ApiError =>
  new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${BODY_BYTES_MAX}`)

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Whether JSON text nests deeper than `depthMax`, found by one pass over its bytes. */
export function nestsDeeperThan(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (inString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      depth++
      if (depth > depthMax) return true
    } else if (byte === 0x7d || byte === 0x5d) depth--
  }
  return false
}

/** The value of a JSON body; BadRequest when it is not UTF-8 JSON within the depth limit. */
export function parseJson(bytes: Uint8Array): unknown {
  if (nestsDeeperThan(bytes, JSON_DEPTH_MAX))
    throw new ApiError('BadRequest', `The request body nests deeper than ${JSON_DEPTH_MAX} levels; flatten it`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new ApiError('BadRequest', 'The request body is not JSON in UTF-8', {}, { cause: error })
  }
}

/** The value of a body by its Content-Type: JSON, also when none is given, or protobuf of a built-in kind. */
export function parseBody(bytes: Uint8Array, contentType: string, isBuiltIn: boolean): unknown {
  if (contentType === '' || contentType === 'application/json') return parseJson(bytes)
  if (isBuiltIn && contentType === PROTOBUF_TYPE) return decodeProtobuf(bytes)
  throw unsupportedMediaType(isBuiltIn ? ['application/json', PROTOBUF_TYPE] : ['application/json'], contentType)
}

/** The media type of a Content-Type header without parameters; '' when absent. */
export const contentTypeOf = (header: string | undefined): string => parseMediaTypes(header ?? '')[0]?.type ?? ''

/** The refusal of a Content-Type, naming those that would do, in the words that kubectl knows. */
export const unsupportedMediaType = (accepted: readonly string[], received: string): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}; got "${received.slice(0, 80)}"`,
  )
