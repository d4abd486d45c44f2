/**
 * Runs the CEL rules (x-kubernetes-validations) of a schema over an object, as Kubernetes does after validation. Pure.
 *
 * Two differences to Kubernetes, which rules must keep away from: a date-time is a string here and a timestamp there,
 * and Kubernetes' own function libraries (isSorted, quantity, isURL …) are not registered.
 */
import { Environment } from '@marcbachmann/cel-js'
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js'
import type { Cause } from '../errors.ts'
import type { Json, JsonObject } from '../object.ts'
import { keysText } from './duplicates.ts'
import { isList, isObject, itemPath, memberPath, own } from './json.ts'
import type { StructuralSchema, ValidationRule } from './structural.ts'
import { cause, CAUSES_MAX } from './validate.ts'

/** Checks an object, and on an update how it differs from the old one; empty when all rules hold. */
export type RuleCheck = (value: unknown, old: unknown) => Cause[]

/**
 * The rules of a schema as one check, parsed once: keep it. Throws cel-js' ParseError when a rule is not CEL. Rules
 * that speak of oldSelf run only where there is an old value. A rule that cannot be evaluated counts as broken.
 */
export function compileRules(schema: StructuralSchema): RuleCheck {
  const check = compileNode(schema, true)
  if (check === undefined) return () => []
  return (value, old) => {
    const causes: Cause[] = []
    // Values have passed `validate`, which refuses what is not JSON.
    check({ value: value as Json, old: old as Json | undefined, path: '', causes })
    return causes.slice(0, CAUSES_MAX)
  }
}

type Visit = {
  readonly value: Json
  readonly old: Json | undefined
  readonly path: string
  readonly causes: Cause[]
}
type Check = (visit: Visit) => void

/** The check of a schema and all below it; undefined when there is no rule in it. */
function compileNode(schema: StructuralSchema, isRoot: boolean): Check | undefined {
  const checks = [rulesCheck(schema, isRoot), membersCheck(schema), itemsCheck(schema)].filter(
    (check) => check !== undefined,
  )
  if (checks.length === 0) return undefined
  return (visit) => {
    if (visit.value === null) return
    for (const check of checks) check(visit)
  }
}

function rulesCheck(schema: StructuralSchema, isRoot: boolean): Check | undefined {
  const rules = (schema['x-kubernetes-validations'] ?? []).map(compileRule)
  if (rules.length === 0) return undefined
  // Only what the rules read is turned into CEL values.
  const fields = fieldsRead(rules.map((rule) => rule.program.ast))
  const view = (value: Json): unknown => (isRoot ? rootView(schema, value, fields) : celValue(schema, value, fields))
  return ({ value, old, path, causes }) => {
    const self = view(value)
    const oldSelf = old === undefined || old === null ? undefined : view(old)
    for (const { rule, program, isTransition } of rules) {
      if (isTransition && oldSelf === undefined) continue
      const failure = failureOf(program, isTransition ? { self, oldSelf } : { self })
      if (failure !== undefined) causes.push(ruleCause(rule, path, failure))
    }
  }
}

type CompiledRule = { readonly rule: ValidationRule; readonly program: ParseResult; readonly isTransition: boolean }

function compileRule(rule: ValidationRule): CompiledRule {
  const program = environment().parse(rule.rule)
  return { rule, program, isTransition: namesIn(program.ast).has('oldSelf') }
}

const environment = (): Environment =>
  new Environment({ enableOptionalTypes: true }).registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn')

/** Why a rule does not hold: false, or not to be evaluated; undefined when it holds. */
function failureOf(program: ParseResult, context: { self: unknown; oldSelf?: unknown }): string | undefined {
  try {
    return program(context) === true ? undefined : 'failed'
  } catch {
    return 'cannot be evaluated'
  }
}

function ruleCause(rule: ValidationRule, path: string, failure: string): Cause {
  const text = failure === 'failed' && rule.message !== undefined ? rule.message : `${failure} rule: ${rule.rule}`
  const field = `${path}${rule.fieldPath ?? ''}`
  return cause(rule.reason ?? 'FieldValueInvalid', field.replace(/^\./u, ''), `Invalid value: ${text}`)
}

