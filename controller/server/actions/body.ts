/** Reads the body of an action, which may be left out, against the schema of its kind. */
import { isJsonObject } from '../../api/patches.ts'
import type { JsonObject } from '../../api/object.ts'
import { ApiError, type Cause } from '../../api/errors.ts'
import { prune } from '../../api/schema/prune.ts'
import { validate } from '../../api/schema/validate.ts'
import type { StructuralSchema } from '../../api/schema/structural.ts'
import type { SubresourceDefinition } from '../../api/resource.ts'
import type { WriteContext } from '../../registry/registry.ts'
import { contentTypeOf, parseJson, unsupportedMediaType } from '../body.ts'
import { groupVersion } from '../discovery.ts'
import type { Call } from '../verbs.ts'

const JSON_TYPE = 'application/json'

const HEAD: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'spec'])

/**
 * What the body's spec says. A field of the spec may also stand beside apiVersion and kind. Throws BadRequest for
 * another kind or name, Invalid with the field for a value that does not fit.
 */
export async function readAction(
  call: Call,
  definition: SubresourceDefinition,
  context: WriteContext,
): Promise<JsonObject> {
  const given = (await readJsonBody(call)) ?? {}
  if (!isJsonObject(given)) throw new ApiError('BadRequest', `The body must be a ${definition.kind.kind} object`)
  checkHead(given, definition, call.path.name ?? '')
  return readSpec(given, { call, definition, context })
}

/** The JSON of a body, also when no media type is named; undefined when there is no body. */
export async function readJsonBody(call: Call): Promise<unknown> {
  const bytes = await call.request.readBody()
  if (bytes.length === 0) return undefined
  const contentType = contentTypeOf(call.request.headers.get('content-type'))
  if (contentType !== '' && contentType !== JSON_TYPE) throw unsupportedMediaType([JSON_TYPE], contentType)
  return parseJson(bytes)
}

function checkHead(body: JsonObject, { kind }: SubresourceDefinition, name: string): void {
  const expected = groupVersion(kind.group, kind.version)
  const { apiVersion, kind: given, metadata } = body
  if (apiVersion !== undefined && apiVersion !== expected)
    throw new ApiError(
      'BadRequest',
      `the API version in the data (${shown(apiVersion)}) does not match the expected API version (${expected})`,
    )
  if (given !== undefined && given !== kind.kind)
    throw new ApiError(
      'BadRequest',
      `the kind in the data (${shown(given)}) does not match the expected kind (${kind.kind})`,
    )
  const named = isJsonObject(metadata) ? metadata['name'] : undefined
  if (named !== undefined && named !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${shown(named)}) does not match the name on the URL (${name})`,
    )
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 80)

type Reading = { readonly call: Call; readonly definition: SubresourceDefinition; readonly context: WriteContext }

function readSpec(body: JsonObject, { call, definition, context }: Reading): JsonObject {
  const flat = Object.fromEntries(Object.entries(body).filter(([field]) => !HEAD.has(field)))
  const whole: JsonObject = { spec: body['spec'] ?? flat }
  const schema: StructuralSchema = definition.schema ?? { type: 'object' }
  const { value, unknown } = prune(schema, { ...(body['spec'] === undefined ? {} : flat), ...whole })
  tellUnknown(unknown, context)
  const causes = validate(schema, value)
  if (causes.length > 0) throw invalidAction(causes, definition, call.path.name ?? '')
  const { spec } = value
  return isJsonObject(spec) ? spec : {}
}

/** Unknown fields that are told at most. */
const UNKNOWN_TOLD_MAX = 20

function tellUnknown(unknown: readonly string[], { fieldValidation, warn }: WriteContext): void {
  const texts = unknown.slice(0, UNKNOWN_TOLD_MAX).map((path) => `unknown field "${path}"`)
  if (texts.length === 0 || fieldValidation === 'Ignore') return
  if (fieldValidation === 'Strict') throw new ApiError('BadRequest', `strict decoding error: ${texts.join(', ')}`)
  for (const text of texts) warn?.(text)
}

function invalidAction(causes: readonly Cause[], { kind }: SubresourceDefinition, name: string): ApiError {
  const texts = causes.map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`))
  const list = texts.length === 1 ? texts.join('') : `[${texts.join(', ')}]`
  const subject = `${kind.kind}.${kind.group} "${name}"`
  return new ApiError('Invalid', `${subject} is invalid: ${list}`, { name, group: kind.group, kind: kind.kind, causes })
}
