/** The elements of field paths, as FieldsV1 writes them: `f:name`, `k:{"key":"x"}`, `v:"x"`, `i:0`. Pure. */
import type { Json } from '../object.ts'
import { canonicalJson, isObject } from '../schema/json.ts'
import type { FieldPath } from './field-set.ts'

/** The element of a member of a map. */
export const memberElement = (name: string): string => `f:${name}`

/** The element of an item of a list that is a map by these key values. */
export const keyElement = (keys: { readonly [name: string]: Json }): string => `k:${canonicalJson(keys)}`

/** The element of an item of a list that is a set. */
export const valueElement = (value: Json): string => `v:${canonicalJson(value)}`

/** The element of an item of an atomic list. */
export const indexElement = (index: number): string => `i:${index}`

/** The name of a member's element; undefined for any other element. */
export const memberName = (element: string): string | undefined =>
  element.startsWith('f:') ? element.slice(2) : undefined

/** An element in its one canonical form; undefined when it is none. */
export function canonicalElement(element: string): string | undefined {
  const rest = element.slice(2)
  switch (element.slice(0, 2)) {
    case 'f:':
      return element
    case 'k:': {
      const keys = parsed(rest)
      return isObject(keys) ? keyElement(keys) : undefined
    }
    case 'v:': {
      const value = parsed(rest)
      return value === undefined ? undefined : valueElement(value)
    }
    case 'i:':
      return /^\d{1,9}$/.test(rest) ? indexElement(Number(rest)) : undefined
    default:
      return undefined
  }
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // what JSON.parse gives is JSON
  } catch {
    return undefined
  }
}

/** A path as Kubernetes prints it: `.spec.env[name="A"].value`. */
export const printPath = (path: FieldPath): string => path.map(printElement).join('')

function printElement(element: string): string {
  const rest = element.slice(2)
  if (element.startsWith('f:')) return `.${rest}`
  if (element.startsWith('i:')) return `[${rest}]`
  if (element.startsWith('v:')) return `[=${rest}]`
  const keys = parsed(rest)
  const pairs = Object.entries(isObject(keys) ? keys : {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `[${pairs.join(',')}]`
}
