/** Evaluates the subset of JSONPath that printer columns use: members, indexes, [*] and filters. Pure. */

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

type Step =
  | { readonly step: 'member'; readonly name: string }
  | { readonly step: 'index'; readonly index: number }
  | { readonly step: 'all' }
  | {
      readonly step: 'filter'
      readonly path: readonly Step[]
      readonly comparison?: Comparison
      readonly operand?: unknown
    }

/** A path ready to run; it gives every value that it meets, in order. */
export type JsonPath = (value: unknown) => readonly unknown[]

/** Values that a path may meet: beyond this it stops, so that a hostile object cannot make a table explode. */
const RESULTS_MAX = 10_000

/** Compiles a path such as `.status.conditions[?(@.type=="Ready")].status`; throws SyntaxError when it is none. */
export function compileJsonPath(text: string): JsonPath {
  const steps = parseSteps(text.replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, ''))
  return (value) => run(steps, value)
}

const run = (steps: readonly Step[], value: unknown): readonly unknown[] =>
  steps.reduce<readonly unknown[]>(
    (values, step) => values.flatMap((each) => take(step, each)).slice(0, RESULTS_MAX),
    [value],
  )

function take(step: Step, value: unknown): readonly unknown[] {
  switch (step.step) {
    case 'member':
      return isRecord(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : []
    case 'index':
      return Array.isArray(value) && value.at(step.index) !== undefined ? [value.at(step.index)] : []
    case 'all':
      return Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : []
    case 'filter':
      return Array.isArray(value) ? value.filter((item) => passes(step, item)) : []
  }
}

function passes(filter: Step & { step: 'filter' }, item: unknown): boolean {
  const [found] = run(filter.path, item)
  if (filter.comparison === undefined) return found !== undefined
  if (found === undefined) return false
  if (filter.comparison === '==') return found === filter.operand
  if (filter.comparison === '!=') return found !== filter.operand
  return compare(filter.comparison, found, filter.operand)
}

function compare(comparison: Comparison, a: unknown, b: unknown): boolean {
  const comparable =
    (typeof a === 'number' && typeof b === 'number') || (typeof a === 'string' && typeof b === 'string')
  if (!comparable) return false
  if (comparison === '<') return a < b
  if (comparison === '<=') return a <= b
  return comparison === '>' ? a > b : a >= b
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// One token at a time: the longest form first. Sticky, so that nothing between tokens is skipped.
const MEMBER = /\.((?:\\.|[^.[\]\\\s])+)|^((?:\\.|[^.[\]\\\s])+)/y
const BRACKET_MEMBER = /\.?\[\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\s*\]/y
const INDEX = /\.?\[\s*(-?\d{1,9})\s*\]/y
const ALL = /\.?\[\s*\*\s*\]|\.\*/y
const FILTER =
  /\.?\[\s*\?\(\s*@((?:\.[^\s.[\]()=!<>]+|\[[^\]]*\])+)\s*(?:(==|!=|<=|>=|<|>)\s*([^\s)](?:[^)]*[^\s)])?)\s*)?\)\s*\]/y

function parseSteps(text: string): readonly Step[] {
  const steps: Step[] = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found) at = pattern.lastIndex
    return found
  }
  while (at < text.length) {
    const step = nextStep(match)
    if (step === undefined) throw new SyntaxError(`Cannot read JSONPath "${text}" at character ${at + 1}`)
    steps.push(step)
  }
  return steps
}

function nextStep(match: (pattern: RegExp) => RegExpExecArray | null): Step | undefined {
  if (match(ALL)) return { step: 'all' }
  const index = match(INDEX)
  if (index) return { step: 'index', index: Number(index[1]) }
  const quoted = match(BRACKET_MEMBER)
  if (quoted) return { step: 'member', name: unescape(quoted[1] ?? quoted[2] ?? '') }
  const filter = match(FILTER)
  if (filter) return filterStep(filter)
  const member = match(MEMBER)
  return member ? { step: 'member', name: unescape(member[1] ?? member[2] ?? '') } : undefined
}

function filterStep(found: RegExpExecArray): Step {
  const path = parseSteps(found[1] ?? '')
  if (found[2] === undefined) return { step: 'filter', path }
  // The pattern allows only the six comparisons.
  return { step: 'filter', path, comparison: found[2] as Comparison, operand: literal(found[3] ?? '') }
}

function literal(text: string): unknown {
  const quoted = /^'(.*)'$|^"(.*)"$/s.exec(text)
  if (quoted) return unescape(quoted[1] ?? quoted[2] ?? '')
  if (text === 'true') return true
  if (text === 'false') return false
  if (text === 'null') return null
  const number = Number(text)
  if (Number.isNaN(number)) throw new SyntaxError(`Cannot read the value "${text}" in a JSONPath filter`)
  return number
}

const unescape = (text: string): string => text.replaceAll(/\\(.)/g, '$1')
