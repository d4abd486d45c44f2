/** Pure: instants as Kubernetes writes them. */

/** RFC 3339 in whole seconds, as Kubernetes writes metav1.Time. Pure. */
export const timestamp = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z')

/** RFC 3339 with six decimals, as Kubernetes writes metav1.MicroTime. Pure. */
export const microTimestamp = (atMs: number): string => new Date(atMs).toISOString().replace(/Z$/, '000Z')

/** Parses an RFC 3339 instant to ms since 1970; undefined for what is not one. Pure. */
export function parseTimestamp(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? undefined : atMs
}
