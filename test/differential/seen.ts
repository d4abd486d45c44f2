/** What of two servers' answers must be the same: everything but ids, versions and times. Pure. */
import type { Answer, Body } from './servers.ts'

/** Server-given values that differ by nature; whether an entry has a time is compared, which time is not. */
const VOLATILE = ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp']

type Entry = {
  readonly time?: string
  readonly manager?: string
  readonly operation?: string
  readonly apiVersion?: string
  readonly subresource?: string
}

/** An answer as it is compared; a list by its items, in order. */
export function seen({ code, body }: Answer): unknown {
  if (code >= 400) return { code, reason: code === 500 ? '' : body.reason, causes: causesOf(body) }
  if (body.items !== undefined) return { code, kind: body.kind, items: body.items.map(seenObject) }
  if (body.metadata === undefined || body.details !== undefined) return { code }
  return { code, object: seenObject(body) }
}

/** Kubernetes adds a cause without a field for what another says; its unexpected errors have no reason. */
function causesOf(body: Body): readonly string[] {
  const causes = (body.details?.causes ?? []).map(({ reason, field, message }) =>
    reason === 'FieldManagerConflict' ? `${message}: ${field}` : (field ?? '<nil>'),
  )
  return [...new Set(causes)].filter((cause) => cause !== '<nil>').sort()
}

/** An object as it is compared. */
export function seenObject(body: Body): unknown {
  const kept = Object.fromEntries(Object.entries(body.metadata ?? {}).filter(([name]) => !VOLATILE.includes(name)))
  const given = body.metadata?.['managedFields']
  if (given === undefined) return { ...body, metadata: kept }
  const entries = given as readonly Entry[] // as metav1 has it
  const managedFields = entries
    .map((entry) => ({ ...entry, time: entry.time === undefined ? 'none' : 'some' }))
    .sort((left, right) => (idOf(left) < idOf(right) ? -1 : 1))
  return { ...body, metadata: { ...kept, managedFields, areEntriesInOrder: areInOrder(entries) } }
}

const idOf = ({ operation, manager, subresource }: Entry): string => JSON.stringify([operation, manager, subresource])

/** Entries stand by operation, then by time, then by name: seen here, since the times themselves are not compared. */
function areInOrder(entries: readonly Entry[]): boolean {
  const keys = entries.map(({ operation = '', time = '', manager = '', apiVersion = '', subresource = '' }) =>
    [operation, time, manager, apiVersion, subresource].join('\u0000'),
  )
  return keys.every((key, index) => index === 0 || (keys[index - 1] ?? '') <= key)
}

/** Whether two values are the same JSON, whatever the order of members. */
export const sameJson = (left: unknown, right: unknown): boolean => sortedJson(left) === sortedJson(right)

/** JSON with its members in order. */
export const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  )

/** The resourceVersion of an object or list, as a number. */
export const versionOf = (body: Body): number => Number(body.metadata?.['resourceVersion'])

/** Where two JSON values first differ, and what stands there; undefined when they are the same. */
export function firstDifference(
  ours: unknown,
  theirs: unknown,
  at = '',
): { readonly at: string; readonly ours: unknown; readonly theirs: unknown } | undefined {
  if (sameJson(ours, theirs)) return undefined
  if (!isBranch(ours) || !isBranch(theirs) || Array.isArray(ours) !== Array.isArray(theirs)) return { at, ours, theirs }
  // Branches are objects or arrays: both have members by name.
  const [left, right] = [ours as Record<string, unknown>, theirs as Record<string, unknown>]
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const found = firstDifference(left[name], right[name], `${at}/${name}`)
    if (found !== undefined) return found
  }
  return { at, ours, theirs }
}

const isBranch = (value: unknown): boolean => typeof value === 'object' && value !== null
