/** Merges an applied configuration into the live object: maps and lists with parts are merged, the rest is taken. Pure. */
import type { Json, JsonObject } from '../object.ts'
import { isList, isObject, own } from '../schema/json.ts'
import { itemElement, knownAtom, memberAtom, type Atom, type ListAtom, type MapAtom } from './atom.ts'

/** The live value with what the configuration says. Nothing is removed by this: see prune. */
export function merge(atom: Atom, live: Json, config: Json): Json {
  const known = knownAtom(atom, config)
  if (known.shape === 'map' && !known.isAtomic) return mergeMaps(known, live, config)
  if (known.shape === 'list' && known.items !== 'atomic') return mergeLists(known, live, config)
  return config
}

function mergeMaps(atom: MapAtom, live: Json, config: Json): Json {
  const left: JsonObject = isObject(live) ? live : {}
  const right: JsonObject = isObject(config) ? config : {}
  // Two empty ones: the difference between null and {} is kept.
  if (Object.keys(left).length === 0) return config
  const members: [string, Json][] = []
  for (const [name, value] of Object.entries(left)) {
    const other = own(right, name)
    const child = memberAtom(atom, name)
    members.push([name, other === undefined || child === undefined ? value : merge(child, value, other)])
  }
  for (const [name, value] of Object.entries(right)) if (!Object.hasOwn(left, name)) members.push([name, value])
  // fromEntries defines members, so that one named __proto__ stays a plain member.
  return Object.fromEntries(members)
}

function mergeLists(atom: ListAtom, live: Json, config: Json): Json {
  const left = itemsOf(atom, isList(live) ? live : [])
  const right = itemsOf(atom, isList(config) ? config : [])
  if (left.size === 0) return config
  return inOrder([...left.keys()], [...right.keys()]).flatMap((element) => {
    const item = left.get(element)
    const other = right.get(element)
    if (item === undefined || other === undefined) return item ?? other ?? []
    return [merge(atom.element, item, other)]
  })
}

/** Items by element; of repeated ones the first counts. */
function itemsOf(atom: ListAtom, items: readonly Json[]): ReadonlyMap<string, Json> {
  const found = new Map<string, Json>()
  for (const item of items) {
    const element = itemElement(atom, item)
    if (element !== undefined && !found.has(element)) found.set(element, item)
  }
  return found
}

/**
 * The order of a merged list: items of both stand as in the configuration; items of the live list alone stay behind
 * the neighbours that they followed. Each step moves on in one of the lists, so it ends.
 *
 *   live  a x b c     config  c a new      merged  x b c a new
 */
function inOrder(live: readonly string[], config: readonly string[]): readonly string[] {
  const inLive = new Set(live)
  const inConfig = new Set(config)
  const shared = config.filter((element) => inLive.has(element))
  const order: string[] = []
  let at = 0
  let sharedAt = 0
  let liveAt = 0
  while (liveAt < live.length || at < config.length) {
    const left = live[liveAt]
    const right = config[at]
    if (left !== undefined && left === right) {
      order.push(left)
      liveAt += 1
      at += 1
      sharedAt += 1
      continue
    }
    const next = shared[sharedAt]
    // Shared, but not the one whose turn it is: it comes where the configuration has it.
    const isEarly =
      left !== undefined && right !== undefined && inConfig.has(left) && next !== undefined && next !== left
    if (isEarly) {
      liveAt += 1
      continue
    }
    if (left !== undefined && !inConfig.has(left)) {
      order.push(left)
      liveAt += 1
      continue
    }
    if (right === undefined) {
      // What is left of the live list is in the configuration too, and has been taken.
      liveAt += 1
      continue
    }
    order.push(right)
    at += 1
    if (right === next) sharedAt += 1
  }
  return order
}
