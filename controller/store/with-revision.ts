/** Sets the resourceVersion in an object's text. Pure. */

/** An object's text with another metadata.resourceVersion; the text must be an object's JSON, as the store's contract says. */
export function withRevision(text: string, revision: number): string {
  // The store's contract: a value is an object's JSON.
  const object = JSON.parse(text) as { readonly metadata?: object }
  return JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } })
}
