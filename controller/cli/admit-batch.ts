/** Admits a whole batch before any of it is written: its objects are laid over those that are there. */
import { relatedFrom, type Actor, type Need } from '../api/admission.ts'
import type { KubeObject } from '../api/object.ts'
import type { KindDefinition } from '../api/define-kind.ts'
import { pathOf as fieldPathText, stepsOf } from '../manifest/locate.ts'
import type { Problem } from '../manifest/problem.ts'
import { shownValue } from '../manifest/problem.ts'
import type { BatchItem } from './batch.ts'

/** Reads what the admissions have to see; offline there is nothing. */
export type CurrentObjects = {
  readonly get: (kind: KindDefinition, key: { namespace: string; name: string }) => Promise<KubeObject | undefined>
  readonly list: (kind: KindDefinition, namespace: string) => Promise<readonly KubeObject[]>
}

/** An object that is about to be applied, as it would be stored. */
export type Candidate = {
  readonly item: BatchItem
  /** As it will be stored. */
  readonly object: KubeObject
  /** As it is stored now. */
  readonly old: KubeObject | undefined
}

/** What admission before an apply looks at. */
export type AdmitOptions = {
  readonly current: CurrentObjects
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly nowMs: number
}

/** As whom the batch is judged; the server judges again with the real actor. */
const ADMIN: Actor = { name: 'admin', groups: ['system:masters'] }

/** Every violation of the batch, placed in its file. */
export async function admitBatch(candidates: readonly Candidate[], options: AdmitOptions): Promise<Problem[]> {
  const others = await neededObjects(candidates, options.current)
  const mine = new Map(candidates.map(({ object }) => [identity(object), object]))
  const related = relatedFrom([...others.filter((other) => !mine.has(identity(other))), ...mine.values()])
  const problems: Problem[] = []
  for (const { item, object, old } of candidates) {
    const violations = item.resource.admission?.admit(
      {
        operation: old === undefined ? 'CREATE' : 'UPDATE',
        object,
        ...(old === undefined ? {} : { old }),
        actor: ADMIN,
        nowMs: options.nowMs,
        builtinAgentTypes: options.builtinAgentTypes,
      },
      related,
    )
    for (const { field, message } of violations ?? []) problems.push(problemAt(item, field, message))
  }
  return problems
}

function problemAt(item: BatchItem, field: string, message: string): Problem {
  const steps = stepsOf(field)
  let value: unknown = item.document.value
  for (const step of steps)
    value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[String(step)] : undefined
  const isShown = value !== undefined && typeof value !== 'object'
  return {
    file: item.document.file,
    ...item.document.locate(steps),
    path: fieldPathText(steps),
    message,
    ...(isShown ? { received: shownValue(value) } : {}),
  }
}

const identity = (object: KubeObject): string =>
  `${object.kind}|${object.metadata.namespace ?? ''}/${object.metadata.name}`

/** Reads each needed object or list once. */
async function neededObjects(candidates: readonly Candidate[], current: CurrentObjects): Promise<KubeObject[]> {
  const needs = new Map<string, Need>()
  for (const { item, object, old } of candidates) {
    const operation = old === undefined ? 'CREATE' : 'UPDATE'
    for (const need of item.resource.admission?.needs(object, old, operation) ?? []) needs.set(nameOf(need), need)
  }
  const found = new Map<string, KubeObject>()
  for (const need of needs.values()) {
    const objects =
      'key' in need ? [await current.get(need.kind, need.key)] : await current.list(need.kind, need.namespace)
    for (const object of objects) if (object !== undefined) found.set(identity(object), object)
  }
  return [...found.values()]
}

const nameOf = (need: Need): string =>
  'key' in need ? `${need.kind.kind}|${need.key.namespace}|${need.key.name}` : `${need.kind.kind}|${need.namespace}|*`
