/**
 * Reads a persona from Markdown: YAML front matter between two lines of `---`, then the prompt. Pure.
 *
 *  PF1 Every problem has line and column (from 1), the field, and says what would do.
 *  PF2 The name in the front matter equals the file's name without `.md`.
 *  PF3 Unknown keys are errors and name the nearest known key.
 *  PF4 Hostile text is refused before it costs time: size, lines, keys and aliases are bounded.
 */
import { LineCounter, isMap, isScalar, parseDocument, type Document, type YAMLMap } from 'yaml'
import type { z } from 'zod'
import { err, ok, type Result } from '../system/result.ts'
import { personaFrontMatter, personaSchema, type Persona } from './persona.ts'

/** Something that is wrong in a persona file, and where. */
export type PersonaProblem = {
  readonly line: number
  readonly column: number
  /** Path of the field, such as `mayHandOffTo[0]`; '' for the file as a whole. */
  readonly field: string
  readonly message: string
}

const FILE_CHARACTERS_MAX = 128 * 1024
const FRONT_MATTER_CHARACTERS_MAX = 16 * 1024
const FRONT_MATTER_KEYS_MAX = 50
const PROBLEMS_MAX = 20

const KNOWN_KEYS = Object.keys(personaFrontMatter.shape)

type Split = { readonly yaml: string; readonly prompt: string; readonly promptLine: number }

/** The persona in `text`, which was read from a file called `file` (a path is allowed); or up to 20 problems in order. */
export function parsePersona(text: string, file: string): Result<Persona, readonly PersonaProblem[]> {
  if (text.length > FILE_CHARACTERS_MAX)
    return err([problem('', `Shorten the file to "${FILE_CHARACTERS_MAX}" characters, it has "${text.length}"`)])
  const split = splitFrontMatter(text)
  if (!split.ok) return split
  const front = readFrontMatter(split.value.yaml)
  if (!front.ok) return front
  const problems = [...front.value.problems, ...nameProblems(front.value, file)]
  const prompt = split.value.prompt.trim()
  const promptLine = split.value.promptLine
  if (prompt === '')
    problems.push({ line: promptLine, column: 1, field: 'prompt', message: 'Write the prompt below the front matter' })
  const persona = personaSchema.safeParse({ ...front.value.fields, prompt })
  if (problems.length === 0 && !persona.success)
    for (const issue of persona.error.issues)
      problems.push({ line: promptLine, column: 1, field: issue.path.join('.'), message: issue.message })
  if (problems.length > 0 || !persona.success) return err(inOrder(problems).slice(0, PROBLEMS_MAX))
  return ok(persona.data)
}

const problem = (field: string, message: string, at: { readonly line?: number } = {}): PersonaProblem => ({
  line: at.line ?? 1,
  column: 1,
  field,
  message,
})

/** Where the front matter begins: the line after the dashes. */
const FRONT = { line: 2 }

const inOrder = (problems: readonly PersonaProblem[]): PersonaProblem[] =>
  problems.toSorted((a, b) => a.line - b.line || a.column - b.column)

function splitFrontMatter(text: string): Result<Split, readonly PersonaProblem[]> {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  if (lines[0]?.trimEnd() !== '---')
    return err([problem('', 'Begin the file with a line of three dashes, front matter, and a line of three dashes')])
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---')
  if (end < 0) return err([problem('', 'Close the front matter with a line of three dashes', { line: lines.length })])
  const yaml = lines.slice(1, end).join('\n')
  if (yaml.length > FRONT_MATTER_CHARACTERS_MAX)
    return err([problem('', `Shorten the front matter to "${FRONT_MATTER_CHARACTERS_MAX}" characters`)])
  return ok({ yaml, prompt: lines.slice(end + 1).join('\n'), promptLine: end + 2 })
}

type FrontMatter = {
  readonly fields: Readonly<Record<string, unknown>>
  readonly problems: PersonaProblem[]
  readonly locate: (path: readonly PropertyKey[]) => { readonly line: number; readonly column: number }
}

