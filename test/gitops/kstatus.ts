/**
 * What kstatus (Flux, Helm, kubectl tools) computes for a custom object, written from its rules. Pure.
 * Source: kstatus's generic rules: deletion, observedGeneration, Reconciling, Stalled, then Ready.
 */
import type { KubeObject } from '../../controller/api/object.ts'

/** The statuses of kstatus that a stored object can have. */
export type Kstatus = 'Current' | 'InProgress' | 'Failed' | 'Terminating'

type Status = {
  readonly observedGeneration?: number
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
}

/** The status of an object. */
export function kstatusOf({ metadata, status }: KubeObject): Kstatus {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const { observedGeneration, conditions = [] } = (status ?? {}) as Status
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return 'InProgress'
  const says = (type: string, value: string): boolean =>
    conditions.some((condition) => condition.type === type && condition.status === value)
  if (says('Reconciling', 'True')) return 'InProgress'
  if (says('Stalled', 'True')) return 'Failed'
  return says('Ready', 'False') || says('Ready', 'Unknown') ? 'InProgress' : 'Current'
}
