/** Says where a configuration does not fit the type that apply works with: wrong shapes, undeclared fields, repeats. Pure. */
import type { Json } from '../object.ts'
import { isList, isObject } from '../schema/json.ts'
import { itemElement, knownAtom, memberAtom, type Atom, type KnownAtom, type ListAtom, type MapAtom } from './atom.ts'
import { indexElement, memberElement, printPath } from './element.ts'

/** Faults that are told at most. */
const FAULTS_MAX = 20

type Walk = { readonly path: string[]; readonly faults: string[] }

/** One sentence a fault, such as `.spec.x: field not declared in schema`; empty when the value fits. At most 20. */
export function typeFaults(atom: Atom, value: Json): readonly string[] {
  const walk: Walk = { path: [], faults: [] }
  visit(atom, value, walk)
  return walk.faults
}

function visit(atom: Atom, value: Json, walk: Walk): void {
  if (value === null || walk.faults.length >= FAULTS_MAX) return
  const known = knownAtom(atom, value)
  const expected = mismatch(known, value)
  if (expected !== undefined) return fault(walk, `expected ${expected}, got ${shown(value)}`)
  if (known.shape === 'map' && isObject(value)) visitMembers(known, value, walk)
  if (known.shape === 'list' && isList(value)) visitItems(known, value, walk)
}

/** What the type expects instead; undefined when the value is of it. */
function mismatch(atom: KnownAtom, value: Json): string | undefined {
  switch (atom.shape) {
    case 'map':
      return isObject(value) ? undefined : 'map'
    case 'list':
      return isList(value) ? undefined : 'list'
    case 'scalar':
      break
  }
  switch (atom.of) {
    case 'string':
      return typeof value === 'string' ? undefined : 'string'
    case 'numeric':
      return typeof value === 'number' ? undefined : 'numeric (int or float)'
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'boolean'
    case 'any':
      return undefined
  }
}

function visitMembers(atom: MapAtom, value: { readonly [name: string]: Json }, walk: Walk): void {
  for (const [name, child] of Object.entries(value)) {
    const childAtom = memberAtom(atom, name)
    walk.path.push(memberElement(name))
    if (childAtom === undefined) fault(walk, 'field not declared in schema')
    else visit(childAtom, child, walk)
    walk.path.pop()
  }
}

function visitItems(atom: ListAtom, items: readonly Json[], walk: Walk): void {
  const seen = new Set<string>()
  items.forEach((item, index) => {
    const element = atom.items === 'atomic' ? indexElement(index) : itemElement(atom, item)
    if (element === undefined) return fault(walk, `element ${index}: ${whyNameless(atom, item)}`)
    if (seen.has(element)) fault(walk, `duplicate entries for key ${printPath([element])}`)
    seen.add(element)
    walk.path.push(element)
    visit(atom.element, item, walk)
    walk.path.pop()
  })
}

function whyNameless(atom: ListAtom, item: Json): string {
  if (atom.items === 'set') return `a set holds no ${shown(item)}`
  if (!isObject(item)) return 'associative list with keys may not have non-map elements'
  const missing = atom.keys.find((key) => !Object.hasOwn(item, key) && !atom.keyDefaults.has(key)) ?? ''
  return `associative list with keys has an element that omits key field ${JSON.stringify(missing)} (and doesn't have default value)`
}

function fault({ path, faults }: Walk, why: string): void {
  const where = printPath(path)
  if (faults.length < FAULTS_MAX) faults.push(where === '' ? why : `${where}: ${why}`)
}

const shown = (value: Json): string => {
  if (value === null) return 'null'
  if (isList(value)) return 'list'
  return typeof value === 'object' ? 'map' : JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value)
}
