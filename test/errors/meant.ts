/** Where this server means to answer otherwise than a genuine one of custom kinds, and why. */

/** Answered with another code or reason. */
export const MEANT: ReadonlyMap<string, { readonly code: number; readonly reason: string }> = new Map([
  // The words of every kind but custom ones; a genuine server stumbles over these in its handlers of custom kinds.
  ['paths: a create on an object', { code: 405, reason: 'MethodNotAllowed' }],
  ['paths: a replace of a collection', { code: 405, reason: 'MethodNotAllowed' }],
  ['paths: a patch of a collection', { code: 405, reason: 'MethodNotAllowed' }],
  // A genuine server tells its own fault here (500); it is the caller's.
  ['metadata: a resourceVersion on a create', { code: 400, reason: 'BadRequest' }],
  // Versions are opaque: one that is none is as stale as any other.
  ['versions: a malformed resourceVersion', { code: 409, reason: 'Conflict' }],
])

/** Answered with the same code, reason and causes, in other words. */
export const OTHER_WORDS: ReadonlySet<string> = new Set([
  'paths: an unknown subresource',
  'paths: a delete of a status',
  // Ours name the selector.
  'queries: a malformed label selector',
  'queries: a label selector with a bad key',
  'queries: a label selector with a bad value',
  'queries: a malformed field selector',
  // Custom kinds have no protobuf: a genuine server names it all the same.
  'bodies: an unknown content type',
  'bodies: a content type that is none',
  'bodies: a patch type on a create',
  // Ours name both namespaces.
  'metadata: another namespace',
  'versions: another namespace',
  // Ours say it once, shorter, or in another order.
  'names: a name of 254 characters',
  'names: a name with a lone surrogate',
  'schemas: a number that is no integer',
  'schemas: several at once',
  'schemas: a status field of a wrong type',
  // A genuine server shows a key of its store.
  'versions: another uid',
  // It repeats the whole object, which may hold a secret.
  'versions: an unknown field, strictly',
  'duplicates: a duplicate in a merge patch, strictly',
  'duplicates: a duplicate in a JSON patch, strictly',
  'duplicates: a duplicate in the value of a JSON patch, strictly',
  // The words hold a version or a uid, which differ between two servers.
  'versions: a stale precondition of a delete',
  'versions: another uid in a precondition',
])
