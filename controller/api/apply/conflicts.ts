/** Conflicts of an apply with other owners, in kube-apiserver's words. Pure. */
import type { Cause } from '../errors.ts'
import { printPath } from './element.ts'
import type { FieldPath } from './field-set.ts'
import type { Owner } from './managers.ts'

/** A field that the configuration would change and somebody else owns. */
export type Conflict = { readonly owner: Owner; readonly path: FieldPath }

/** Conflicts that one answer tells at most. */
const TOLD_MAX = 100

/** One cause for each conflict, naming the field; at most 100. */
export const conflictCauses = (conflicts: readonly Conflict[]): readonly Cause[] =>
  conflicts.slice(0, TOLD_MAX).map(({ owner, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${printOwner(owner)}`,
    field: printPath(path),
  }))

/** The sentence that a client shows. */
export function conflictMessage(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (conflicts.length === 1 && first !== undefined)
    return `Apply failed with 1 conflict: conflict with ${printOwner(first.owner)}: ${printPath(first.path)}`
  const byOwner = new Map<string, string[]>()
  for (const { owner, path } of conflicts.slice(0, TOLD_MAX)) {
    const name = printOwner(owner)
    byOwner.set(name, [...(byOwner.get(name) ?? []), `- ${printPath(path)}`])
  }
  const lines = [...byOwner].sort(([left], [right]) => (left < right ? -1 : 1))
  const told = lines.flatMap(([name, paths]) => [`conflicts with ${name}:`, ...paths])
  return `Apply failed with ${conflicts.length} conflicts: ${told.join('\n')}`
}

function printOwner({ manager, operation, apiVersion, subresource }: Owner): string {
  const name =
    JSON.stringify(manager) + (subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`)
  return operation === 'Update' ? `${name} using ${apiVersion}` : name
}
