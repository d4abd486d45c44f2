/** The fields that a configuration sets, and so claims. Pure. */
import type { Json } from '../object.ts'
import { isList, isObject } from '../schema/json.ts'
import { itemElement, knownAtom, memberAtom, type Atom } from './atom.ts'
import { memberElement } from './element.ts'
import { insertPath, type FieldSet, type FieldSetDraft } from './field-set.ts'

/**
 * The set of a value: scalars, atomic maps and lists, items of sets and maps, nulls, empty maps, and members that are
 * not declared fields. A declared map that has members is none, nor is an empty list that has parts.
 */
export function setOf(atom: Atom, value: Json): FieldSet {
  const draft: FieldSetDraft = {}
  visit(atom, value, { draft, path: [] })
  return draft
}

type Walk = { readonly draft: FieldSetDraft; readonly path: string[] }

function visit(atom: Atom, value: Json, walk: Walk): void {
  const known = knownAtom(atom, value)
  if (known.shape === 'scalar') return mark(walk)
  if (known.shape === 'list') {
    if (known.items === 'atomic') return mark(walk)
    if (!isList(value)) return
    for (const item of value) {
      walk.path.push(itemElement(known, item) ?? NAMELESS)
      visit(known.element, item, walk)
      mark(walk)
      walk.path.pop()
    }
    return
  }
  if (known.isAtomic) return mark(walk)
  if (!isObject(value)) return
  for (const [name, child] of Object.entries(value)) {
    const childAtom = memberAtom(known, name)
    if (childAtom === undefined) continue
    walk.path.push(memberElement(name))
    visit(childAtom, child, walk)
    if (child === null || isEmptyMap(child) || !known.fields.has(name)) mark(walk)
    walk.path.pop()
  }
}

/** Stands for an item that has lost its key while an object is pruned: its list is not empty, and must not go. */
const NAMELESS = '?'

/** The root itself is never a path. */
const mark = ({ draft, path }: Walk): void => {
  if (path.length > 0) insertPath(draft, path)
}

const isEmptyMap = (value: Json): boolean => isObject(value) && Object.keys(value).length === 0
