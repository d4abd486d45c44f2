/** Label and field selectors in Kubernetes' grammar, as predicates. Pure. */
import { err, ok, type Result } from '../../system/result.ts'
import type { Scope } from './define-kind.ts'
import { isLabelValue, isQualifiedName } from './names.ts'
import type { KubeObject } from './object.ts'

/** Whether an object is selected. */
export type Predicate = (object: KubeObject) => boolean

/** Why a selector is refused, for a BadRequest. */
export type SelectorError = { readonly message: string }

const SELECTOR_CHARS_MAX = 8_192

type Operator = 'exists' | 'absent' | 'in' | 'notin' | 'gt' | 'lt'
/** One requirement of a label selector; all of them must hold. */
export type Requirement = { readonly key: string; readonly operator: Operator; readonly values: readonly string[] }

/** Parses a label selector such as `app=web,tier in (a, b),!legacy,weight>3` into its requirements. */
export function parseLabelSelector(text: string): Result<readonly Requirement[], SelectorError> {
  if (text.length > SELECTOR_CHARS_MAX)
    return refuse(text.slice(0, 50), `at most ${SELECTOR_CHARS_MAX} characters are allowed`)
  if (text.trim() === '') return ok([])
  const requirements: Requirement[] = []
  for (const term of splitTerms(text)) {
    const requirement = parseTerm(term.trim())
    const problem = typeof requirement === 'string' ? requirement : problemOf(requirement)
    if (problem !== undefined) return refuse(text, problem)
    if (typeof requirement !== 'string') requirements.push(requirement)
  }
  return ok(requirements)
}

/** The predicate of a label selector; an empty one selects everything. */
export function labelPredicate(text: string | undefined): Result<Predicate, SelectorError> {
  const parsed = parseLabelSelector(text ?? '')
  if (!parsed.ok) return parsed
  return ok((object) => matchesLabels(parsed.value, object.metadata.labels ?? {}))
}

/** Whether labels meet every requirement. */
export const matchesLabels = (
  requirements: readonly Requirement[],
  labels: Readonly<Record<string, string>>,
): boolean =>
  requirements.every((requirement) =>
    meets(requirement, Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined),
  )

function meets({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'in':
      return value !== undefined && values.includes(value)
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'gt':
      return isInteger(value) && Number(value) > Number(values[0])
    case 'lt':
      return isInteger(value) && Number(value) < Number(values[0])
  }
}

const isInteger = (value: string | undefined): boolean => value !== undefined && /^[+-]?\d{1,18}$/.test(value)

/** Splits at commas outside parentheses. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = []
  let depth = 0
  let from = 0
  for (let index = 0; index < text.length; index++) {
    const char = text[index]
    if (char === '(') depth += 1
    else if (char === ')') depth -= 1
    else if (char === ',' && depth === 0) {
      terms.push(text.slice(from, index))
      from = index + 1
    }
  }
  terms.push(text.slice(from))
  return terms
}

/** One requirement, or why the term is not one. */
function parseTerm(term: string): Requirement | string {
  if (term === '') return 'a term is empty'
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(term)
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim())
    return { key: set[1] ?? '', operator: set[2] === 'in' ? 'in' : 'notin', values }
  }
  const pair = /^([^=!<>\s]+)\s*(==|!=|=|<|>)\s*([^=!<>\s]*)$/.exec(term)
  if (pair !== null)
    return { key: pair[1] ?? '', operator: PAIR_OPERATORS[pair[2] ?? ''] ?? 'in', values: [pair[3] ?? ''] }
  const absent = /^!\s*(\S+)$/.exec(term)
  if (absent !== null) return { key: absent[1] ?? '', operator: 'absent', values: [] }
  return /\s/.test(term) ? `"${term.slice(0, 100)}" is no requirement` : { key: term, operator: 'exists', values: [] }
}

const PAIR_OPERATORS: Readonly<Record<string, Operator>> = {
  '=': 'in',
  '==': 'in',
  '!=': 'notin',
  '>': 'gt',
  '<': 'lt',
}

function problemOf({ key, operator, values }: Requirement): string | undefined {
  if (!isQualifiedName(key)) return `"${key.slice(0, 100)}" is no label key`
  if (operator === 'gt' || operator === 'lt')
    return isInteger(values[0]) ? undefined : `"${values[0] ?? ''}" is no integer, as < and > need`
  const bad = values.find((value) => !isLabelValue(value))
  return bad === undefined ? undefined : `"${bad.slice(0, 100)}" is no label value`
}

/** One term of a field selector; `path` is such as `spec.agentType`. */
export type FieldRequirement = { readonly path: string; readonly isNegated: boolean; readonly value: string }

/** Parses a field selector such as `metadata.name=x,status.phase!=Done`; `\` escapes a comma, an equals sign or itself. */
export function parseFieldSelector(
  text: string,
  selectable: readonly string[],
  scope: Scope = 'Namespaced',
): Result<readonly FieldRequirement[], SelectorError> {
  if (text.length > SELECTOR_CHARS_MAX)
    return refuse(text.slice(0, 50), `at most ${SELECTOR_CHARS_MAX} characters are allowed`)
  // What lies in no namespace cannot be selected by one.
  const known = new Set(['metadata.name', ...(scope === 'Namespaced' ? ['metadata.namespace'] : []), ...selectable])
  const requirements: FieldRequirement[] = []
  for (const term of text.split(/(?<!\\),/)) {
    if (term === '') continue
    const match = /^([^=!]+)(==|!=|=)((?:[^=\\]|\\.)*)$/s.exec(term)
    if (match === null) return refuse(text, `"${term.slice(0, 100)}" is no requirement`)
    const path = (match[1] ?? '').trim()
    if (!known.has(path)) return err({ message: `field label not supported: ${path.slice(0, 200)}` })
    requirements.push({ path, isNegated: match[2] === '!=', value: (match[3] ?? '').replace(/\\(.)/gs, '$1') })
  }
  return ok(requirements)
}

/** The predicate of a field selector; an absent field counts as the empty text, as in Kubernetes. */
export function fieldPredicate(
  text: string | undefined,
  selectable: readonly string[],
  scope?: Scope,
): Result<Predicate, SelectorError> {
  const parsed = parseFieldSelector(text ?? '', selectable, scope)
  if (!parsed.ok) return parsed
  const checks = parsed.value.map(({ path, isNegated, value }) => ({ keys: path.split('.'), isNegated, value }))
  return ok((object) => checks.every(({ keys, isNegated, value }) => (textAt(object, keys) === value) !== isNegated))
}

/** The predicate of both selectors; `selectable` is the resource's list beyond name and namespace. */
export function selectorPredicate(
  selectors: { readonly labelSelector?: string | undefined; readonly fieldSelector?: string | undefined },
  selectable: readonly string[],
  scope?: Scope,
): Result<Predicate, SelectorError> {
  const labels = labelPredicate(selectors.labelSelector)
  if (!labels.ok) return labels
  const fields = fieldPredicate(selectors.fieldSelector, selectable, scope)
  if (!fields.ok) return fields
  return ok((object) => labels.value(object) && fields.value(object))
}

function textAt(object: unknown, keys: readonly string[]): string {
  let value: unknown = object
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return ''
    value = (value as Readonly<Record<string, unknown>>)[key]
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

const refuse = (text: string, why: string): Result<never, SelectorError> =>
  err({ message: `Cannot parse the selector "${text.slice(0, 200)}": ${why}` })
