/** Reads a PATCH that is a server-side apply: its parameters, and a body in JSON or in bounded YAML. Pure. */
import { ApiError } from '../api/errors.ts'
import { readManifests } from '../manifest/read.ts'
import { nestsDeeperThan, JSON_DEPTH_MAX } from './body.ts'
import { goBoolean } from './params.ts'

/** The media type of an apply; its body may be JSON, which is YAML too. */
export const APPLY_TYPE = 'application/apply-patch+yaml'

/** `fieldManager`, which an apply must name itself, and `force`; throws Invalid. */
export function applyParams(query: URLSearchParams): { readonly fieldManager: string; readonly force: boolean } {
  const fieldManager = query.get('fieldManager') ?? ''
  if (fieldManager !== '') return { fieldManager, force: goBoolean(query.get('force')) }
  const message = 'Required value: is required for apply patch'
  throw new ApiError('Invalid', `PatchOptions.meta.k8s.io "" is invalid: fieldManager: ${message}`, {
    group: 'meta.k8s.io',
    kind: 'PatchOptions',
    causes: [{ reason: 'FieldValueRequired', message, field: 'fieldManager' }],
  })
}

/** The value of an apply's body: JSON, or one document of YAML 1.1 within the bounds of a manifest; throws BadRequest. */
export function parseConfig(bytes: Uint8Array): unknown {
  const text = decoded(bytes)
  // Braces in a text block are no nesting; the YAML reader has a bound of its own.
  if (nestsDeeperThan(bytes, JSON_DEPTH_MAX)) return parseYaml(text)
  try {
    return JSON.parse(text)
  } catch {
    return parseYaml(text)
  }
}

function parseYaml(text: string): unknown {
  const { documents, problems } = readManifests(text, { file: 'body' })
  const [problem] = problems
  if (problem !== undefined) throw unreadable(`line ${problem.line}: ${problem.message}`)
  const [document] = documents
  if (document === undefined || documents.length > 1) throw unreadable('one object is expected')
  return document.value
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw unreadable('it is not UTF-8', error)
  }
}

const unreadable = (why: string, cause?: unknown): ApiError =>
  new ApiError('BadRequest', `error decoding YAML: ${why}`, {}, { cause })
