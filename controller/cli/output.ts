/** Prints objects as JSON, YAML or names. Pure. */
import { stringify } from 'yaml'
import { resourceName } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { clean } from './text.ts'

/** The forms in which objects are printed. */
export const OUTPUT_FORMATS = ['wide', 'json', 'yaml', 'name'] as const
/** A form in which objects are printed. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

/** Any value as JSON for scripts. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** Any value as YAML; long lines are not folded, so that they can be copied. */
export const yamlText = (value: unknown): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })

/** `sprite.sprites.highera.com/name`. */
export const nameText = (resource: ResourceDefinition, name: string): string =>
  `${resourceName({ group: resource.group, plural: resource.singular })}/${clean(name)}`

/** One object as it is, several as a List, as kubectl prints them. */
export function objectsText(objects: readonly KubeObject[], format: 'json' | 'yaml', isSingle: boolean): string {
  const [first] = objects
  const shown =
    isSingle && first !== undefined ? ordered(first) : { apiVersion: 'v1', kind: 'List', items: objects.map(ordered) }
  return format === 'json' ? jsonText(shown) : yamlText(shown)
}

/** What it is comes first. */
function ordered(object: KubeObject): object {
  const { apiVersion, kind, metadata, ...rest } = object
  return { apiVersion, kind, metadata, ...rest }
}
