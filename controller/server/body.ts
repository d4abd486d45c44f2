/** Turns the bytes of a request body into a value, within limits, before anything looks at it. Pure. */
import { ApiError } from '../api/errors.ts'
import { isJsonObject } from '../api/patches.ts'
import { readManifests } from '../manifest/read.ts'
import type { FieldValidation } from '../registry/registry.ts'
import { parseMediaTypes } from './accept.ts'
import { duplicatesIn, fieldPath } from './duplicates.ts'
import { refuseCrowded, refuseCrowdedValue } from './members.ts'
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

/** What a body says, and what `fieldValidation` is to judge: a sentence for each key that stands twice. */
export type ReadBody = { readonly value: unknown; readonly duplicates: readonly string[] }

/** The value of a JSON body; BadRequest when it is not UTF-8 JSON within the depth limit, RequestEntityTooLarge for too many members. */
export function parseJson(bytes: Uint8Array): unknown {
  if (nestsDeeperThan(bytes, JSON_DEPTH_MAX))
    throw new ApiError('BadRequest', `The request body nests deeper than ${JSON_DEPTH_MAX} levels; flatten it`)
  refuseCrowded(bytes)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new ApiError('BadRequest', 'The request body is not JSON in UTF-8', {}, { cause: error })
  }
}

const duplicateField = (path: readonly (string | number)[]): string => `duplicate field "${fieldPath(path)}"`

/** A JSON body; without `validation` nobody looks for duplicates. */
function readJson(bytes: Uint8Array, validation: FieldValidation): ReadBody {
  const value = parseJson(bytes)
  if (validation === 'Ignore') return { value, duplicates: [] }
  return { value, duplicates: duplicatesIn(bytes).map(({ path }) => duplicateField(path)) }
}

/** The body of a merge patch or a JSON patch; what the values of a JSON patch say twice is told as of the object. */
export function parsePatch(bytes: Uint8Array, validation: FieldValidation, isJsonPatch: boolean): ReadBody {
  if (!isJsonPatch) return readJson(bytes, validation)
  const value = parseJson(bytes)
  const found = validation === 'Ignore' ? [] : duplicatesIn(bytes)
  return {
    value,
    duplicates: [
      ...found.map(({ path }) => `json patch ${duplicateField(path)}`),
      ...found.flatMap(({ path }) => {
        const [index, member, ...rest] = path
        const target = member === 'value' && rest.length > 0 ? pointerOf(value, index) : undefined
        return target === undefined ? [] : [duplicateField([...target, ...rest])]
      }),
    ],
  }
}

/** The way that an operation of a JSON patch names. */
function pointerOf(patch: unknown, index: string | number | undefined): readonly string[] | undefined {
  const operation: unknown = Array.isArray(patch) && typeof index === 'number' ? patch[index] : undefined
  const path = isJsonObject(operation) ? operation['path'] : undefined
  if (typeof path !== 'string') return undefined
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The sentences of a YAML reader, as Kubernetes strings them together. */
export const unmarshalErrors = (lines: readonly string[]): string => `yaml: unmarshal errors:\n  ${lines.join('\n  ')}`

const lineSentence = ({ line, key }: { readonly line: number; readonly key: string }): string =>
  `line ${line}: key "${key}" already set in map`

/** One document of YAML 1.1 within the bounds of a manifest, or JSON, which is YAML too; throws BadRequest. */
export function parseYaml(bytes: Uint8Array): ReadBody {
  const text = yamlText(bytes)
  // Braces in a text block are no nesting; the YAML reader has a bound of its own.
  const json = nestsDeeperThan(bytes, JSON_DEPTH_MAX) ? undefined : jsonOf(text)
  if (json !== undefined) {
    refuseCrowded(bytes)
    return { value: json.value, duplicates: duplicatesIn(bytes).map(lineSentence) }
  }
  const { documents, problems } = readManifests(text, { file: 'body', tellsDuplicates: true })
  const [problem] = problems
  if (problem !== undefined) throw unreadable(`line ${problem.line}: ${problem.message}`)
  const [document] = documents
  if (document === undefined || documents.length > 1) throw unreadable('one object is expected')
  return { value: document.value, duplicates: document.duplicates.map(lineSentence) }
}

function jsonOf(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}

function yamlText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw unreadable('it is not UTF-8', error)
  }
}

const unreadable = (why: string, cause?: unknown): ApiError =>
  new ApiError('BadRequest', `error decoding YAML: ${why}`, {}, { cause })

const JSON_TYPE = 'application/json'
const YAML_TYPE = 'application/yaml'

/** How a body is read: its media type, whether its kind is built in, and what becomes of duplicates. */
export type BodyOptions = {
  readonly contentType: string
  readonly isBuiltIn: boolean
  readonly validation: FieldValidation
}

/** An object's body by its Content-Type: JSON, also when none is given, YAML, or protobuf of a built-in kind. */
export function readTyped(bytes: Uint8Array, { contentType, isBuiltIn, validation }: BodyOptions): ReadBody {
  if (contentType === '' || contentType === JSON_TYPE) return readJson(bytes, validation)
  if (contentType === YAML_TYPE) {
    const { value, duplicates } = parseYaml(bytes)
    const isTold = validation === 'Strict' && duplicates.length > 0
    return { value, duplicates: isTold ? [unmarshalErrors(duplicates)] : duplicates }
  }
  if (isBuiltIn && contentType === PROTOBUF_TYPE) {
    const value = decodeProtobuf(bytes)
    refuseCrowdedValue(value)
    return { value, duplicates: [] }
  }
  throw unsupportedMediaType([JSON_TYPE, YAML_TYPE, ...(isBuiltIn ? [PROTOBUF_TYPE] : [])])
}

/** The value of a body by its Content-Type, where nobody asks for duplicates. */
export const parseBody = (bytes: Uint8Array, contentType: string, isBuiltIn: boolean): unknown =>
  readTyped(bytes, { contentType, isBuiltIn, validation: 'Ignore' }).value

/** The media type of a Content-Type header without parameters; '' when absent. */
export const contentTypeOf = (header: string | undefined): string => parseMediaTypes(header ?? '')[0]?.type ?? ''

/** The refusal of a Content-Type, naming those that would do, in the words that kubectl knows. */
export const unsupportedMediaType = (accepted: readonly string[], _received?: string): ApiError =>
  new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  )
