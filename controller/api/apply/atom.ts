/** What server-side apply knows of a type: scalar, map or list, and whether its parts have owners of their own. Pure. */
import type { Json } from '../object.ts'
import { isList, isObject, own } from '../schema/json.ts'
import type { StructuralSchema } from '../schema/structural.ts'
import { keyElement, valueElement } from './element.ts'

/** A value without parts. */
export type ScalarAtom = { readonly shape: 'scalar'; readonly of: 'string' | 'numeric' | 'boolean' | 'any' }
/** An object: declared fields, free members, or one value as a whole. */
export type MapAtom = {
  readonly shape: 'map'
  /** Declared fields, which are members of no set by themselves. */
  readonly fields: ReadonlyMap<string, Atom>
  /** The type of members that are not declared; absent: there may be none. */
  readonly element?: Atom
  readonly isAtomic: boolean
}
/** A list: one value as a whole, a set of scalars, or a map by keys of its items. */
export type ListAtom = {
  readonly shape: 'list'
  readonly element: Atom
  readonly items: 'atomic' | 'set' | 'map'
  readonly keys: readonly string[]
  /** Defaults of keys that an item may leave out. */
  readonly keyDefaults: ReadonlyMap<string, Json>
}
/** Free JSON: the type is deduced from the value, maps have parts and lists have none. */
export type DeducedAtom = { readonly shape: 'deduced' }
/** A type. */
export type Atom = ScalarAtom | MapAtom | ListAtom | DeducedAtom
/** A type that nothing is to be deduced of. */
export type KnownAtom = Exclude<Atom, DeducedAtom>

const ANY: ScalarAtom = { shape: 'scalar', of: 'any' }
const STRING: ScalarAtom = { shape: 'scalar', of: 'string' }
const BOOLEAN: ScalarAtom = { shape: 'scalar', of: 'boolean' }
const NUMERIC: ScalarAtom = { shape: 'scalar', of: 'numeric' }
/** The type of free JSON. */
export const DEDUCED: DeducedAtom = { shape: 'deduced' }
const DEDUCED_MAP: MapAtom = { shape: 'map', fields: new Map(), element: DEDUCED, isAtomic: false }
const DEDUCED_LIST: ListAtom = atomicList(DEDUCED)

function atomicList(element: Atom): ListAtom {
  return { shape: 'list', element, items: 'atomic', keys: [], keyDefaults: new Map() }
}

const mapOf = (fields: Readonly<Record<string, Atom>>, more: Partial<MapAtom> = {}): MapAtom => ({
  shape: 'map',
  fields: new Map(Object.entries(fields)),
  isAtomic: false,
  ...more,
})

const TEXTS: MapAtom = mapOf({}, { element: STRING })
const OWNER: MapAtom = mapOf(
  { apiVersion: STRING, kind: STRING, name: STRING, uid: STRING, controller: BOOLEAN, blockOwnerDeletion: BOOLEAN },
  { isAtomic: true },
)

/** metav1.ObjectMeta; managedFields is not part of what is owned. */
const METADATA: MapAtom = mapOf({
  name: STRING,
  generateName: STRING,
  namespace: STRING,
  selfLink: STRING,
  uid: STRING,
  resourceVersion: STRING,
  generation: NUMERIC,
  creationTimestamp: ANY,
  deletionTimestamp: ANY,
  deletionGracePeriodSeconds: NUMERIC,
  labels: TEXTS,
  annotations: TEXTS,
  finalizers: { ...atomicList(STRING), items: 'set' },
  ownerReferences: { ...atomicList(OWNER), items: 'map', keys: ['uid'] },
  managedFields: DEDUCED_LIST,
})

const atoms = new WeakMap<StructuralSchema, MapAtom>()
const SCHEMALESS: MapAtom = mapOf({ apiVersion: STRING, kind: STRING, metadata: METADATA }, { element: DEDUCED })

/** The type of a whole object by its kind's schema, made once a schema; without a schema all but metadata is free. */
export function objectAtom(schema: StructuralSchema | undefined): MapAtom {
  if (schema === undefined) return SCHEMALESS
  const known = atoms.get(schema)
  if (known !== undefined) return known
  const made = mapAtom(schema, false)
  const fields = new Map([...made.fields, ['apiVersion', STRING], ['kind', STRING], ['metadata', METADATA]] as const)
  const atom: MapAtom = { ...made, fields, isAtomic: false }
  atoms.set(schema, atom)
  return atom
}

/** `isFree`: an ancestor preserves unknown fields, and so do its descendants here. */
function atomOf(schema: StructuralSchema, isFree: boolean): Atom {
  if (schema['x-kubernetes-int-or-string'] === true) return ANY
  switch (schema.type) {
    case undefined:
      return schema.enum === undefined ? DEDUCED : ANY
    case 'object':
      return mapAtom(schema, isFree)
    case 'array':
      return listAtom(schema, isFree)
    case 'boolean':
      return BOOLEAN
    case 'string':
      return schema.format === undefined || schema.format === 'byte' ? STRING : ANY
    default:
      return NUMERIC
  }
}

function mapAtom(schema: StructuralSchema, isFreeAbove: boolean): MapAtom {
  const isFree = isFreeAbove || schema['x-kubernetes-preserve-unknown-fields'] === true
  const properties = Object.entries(schema.properties ?? {})
  const element = elementAtom(schema, isFree || properties.length === 0)
  return {
    shape: 'map',
    fields: new Map(properties.map(([name, child]) => [name, atomOf(child, isFree)])),
    ...(element === undefined ? {} : { element }),
    isAtomic: schema['x-kubernetes-map-type'] === 'atomic',
  }
}

const elementAtom = (schema: StructuralSchema, isFree: boolean): Atom | undefined => {
  if (schema.additionalProperties !== undefined) return atomOf(schema.additionalProperties, isFree)
  return isFree ? DEDUCED : undefined
}

function listAtom(schema: StructuralSchema, isFree: boolean): ListAtom {
  const type = schema['x-kubernetes-list-type'] ?? 'atomic'
  const keys = type === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : []
  const defaults = keys.flatMap((key) => {
    const value = own(schema.items?.properties, key)?.default
    return value === undefined ? [] : [[key, value] as const]
  })
  const element = schema.items === undefined ? DEDUCED : atomOf(schema.items, isFree)
  return { shape: 'list', element, items: type, keys, keyDefaults: new Map(defaults) }
}

/** The type of a value: what is deduced is known by now, and null goes for a map. */
export function knownAtom(atom: Atom, value: Json): KnownAtom {
  if (atom.shape !== 'deduced') return atom
  if (isList(value)) return DEDUCED_LIST
  return isObject(value) || value === null ? DEDUCED_MAP : ANY
}

/** The type of a member; undefined where none may be. */
export const memberAtom = (atom: MapAtom, name: string): Atom | undefined => atom.fields.get(name) ?? atom.element

/** The element of an item of a list with parts; undefined when it cannot be told: a key is missing, a set holds no scalar. */
export function itemElement(atom: ListAtom, item: Json): string | undefined {
  if (atom.items === 'set') return typeof item === 'object' ? undefined : valueElement(item)
  if (!isObject(item)) return undefined
  const keys: [string, Json][] = []
  for (const key of atom.keys) {
    const value = own(item, key) ?? atom.keyDefaults.get(key)
    if (value === undefined) return undefined
    keys.push([key, value])
  }
  return keyElement(Object.fromEntries(keys))
}