function readFrontMatter(yaml: string): Result<FrontMatter, readonly PersonaProblem[]> {
  const counter = new LineCounter()
  // uniqueKeys is quadratic in the number of keys, see duplicateKeys.
  const document = parseDocument(yaml, { lineCounter: counter, uniqueKeys: false, version: '1.2' })
  // The front matter starts at the second line of the file.
  const at = (offset: number): { line: number; column: number } => {
    const { line, col } = counter.linePos(offset)
    return { line: line + 1, column: col }
  }
  const [syntaxError] = document.errors
  if (syntaxError) {
    const where = at(syntaxError.pos[0])
    return err([{ ...where, field: '', message: `Mend the YAML: ${firstLine(syntaxError.message)}` }])
  }
  if (!isMap(document.contents)) return err([problem('', 'Write the front matter as `key: value` lines', FRONT)])
  const map = document.contents
  if (map.items.length > FRONT_MATTER_KEYS_MAX)
    return err([problem('', `Use at most "${FRONT_MATTER_KEYS_MAX}" keys, there are "${map.items.length}"`, FRONT)])
  const locate = (path: readonly PropertyKey[]): { line: number; column: number } => at(offsetOf(document, path))
  const fields = fieldsOf(document)
  if (fields === undefined) return err([problem('', 'Write the front matter without aliases and anchors', FRONT)])
  const problems = [...duplicateKeys(map, at), ...fieldProblems(fields, { map, at, locate })]
  return ok({ fields, problems, locate })
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')

function fieldsOf(document: Document): Record<string, unknown> | undefined {
  try {
    // contents is a map, see above, so that its value is an object; 0 refuses every alias.
    return document.toJS({ maxAliasCount: 0 }) as Record<string, unknown>
  } catch {
    return undefined
  }
}

type At = (offset: number) => { readonly line: number; readonly column: number }

const keyText = (key: unknown): string => (isScalar(key) ? String(key.value) : '')
const keyOffset = (key: unknown): number => (isScalar(key) ? (key.range?.[0] ?? 0) : 0)

function duplicateKeys(map: YAMLMap, at: At): PersonaProblem[] {
  const seen = new Set<string>()
  const problems: PersonaProblem[] = []
  for (const { key } of map.items) {
    const name = keyText(key)
    if (seen.has(name)) problems.push({ ...at(keyOffset(key)), field: name, message: 'Write the key once' })
    seen.add(name)
  }
  return problems
}

type Places = { readonly map: YAMLMap; readonly at: At; readonly locate: FrontMatter['locate'] }

function fieldProblems(fields: Readonly<Record<string, unknown>>, places: Places): PersonaProblem[] {
  const parsed = personaFrontMatter.safeParse(fields)
  if (parsed.success) return []
  return parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => unknownKey(key, places))
      : [{ ...places.locate(issue.path), field: pathText(issue.path), message: explain(issue, fields) }],
  )
}

function unknownKey(key: string, { map, at }: Places): PersonaProblem {
  const pair = map.items.find((item) => keyText(item.key) === key)
  const nearest = nearestName(key, KNOWN_KEYS)
  const advice = nearest ? `did you mean "${nearest}"?` : `known are ${KNOWN_KEYS.join(', ')}`
  return { ...at(keyOffset(pair?.key)), field: key, message: `Remove the unknown key "${key}"; ${advice}` }
}

function explain(issue: z.core.$ZodIssue, fields: Readonly<Record<string, unknown>>): string {
  const [first, second] = issue.path
  const value = typeof first === 'string' && Object.hasOwn(fields, first) ? fields[first] : undefined
  if (value === undefined) return `Set the field, it is missing; ${issue.message}`
  const received = Array.isArray(value) && typeof second === 'number' ? (value as unknown[])[second] : value
  return `Correct the value "${JSON.stringify(received).slice(0, 100)}"; ${issue.message}`
}

const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('')

/** The offset of the value at `path`, or of the nearest part of the path that exists. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true)
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range))
      return Number(node.range[0])
  }
  return 0
}

function nameProblems(front: FrontMatter, file: string): PersonaProblem[] {
  const { name } = front.fields
  const fileName = (file.split(/[\\/]/).at(-1) ?? '').replace(/\.md$/, '')
  if (typeof name !== 'string' || name === fileName) return []
  const message = `Name the persona as its file is named, "${fileName}", or rename the file: it says "${name.slice(0, 60)}"`
  return [{ ...front.locate(['name']), field: 'name', message }]
}

/** The known name that a wrong one most likely meant: at most a third of its letters differ; undefined when none is near. */
function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > 100) return undefined
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const [best] = ranked
  return best && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      const substituted = (previous[column - 1] ?? 0) + cost
      current.push(Math.min((previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, substituted))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}

/** Problems of personas taken together, by name: each agent type in mayHandOffTo must exist and be another one. */
export function checkPersonas(all: ReadonlyMap<string, Persona>): ReadonlyMap<string, readonly string[]> {
  const problems = new Map<string, readonly string[]>()
  for (const [name, persona] of all) {
    const found = persona.mayHandOffTo.flatMap((target) => targetProblem(name, target, all))
    if (found.length > 0) problems.set(name, found)
  }
  return problems
}

function targetProblem(name: string, target: string, all: ReadonlyMap<string, Persona>): string[] {
  if (target === name) return [`Remove "${target}" from mayHandOffTo: no agent hands off to itself`]
  if (all.has(target)) return []
  const nearest = nearestName(target, [...all.keys()])
  const advice = nearest ? `did you mean "${nearest}"?` : `known are ${[...all.keys()].toSorted().join(', ')}`
  return [`Remove "${target}" from mayHandOffTo, there is no such agent type; ${advice}`]
}
