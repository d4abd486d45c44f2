/** Decides how an object reads for a person: what it is, how it stands and why, and what has happened to it. Pure. */
import { stringify } from 'yaml'
import type { Blocker } from '../api/blocker.ts'
import type { Condition } from '../api/conditions.ts'
import type { KubeObject } from '../api/object.ts'
import { LAST_APPLIED } from './three-way.ts'
import { clean, cut, table } from './text.ts'

/** A core Event, as far as it is shown. */
export type ShownEvent = {
  readonly type?: string
  readonly reason?: string
  readonly message?: string
  readonly count?: number
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
  readonly metadata: { readonly creationTimestamp?: string }
}

const VALUE_CHARS = 200
const TEXT_LINES_MAX = 30

/** Lines of `describe`. */
export function describeLines(object: KubeObject, events: readonly ShownEvent[], nowMs: number): string[] {
  const status = isRecord(object.status) ? object.status : {}
  const { conditions, blockers, ...rest } = status
  return [
    ...heading(object),
    ...section('Spec', object.spec),
    ...section('Status', rest),
    ...conditionLines(Array.isArray(conditions) ? (conditions as Condition[]) : []),
    ...blockerLines(Array.isArray(blockers) ? (blockers as Blocker[]) : []),
    ...eventLines(events, nowMs),
  ]
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function heading({ kind, apiVersion, metadata }: KubeObject): string[] {
  const rows = [
    ['Name:', metadata.name],
    ['Namespace:', metadata.namespace ?? '<none>'],
    ['Kind:', `${kind} (${apiVersion})`],
    ['Labels:', pairs(metadata.labels)],
    ['Annotations:', pairs(metadata.annotations)],
    ['Created:', metadata.creationTimestamp],
    ...(metadata.deletionTimestamp === undefined ? [] : [['Deleting since:', metadata.deletionTimestamp]]),
    ...(metadata.finalizers === undefined || metadata.finalizers.length === 0
      ? []
      : [['Finalizers:', metadata.finalizers.join(', ')]]),
    ...(metadata.ownerReferences ?? []).map((owner) => ['Owned by:', `${owner.kind}/${owner.name}`]),
    ['Generation:', String(metadata.generation)],
  ]
  return table(rows.map((row) => row.map((cell) => clean(cell))))
}

function pairs(map: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(map ?? {}).filter(([name]) => name !== LAST_APPLIED)
  return entries.length === 0
    ? '<none>'
    : entries.map(([name, value]) => `${name}=${cut(value, VALUE_CHARS)}`).join(', ')
}

function section(title: string, value: unknown): string[] {
  if (!isRecord(value) || Object.keys(value).length === 0) return [`${title}:  <none>`]
  const lines = stringify(shortened(value), { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd().split('\n')
  return [`${title}:`, ...lines.map((line) => `  ${line.replaceAll('\u001b', '')}`)]
}

/** Long texts are cut here: `get -o yaml` has all of them. */
function shortened(value: unknown): unknown {
  if (typeof value === 'string') {
    const lines = value.split('\n')
    const shown = lines.slice(0, TEXT_LINES_MAX).join('\n')
    return lines.length > TEXT_LINES_MAX ? `${shown}\n… ${lines.length - TEXT_LINES_MAX} more lines\n` : shown
  }
  if (Array.isArray(value)) return value.map(shortened)
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, shortened(child)]))
}

function conditionLines(conditions: readonly Condition[]): string[] {
  if (conditions.length === 0) return ['Conditions:  <none>']
  const rows = conditions.map(({ type, status, reason, lastTransitionTime, message }) =>
    [type, status, reason, lastTransitionTime, message].map((cell) => clean(cell)),
  )
  return ['Conditions:', ...indented(table([['TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], ...rows]))]
}

function blockerLines(blockers: readonly Blocker[]): string[] {
  if (blockers.length === 0) return []
  return [
    'Blockers:',
    ...blockers.flatMap(({ reason, limit, used, requested, position, holders, retryAt, fix }) => [
      `  ${clean(reason)}`,
      ...indented(
        table(
          [
            ['  Limit:', limit],
            ['  Used:', used],
            ['  Requested:', requested],
            ['  Position:', position],
            ['  Holders:', holders?.join(', ')],
            ['  Retry at:', retryAt],
            ['  Fix:', fix],
          ].flatMap(([name, value]) => (value === undefined ? [] : [[String(name), clean(String(value))]])),
        ),
      ),
    ]),
  ]
}

function eventLines(events: readonly ShownEvent[], nowMs: number): string[] {
  if (events.length === 0) return ['Events:  <none>']
  const timeOf = (event: ShownEvent): string =>
    event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? ''
  const rows = events
    .toSorted((a, b) => (timeOf(a) < timeOf(b) ? -1 : 1))
    .map((event) => [
      event.type ?? '',
      event.reason ?? '',
      `${agoText(nowMs - Date.parse(timeOf(event)))}${(event.count ?? 1) > 1 ? ` (x${event.count})` : ''}`,
      event.message ?? '',
    ])
  return ['Events:', ...indented(table([['TYPE', 'REASON', 'AGE', 'MESSAGE'], ...rows.map((row) => row.map(clean))]))]
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`)

/** 12s, 5m, 3h, 2d. */
export function agoText(ms: number): string {
  if (!Number.isFinite(ms)) return '<unknown>'
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}
