/** Goes between client-side and server-side apply of kubectl, by the annotation that the former leaves. Pure. */
import type { Json, JsonObject } from '../object.ts'
import { canonicalJson, isObject, own } from '../schema/json.ts'
import type { MapAtom } from './atom.ts'
import { compare } from './compare.ts'
import { difference, type FieldSet } from './field-set.ts'
import { setOf } from './set-of.ts'
import { typeFaults } from './typed.ts'

/** The manager whose applies keep the annotation in step and may overwrite what it proves. */
export const KUBECTL = 'kubectl'
/** The annotation in which client-side apply keeps what it applied. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** The longest annotation that is read, in characters: as long as all annotations may be. */
const CHARS_MAX = 256 * 1024

const annotationsOf = (object: Json): JsonObject => {
  const metadata = isObject(object) ? object['metadata'] : undefined
  const annotations = isObject(metadata) ? metadata['annotations'] : undefined
  return isObject(annotations) ? annotations : {}
}

/** The fields that client-side apply set and nobody has changed since; empty without the annotation. */
export function provenFields(atom: MapAtom, live: Json): FieldSet {
  const text = own(annotationsOf(live), LAST_APPLIED)
  if (typeof text !== 'string' || text === '' || text.length > CHARS_MAX) return {}
  const applied = parsed(text)
  if (!isObject(applied) || !isObject(live) || applied['apiVersion'] !== live['apiVersion']) return {}
  if (typeFaults(atom, applied).length > 0) return {}
  const differs = compare(atom, applied, live)
  if (differs === undefined) return {}
  const { changed, added, removed } = differs
  return [changed, added, removed].reduce(difference, setOf(atom, applied))
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // what JSON.parse gives is JSON
  } catch {
    return undefined
  }
}

/** The object with the annotation that the configuration asks for, where it has one; else the very same object. */
export function withLastApplied(object: JsonObject, config: JsonObject): JsonObject {
  const annotations = annotationsOf(object)
  const present = own(annotations, LAST_APPLIED)
  if (typeof present !== 'string' || present === '') return object
  const metadata = isObject(object['metadata']) ? object['metadata'] : {}
  const text = textOf(config)
  return { ...object, metadata: { ...metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } }
}

/** The configuration as kubectl writes it down: keys sorted, the annotation itself left out, a line break at the end. */
function textOf(config: JsonObject): string {
  const metadata = isObject(config['metadata']) ? config['metadata'] : {}
  const { [LAST_APPLIED]: _own, ...annotations } = annotationsOf(config)
  const { annotations: given, ...rest } = metadata
  const kept = isObject(given) ? { ...rest, annotations } : rest
  return `${canonicalJson({ ...config, metadata: kept })}\n`
}