function membersCheck(schema: StructuralSchema): Check | undefined {
  const named = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const check = compileNode(child, false)
    return check === undefined ? [] : [{ name, check }]
  })
  const additional = schema.additionalProperties && compileNode(schema.additionalProperties, false)
  if (named.length === 0 && additional === undefined) return undefined
  return ({ value, old, path, causes }) => {
    if (!isObject(value)) return
    const oldMembers = isObject(old) ? old : undefined
    const visit = (name: string, check: Check): void => {
      const child = own(value, name)
      if (child !== undefined) check({ value: child, old: own(oldMembers, name), path: memberPath(path, name), causes })
    }
    for (const { name, check } of named) visit(name, check)
    if (additional === undefined) return
    for (const name of Object.keys(value)) {
      if (own(schema.properties, name) === undefined) visit(name, additional)
    }
  }
}

/** Items of a map list are matched with their old selves by key; those of other lists have none. */
function itemsCheck(schema: StructuralSchema): Check | undefined {
  const check = schema.items && compileNode(schema.items, false)
  if (check === undefined) return undefined
  const isMap = schema['x-kubernetes-list-type'] === 'map'
  return ({ value, old, path, causes }) => {
    if (!isList(value)) return
    const oldItems = isMap && isList(old) ? new Map(old.map((item) => [keysText(schema, item), item])) : undefined
    value.forEach((item, index) => {
      check({ value: item, old: oldItems?.get(keysText(schema, item)), path: itemPath(path, index), causes })
    })
  }
}

/** Of the metadata a rule sees only name and generateName, as in Kubernetes. */
function rootView(schema: StructuralSchema, value: Json, fields: Fields): unknown {
  if (!isObject(value)) return value
  const metadata = own(value, 'metadata')
  const names = ['name', 'generateName'].flatMap((name) => {
    const text = isObject(metadata) ? own(metadata, name) : undefined
    return text === undefined ? [] : [[name, text]]
  })
  const { metadata: _, ...rest } = value
  const view = celValue(schema, rest, fields)
  return isObject(view) ? { ...view, metadata: Object.fromEntries(names) } : view
}

/** A value as CEL sees it: integers as BigInt by schema, undeclared fields hidden. */
function celValue(schema: StructuralSchema, value: Json, fields: Fields = 'all'): unknown {
  if (typeof value === 'number') {
    const isInteger = schema.type === 'integer' || schema['x-kubernetes-int-or-string'] === true
    return isInteger && Number.isInteger(value) ? BigInt(value) : value
  }
  if (isList(value)) return schema.items === undefined ? [] : value.map((item) => celValue(schema.items ?? {}, item))
  return isObject(value) ? celMembers(schema, value, fields) : value
}

function celMembers(schema: StructuralSchema, value: JsonObject, fields: Fields): unknown {
  const members: [string, unknown][] = []
  for (const [name, child] of Object.entries(value)) {
    const childSchema = own(schema.properties, name) ?? schema.additionalProperties
    if (childSchema === undefined || (fields !== 'all' && !fields.has(name))) continue
    members.push([name, celValue(childSchema, child)])
  }
  return Object.fromEntries(members)
}

/** The members of self and oldSelf that rules read; 'all' when one of them is used as a whole. */
type Fields = ReadonlySet<string> | 'all'

function fieldsRead(asts: readonly ASTNode[]): Fields {
  const fields = new Set<string>()
  let isWhole = false
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit)
    if (!isAst(node)) return
    if (node.op === '.' && isSelf(node.args[0])) return void fields.add(node.args[1])
    if (isSelf(node)) isWhole = true
    visit(node.args)
  }
  asts.forEach(visit)
  return isWhole ? 'all' : fields
}

function namesIn(ast: ASTNode): Set<string> {
  const names = new Set<string>()
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit)
    if (!isAst(node)) return
    if (node.op === 'id') names.add(node.args)
    visit(node.args)
  }
  visit(ast)
  return names
}

const isSelf = (node: ASTNode): boolean => node.op === 'id' && (node.args === 'self' || node.args === 'oldSelf')

const isAst = (node: unknown): node is ASTNode =>
  typeof node === 'object' && node !== null && 'op' in node && 'args' in node
