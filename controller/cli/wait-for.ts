/** Decides whether an object is as somebody waits for it. Pure. */
import type { KubeObject } from '../api/object.ts'
import { CliFailure } from './failure.ts'

/** What a command waits for. */
export type WaitFor =
  | { readonly until: 'delete' }
  | { readonly until: 'create' }
  | { readonly until: 'condition'; readonly type: string; readonly status: string }
  | { readonly until: 'phase'; readonly phase: string }

/** Reads `condition=Ready`, `condition=Ready=False`, `phase=Completed`, `delete`, `create`. Throws CliFailure Usage. */
export function readWaitFor(text: string): WaitFor {
  if (text === 'delete' || text === 'create') return { until: text }
  const [what, name, status = 'True', ...more] = text.split('=')
  if (name !== undefined && name !== '' && more.length === 0) {
    if (what === 'condition') return { until: 'condition', type: name, status }
    if (what === 'phase' && text.split('=').length === 2) return { until: 'phase', phase: name }
  }
  throw new CliFailure('Usage', `Wait for condition=NAME[=STATUS], phase=NAME, delete or create: got "${text}"`)
}

type Status = {
  readonly phase?: string
  readonly observedGeneration?: number
  readonly conditions?: readonly {
    readonly type: string
    readonly status: string
    readonly observedGeneration?: number
  }[]
}

/** `undefined` is an object that is not there. */
export function isAsAwaited(object: KubeObject | undefined, wanted: WaitFor): boolean {
  if (wanted.until === 'delete') return object === undefined
  if (object === undefined) return false
  if (wanted.until === 'create') return true
  // Every kind of ours has these; others simply do not match.
  const status = (object.status ?? {}) as Status
  if (wanted.until === 'phase') return same(status.phase ?? '', wanted.phase)
  const condition = (status.conditions ?? []).find(({ type }) => same(type, wanted.type))
  if (condition === undefined || !same(condition.status, wanted.status)) return false
  // What was said of an older declaration says nothing of this one.
  const seen = condition.observedGeneration ?? status.observedGeneration
  return seen === undefined || seen >= object.metadata.generation
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

const FINAL: Readonly<Record<string, ReadonlySet<string>>> = {
  Work: new Set(['Completed', 'Failed', 'Cancelled']),
}

/** The phase in which it will stay, when that is another than the awaited one. */
export function finalPhase(object: KubeObject | undefined, wanted: WaitFor): string | undefined {
  if (object === undefined || wanted.until !== 'phase') return undefined
  const phase = (object.status as Status | undefined)?.phase
  if (phase === undefined || same(phase, wanted.phase)) return undefined
  return FINAL[object.kind]?.has(phase) === true ? phase : undefined
}
