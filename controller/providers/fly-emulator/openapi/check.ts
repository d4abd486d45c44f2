/** Pure: holds requests and answers against an OpenAPI description: what is not as described, less what is known to differ. */
import { z } from 'zod'
import type { Exchange } from '../fly-emulator.ts'

const documentSchema = z.object({
  operations: z.record(
    z.string(),
    z.object({
      query: z.record(z.string(), z.unknown()).optional(),
      request: z.unknown().optional(),
      responses: z.record(z.string(), z.unknown()),
    }),
  ),
  schemas: z.record(z.string(), z.unknown()),
})
/** The part of a description that is looked at. */
export type OpenApiDocument = z.infer<typeof documentSchema>

/** What can be not as described. */
const PROBLEMS = ['undeclared', 'type', 'enum', 'missing', 'not JSON'] as const
const PLACES = ['operation', 'request.query', 'request.body', 'response.status', 'response.body'] as const

/** One thing that is not as described; `path` names a field, with [] for any element and {} for any key of a map. */
export type Finding = {
  readonly operation: string
  readonly at: (typeof PLACES)[number]
  readonly path: string
  readonly problem: (typeof PROBLEMS)[number]
}

/** Differences that are known, and why; the operation `*` is any, a `*` that begins or ends a path stands for anything. */
export const deviationsSchema = z.array(
  z.strictObject({
    operations: z.array(z.string()).min(1),
    at: z.enum(PLACES),
    path: z.string(),
    problem: z.enum(PROBLEMS),
    reason: z.string().min(20),
  }),
)
/** A difference that is known. */
export type Deviation = z.infer<typeof deviationsSchema>[number]

/** Reads a description. Throws a ZodError for what is none. */
export const readDocument = (value: unknown): OpenApiDocument => documentSchema.parse(value)

/** What of an exchange is not as described. A refused request may be anything; its refusal may not. */
export function findingsOf(document: OpenApiDocument, exchange: Exchange): Finding[] {
  const path = exchange.path.replace(/^\/v1/, '')
  const operation = operationOf(document, exchange.method, path)
  const described = operation === undefined ? undefined : document.operations[operation]
  if (operation === undefined || !described)
    // What there is not is not there on both sides.
    return exchange.status === 404
      ? []
      : [{ operation: `${exchange.method} ${patternOf(path)}`, at: 'operation', path: '', problem: 'undeclared' }]
  const of = (at: Finding['at'], list: readonly Bare[]): Finding[] => list.map((one) => ({ operation, at, ...one }))
  const isRefused = exchange.status >= 400
  const queries = [...exchange.query.keys()].filter((name) => !Object.hasOwn(described.query ?? {}, name))
  const isKnown = Object.hasOwn(described.responses, String(exchange.status))
  const response = isKnown ? described.responses[String(exchange.status)] : isRefused ? ERROR : null
  return [
    ...of('request.query', isRefused ? [] : queries.map((name) => ({ path: name, problem: 'undeclared' as const }))),
    ...of('request.body', isRefused ? [] : bodyFindings(document, described.request, exchange.requestText)),
    ...of('response.status', isKnown ? [] : [{ path: String(exchange.status), problem: 'undeclared' as const }]),
    ...of('response.body', responseFindings(document, response, exchange)),
  ]
}

type Bare = Pick<Finding, 'path' | 'problem'>

const ERROR = { $ref: '#/components/schemas/ErrorResponse' }

function operationOf(document: OpenApiDocument, method: string, path: string): string | undefined {
  const segments = path.split('/')
  const fits = (pattern: string): boolean => {
    const parts = pattern.split('/')
    return parts.length === segments.length && parts.every((part, at) => part.startsWith('{') || part === segments[at])
  }
  return Object.keys(document.operations).find((key) => {
    const [verb, pattern = ''] = key.split(' ')
    return verb === method && fits(pattern)
  })
}

/** A path that is not described, with its ids taken out. */
const patternOf = (path: string): string =>
  path.replace(/^\/apps\/[^/]+/, '/apps/{app_name}').replace(/(policies)\/.+$/, '$1/{id}')

