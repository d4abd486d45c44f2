/** Renders the Helm chart's templates: the few words of Helm's language that they are written in, and no others. Pure. */

/** What a template may name: `.Values`, `.Chart`. */
export type ChartScope = { readonly Values: unknown; readonly Chart: unknown }

/** A template says what this renderer, or Helm, would not understand. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
}

const DIRECTIVE = /^\s*\{\{-? (if not|if|end) ?([^}]*?)-?\}\}\s*$/
const VALUE = /\{\{ (\.[A-Za-z.]+)(?: \| (quote|toJson))? \}\}/g

/** The YAML of a template. Throws TemplateError for a directive that is not `if`, `if not` or `end` on a line of its own. */
export function renderTemplate(template: string, scope: ChartScope): string {
  const open: boolean[] = []
  const lines: string[] = []
  for (const line of template.split('\n')) {
    const [, word, argument = ''] = DIRECTIVE.exec(line) ?? []
    if (word === 'end') {
      if (open.pop() === undefined) throw new TemplateError('Begin a block before you end it')
    } else if (word !== undefined) open.push(isTrue(valueAt(scope, argument.trim())) === (word === 'if'))
    else if (open.every(Boolean)) lines.push(renderLine(line, scope))
  }
  if (open.length > 0) throw new TemplateError('End every block')
  return lines.join('\n')
}

function renderLine(line: string, scope: ChartScope): string {
  if (line.replaceAll(VALUE, '').includes('{{')) throw new TemplateError(`Cannot render "${line.trim()}"`)
  return line.replaceAll(VALUE, (_all, path: string, filter: string | undefined) => {
    const value = valueAt(scope, path)
    return filter === undefined ? textOf(value, path) : JSON.stringify(filter === 'quote' ? textOf(value, path) : value)
  })
}

/** Helm's idea of truth. */
const isTrue = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== '' && value !== 0

function textOf(value: unknown, path: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new TemplateError(`Give "${path}" a plain value, or write it with toJson`)
}

function valueAt(scope: ChartScope, path: string): unknown {
  let value: unknown = scope
  for (const name of path.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name))
      throw new TemplateError(`Name a value that is there, not "${path}"`)
    // hasOwn has just said that it is a key.
    value = value[name as keyof typeof value]
  }
  return value
}
