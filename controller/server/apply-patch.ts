/** Reads a PATCH that is a server-side apply: its parameters, and a body in JSON or in bounded YAML. Pure. */
import { ApiError } from '../api/errors.ts'
import type { FieldValidation } from '../registry/registry.ts'
import { parseYaml, unmarshalErrors, type ReadBody } from './body.ts'
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

/**
 * The value of an apply's body: JSON, or one document of YAML 1.1 within the bounds of a manifest. Duplicate keys are
 * told by their lines, as a reader of YAML tells them; under Strict validation they are refused. Throws BadRequest.
 */
export function parseConfig(bytes: Uint8Array, validation: FieldValidation = 'Ignore'): ReadBody {
  const { value, duplicates } = parseYaml(bytes)
  if (validation !== 'Strict' || duplicates.length === 0) return { value, duplicates }
  throw new ApiError(
    'BadRequest',
    `error strict decoding YAML: error converting YAML to JSON: ${unmarshalErrors(duplicates)}`,
  )
}
