/** Fits sets that were written under an older schema to the present one: parts of what is atomic now become the whole. Pure. */
import { memberAtom, type Atom } from './atom.ts'
import { memberName } from './element.ts'
import { below, elementsOf, hasPathsBelow, isPath, nodeOf, type FieldSet } from './field-set.ts'
import type { Owner, Owners } from './managers.ts'

/** Owners with sets that fit the type; the very same value when all do. */
export function regrouped(atom: Atom, owners: Owners): Owners {
  const entries = [...owners].map(([id, owner]): readonly [string, Owner] => {
    const fields = regroup(atom, owner.fields)
    return [id, fields === owner.fields ? owner : { ...owner, fields }]
  })
  return entries.every(([id, owner]) => owners.get(id) === owner) ? owners : new Map(entries)
}

function regroup(atom: Atom | undefined, node: FieldSet): FieldSet {
  if (atom === undefined || atom.shape === 'deduced' || atom.shape === 'scalar') return node
  let isChanged = false
  const members: [string, FieldSet][] = []
  for (const element of elementsOf(node)) {
    const child = below(node, element)
    if (child === undefined) continue
    const type = typeBelow(atom, element)
    const next = hasPathsBelow(child) ? (isAtomic(type) ? {} : regroup(type, child)) : child
    if (next !== child) isChanged = true
    members.push([element, next])
  }
  return isChanged ? (nodeOf(isPath(node), Object.fromEntries(members)) ?? node) : node
}

function typeBelow(atom: Atom, element: string): Atom | undefined {
  const name = memberName(element)
  if (atom.shape === 'map') return name === undefined ? undefined : memberAtom(atom, name)
  return atom.shape === 'list' && name === undefined ? atom.element : undefined
}

const isAtomic = (atom: Atom | undefined): boolean =>
  (atom?.shape === 'map' && atom.isAtomic) || (atom?.shape === 'list' && atom.items === 'atomic')
