/** Finds where a field stands in a YAML document. Pure. */
import type { Document, ParsedNode } from 'yaml'
import { isMap, isScalar, isSeq } from 'yaml'

/** Member names and item indices from the root. */
export type FieldPath = readonly (string | number)[]

/** A key is where an unknown field is named; else a scalar stands at its value and a collection at its key. */
export type At = 'key' | 'value'

/** The offset of the field at a path; of the nearest parent that is there when it is missing. */
export function offsetOf(document: Document.Parsed, path: FieldPath, at: At = 'value'): number {
  let node: ParsedNode | null = document.contents
  let offset = node?.range[0] ?? 0
  for (const [index, step] of path.entries()) {
    const next = memberOf(node, step)
    if (next === undefined) return offset
    const isLast = index === path.length - 1
    offset = isScalar(next.value) && !(isLast && at === 'key') ? next.value.range[0] : next.offset
    node = next.value
  }
  return offset
}

type Member = { readonly value: ParsedNode | null; readonly offset: number }

function memberOf(node: ParsedNode | null, step: string | number): Member | undefined {
  if (isSeq<ParsedNode>(node) && typeof step === 'number') {
    const item = node.items[step]
    return item === undefined ? undefined : { value: item, offset: item.range[0] }
  }
  if (!isMap<ParsedNode, ParsedNode | null>(node) || typeof step !== 'string') return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
  return pair === undefined ? undefined : { value: pair.value, offset: pair.key.range[0] }
}

/** The steps of a path as Kubernetes writes it, such as `spec.work[0].name`. */
export const stepsOf = (path: string): FieldPath =>
  [...path.matchAll(/\[(\d+)\]|[^.[\]]+/gu)].map((match) => (match[1] === undefined ? match[0] : Number(match[1])))

/** The path of steps, as Kubernetes writes it. */
export const pathOf = (steps: FieldPath): string =>
  steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`
    return path === '' ? step : `${path}.${step}`
  }, '')
