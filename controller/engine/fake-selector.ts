/** Pure: the part of selector syntax that the fake client knows: equality, inequality and existence. */
import { ApiError } from '../api/errors.ts'
import type { ListQuery } from '../client/client.ts'
import type { KubeObject } from '../api/object.ts'

/** Whether an object is in the namespace and matches the selectors of a query; BadRequest for syntax not known here. */
export function matchesQuery(object: KubeObject, query: ListQuery): boolean {
  if (query.namespace !== undefined && query.namespace !== '' && object.metadata.namespace !== query.namespace)
    return false
  const labels = new Map(Object.entries(object.metadata.labels ?? {}))
  return (
    requirements(query.labelSelector).every((part) => holds(part, (name) => labels.get(name))) &&
    requirements(query.fieldSelector).every((part) => holds(part, (path) => fieldAt(object, path)))
  )
}

const requirements = (selector: string | undefined): string[] =>
  (selector ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

function holds(part: string, valueOf: (name: string) => string | undefined): boolean {
  const match = /^(!?)([\w./-]+)(?:(==|=|!=)([\w./-]*))?$/.exec(part)
  if (match === null)
    throw new ApiError('BadRequest', `Cannot read selector "${part}" in the fake client: use =, != or a bare name`)
  const [, not, name = '', operator, wanted] = match
  const value = valueOf(name)
  if (operator === undefined) return (value !== undefined) === (not === '')
  return (value ?? (operator === '!=' ? undefined : '')) === wanted ? operator !== '!=' : operator === '!='
}

function fieldAt(object: KubeObject, path: string): string | undefined {
  let at: unknown = object
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    // A field was found under this name, so the value is an object with it.
    at = (at as Record<string, unknown>)[name]
  }
  return at === undefined || at === null || typeof at === 'object' ? undefined : `${at as string | number | boolean}`
}
