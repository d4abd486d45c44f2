/** Finds the kinds that a person means by a plural, a singular, a short name or a category. Pure. */
import type { ResourceDefinition } from '../api/resource.ts'
import { nearestName } from '../api/schema/nearest.ts'
import { RESOURCES } from '../kinds/index.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { CliFailure } from './failure.ts'

const ALL: readonly ResourceDefinition[] = [...RESOURCES, ...CORE_RESOURCES]

const namesOf = (resource: ResourceDefinition): readonly string[] => [
  resource.plural,
  resource.singular,
  resource.kind.toLowerCase(),
  ...resource.shortNames,
  `${resource.plural}.${resource.group}`,
]

/** Every word that names a kind, for completion. */
export const kindWords: readonly string[] = [...new Set([...ALL.map((resource) => resource.plural), 'fleet'])]

/** The kinds of `sprites,work` or `fleet`, each once. Throws CliFailure Usage. */
export function kindsOf(text: string): readonly ResourceDefinition[] {
  const found = text
    .split(',')
    .filter((word) => word !== '')
    .flatMap((word) => named(word.toLowerCase()))
  if (found.length === 0) throw new CliFailure('Usage', `Name a kind, such as sprites: got "${text}"`)
  return [...new Set(found)]
}

/** The one kind that a word names. */
export function kindOf(text: string): ResourceDefinition {
  const [resource, ...more] = kindsOf(text)
  if (resource === undefined || more.length > 0) throw new CliFailure('Usage', `Name one kind: "${text}" is several`)
  return resource
}

function named(word: string): readonly ResourceDefinition[] {
  const exact = ALL.filter((resource) => namesOf(resource).includes(word))
  if (exact.length > 0) return exact
  const ofCategory = ALL.filter((resource) => resource.categories.includes(word))
  if (ofCategory.length > 0) return ofCategory
  const near = nearestName(word, ALL.flatMap(namesOf))
  const advice = near === undefined ? `known are ${kindWords.join(', ')}` : `did you mean ${near}?`
  throw new CliFailure('Usage', `Unknown kind "${word}": ${advice}`)
}

/** One object that a command line names. */
export type Named = { readonly resource: ResourceDefinition; readonly name: string }

/** Reads `KIND NAME` or `KIND/NAME`. Throws CliFailure Usage. */
export function namedObject(first: string, second: string | undefined): Named {
  const slash = first.indexOf('/')
  const [kind, name] = slash < 0 ? [first, second] : [first.slice(0, slash), first.slice(slash + 1)]
  if (slash >= 0 && second !== undefined) throw new CliFailure('Usage', `Name it once: "${first}" or "${second}"`)
  if (name === undefined || name === '')
    throw new CliFailure('Usage', `Name the ${kindOf(kind).singular}, such as ${kind}/NAME`)
  return { resource: kindOf(kind), name }
}

/** The namespace to ask: '' is all; a kind without namespaces has none. Throws CliFailure Usage. */
export function namespaceFor(
  resource: ResourceDefinition,
  options: { readonly namespace?: string | undefined; readonly isAll?: boolean },
): string {
  if (resource.scope === 'Cluster' || options.isAll === true) return ''
  if (options.namespace !== undefined && options.namespace !== '') return options.namespace
  throw new CliFailure('Usage', `Name the tenant with -n: a ${resource.singular} belongs to one`)
}
