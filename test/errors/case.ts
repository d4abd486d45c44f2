/** Requests that go wrong in every way that a client can think of, for a comparison with a genuine server. */

/** One request; `{rv}` in the body stands for the resourceVersion of the object `base`. */
export type ErrorCase = {
  readonly what: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below /apis/sprites.highera.com/v1alpha1 unless it begins with `/`. */
  readonly path: string
  readonly body?: string | Uint8Array
  /** Default: application/json where there is a body. */
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Code, reason, causes and warnings are compared, but not the words and whom they name: those of Go's decoder are not ours. */
  readonly isMessageFree?: boolean
}

/** Where our kinds lie. */
export const API_BASE = '/apis/sprites.highera.com/v1alpha1'
/** The collection. */
export const SPRITES = 'namespaces/acme/sprites'
/** The object that is there before every case. */
export const BASE = `${SPRITES}/base`
/** Media types of patches. */
export const MERGE = 'application/merge-patch+json'
/** Of a list of operations. */
export const JSON_PATCH = 'application/json-patch+json'
/** Of a server-side apply. */
export const APPLY = 'application/apply-patch+yaml'

/** What each sprite says of itself. */
export const HEAD = { apiVersion: 'sprites.highera.com/v1alpha1', kind: 'Sprite' }

/** A new sprite whose name is `name`, with metadata and spec as they are given. */
export const sprite = (name: string, metadata: object = {}, spec: unknown = { agentType: 'copywriter' }): string =>
  JSON.stringify({ ...HEAD, metadata: { name, ...metadata }, spec })

/** A create of a sprite. */
export const create = (what: string, body: string, more: Partial<ErrorCase> = {}): ErrorCase => ({
  what,
  method: 'POST',
  path: SPRITES,
  body,
  ...more,
})

/** A replacement of `base`. */
export const put = (
  what: string,
  metadata: object,
  more: Partial<ErrorCase> & { readonly spec?: unknown } = {},
): ErrorCase => {
  const { spec, ...rest } = more
  return { what, method: 'PUT', path: BASE, body: sprite('base', metadata, spec), ...rest }
}

/** A merge patch of `base`. */
export const merge = (what: string, patch: unknown, more: Partial<ErrorCase> = {}): ErrorCase => ({
  what,
  method: 'PATCH',
  path: BASE,
  contentType: MERGE,
  body: JSON.stringify(patch),
  ...more,
})

/** A JSON patch of `base`. */
export const jsonPatch = (what: string, patch: unknown, more: Partial<ErrorCase> = {}): ErrorCase =>
  merge(what, patch, { contentType: JSON_PATCH, ...more })

/** A server-side apply of `applied`. */
export const apply = (what: string, body: string, more: Partial<ErrorCase> = {}): ErrorCase => ({
  what,
  method: 'PATCH',
  path: `${SPRITES}/applied?fieldManager=cases`,
  contentType: APPLY,
  body,
  ...more,
})

/** Words are not compared. */
export const FREE = { isMessageFree: true } as const
/** The path with strict validation. */
export const strict = (path: string): { readonly path: string } => ({ path: `${path}?fieldValidation=Strict` })