function bodyFindings(document: OpenApiDocument, schema: unknown, text: string): readonly Bare[] {
  const body = parsed(text)
  if (text === '' || (schema === undefined && isEmpty(body))) return []
  if (schema === undefined || schema === null) return [{ path: '', problem: 'undeclared' }]
  return body === NOT_JSON ? [{ path: '', problem: 'not JSON' }] : checked(document, schema, { value: body, path: '' })
}

function responseFindings(document: OpenApiDocument, schema: unknown, exchange: Exchange): readonly Bare[] {
  const { responseText: text, contentType } = exchange
  if (contentType.startsWith('text/plain')) return checked(document, schema, { value: text, path: '' })
  return bodyFindings(document, schema, text)
}

const isEmpty = (body: unknown): boolean => typeof body === 'object' && body !== null && Object.keys(body).length === 0

const NOT_JSON = Symbol('not JSON')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return NOT_JSON
  }
}

const schemaSchema = z.object({
  $ref: z.string().optional(),
  allOf: z.array(z.unknown()).optional(),
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
})
type Schema = z.infer<typeof schemaSchema>
type Place = { readonly value: unknown; readonly path: string }

/** References and allOf, followed; all parts of an allOf are one schema. */
function resolved(document: OpenApiDocument, raw: unknown, depth = 0): Schema {
  const schema = schemaSchema.parse(raw)
  if (depth > 20) return schema
  if (schema.$ref !== undefined)
    return resolved(document, document.schemas[schema.$ref.split('/').at(-1) ?? ''], depth + 1)
  const parts = (schema.allOf ?? []).map((part) => resolved(document, part, depth + 1))
  const properties = Object.assign(
    {},
    ...parts.map((part) => part.properties),
    schema.properties,
  ) as Schema['properties']
  return parts.length === 0 ? schema : { ...schema, ...(properties ? { properties } : {}) }
}

function checked(document: OpenApiDocument, raw: unknown, { value, path }: Place): readonly Bare[] {
  const schema = resolved(document, raw)
  if (schema.type !== undefined && !isOfType(schema.type, value)) return [{ path, problem: 'type' }]
  if (schema.enum && !schema.enum.includes(value)) return [{ path, problem: 'enum' }]
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value
    return unique(items.flatMap((item) => checked(document, schema.items ?? {}, { value: item, path: `${path}[]` })))
  }
  return typeof value === 'object' && value !== null ? checkedObject(document, schema, { value, path }) : []
}

function checkedObject(
  document: OpenApiDocument,
  schema: Schema,
  { value, path }: { readonly value: object; readonly path: string },
): readonly Bare[] {
  const { properties, additionalProperties, required = [] } = schema
  const missing = required.filter((name) => !Object.hasOwn(value, name))
  const found = Object.entries(value).flatMap(([name, field]: [string, unknown]): readonly Bare[] => {
    const at = path === '' ? name : `${path}.${name}`
    if (properties && Object.hasOwn(properties, name))
      return checked(document, properties[name], { value: field, path: at })
    if (typeof additionalProperties === 'object' && additionalProperties !== null)
      return checked(document, additionalProperties, { value: field, path: path === '' ? '{}' : `${path}.{}` })
    // An object of which nothing is described may hold anything.
    return properties ? [{ path: at, problem: 'undeclared' }] : []
  })
  return unique([...missing.map((name): Bare => ({ path: `${path}.${name}`, problem: 'missing' })), ...found])
}

const unique = (list: readonly Bare[]): readonly Bare[] => [
  ...new Map(list.map((one) => [`${one.path} ${one.problem}`, one])).values(),
]

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value)
    case 'number':
      return typeof value === 'number'
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    default:
      return typeof value === type
  }
}

/** The known difference that a finding is; undefined where it is none. */
export const deviationOf = (deviations: readonly Deviation[], finding: Finding): Deviation | undefined =>
  deviations.find(
    (known) =>
      (known.operations.includes('*') || known.operations.includes(finding.operation)) &&
      known.at === finding.at &&
      known.problem === finding.problem &&
      fits(known.path, finding.path),
  )

function fits(pattern: string, path: string): boolean {
  if (pattern.startsWith('*')) return path.endsWith(pattern.slice(1))
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
}
