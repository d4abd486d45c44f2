/** Kubernetes' rules for names, labels and annotations, as causes of a refusal. Pure. */
import type { Cause } from './errors.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

/** Sum of the keys and values of all annotations, in bytes, at most. */
export const ANNOTATIONS_BYTES_MAX = 256 * 1024

const invalid = (field: string, value: string, why: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value.slice(0, 100))}: ${why}`,
  field,
})

/** Whether a text is an RFC 1123 label of at most 63 characters. */
export const isDnsLabel = (text: string): boolean => text.length <= 63 && LABEL.test(text)

/** Whether a text is an RFC 1123 subdomain of at most 253 characters: the name of an object. */
export const isDnsSubdomain = (text: string): boolean => text.length <= 253 && SUBDOMAIN.test(text)

/** Why a text may not be the name of an object; a namespace's name is an RFC 1123 label. */
export function nameCauses(name: string, kind: string): readonly Cause[] {
  if (name === '')
    return [
      {
        reason: 'FieldValueRequired',
        message: 'Required value: name or generateName is required',
        field: 'metadata.name',
      },
    ]
  if (kind === 'Namespace' && !isDnsLabel(name))
    return [invalid('metadata.name', name, 'must be a lower-case RFC 1123 label of at most 63 characters')]
  if (isDnsSubdomain(name)) return []
  return [invalid('metadata.name', name, 'must be a lower-case RFC 1123 subdomain of at most 253 characters')]
}

/** Whether a text is a qualified name: `name` or `prefix/name`, as label keys, annotation keys and finalizers are. */
export function isQualifiedName(text: string): boolean {
  const slash = text.indexOf('/')
  const name = text.slice(slash + 1)
  const prefix = slash < 0 ? undefined : text.slice(0, slash)
  return name.length <= 63 && QUALIFIED.test(name) && (prefix === undefined || isDnsSubdomain(prefix))
}

/** Whether a text may be a label's value. */
export const isLabelValue = (text: string): boolean => text.length <= 63 && LABEL_VALUE.test(text)

/** What is wrong with labels. */
export function labelCauses(labels: Readonly<Record<string, string>>, field = 'metadata.labels'): readonly Cause[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...(isQualifiedName(key) ? [] : [invalid(field, key, 'a label key must be a qualified name')]),
    ...(isLabelValue(value)
      ? []
      : [invalid(field, value, 'a label value has at most 63 characters of letters, digits, "-", "_" and "."')]),
  ])
}

/** What is wrong with annotations. */
export function annotationCauses(annotations: Readonly<Record<string, string>>): readonly Cause[] {
  const field = 'metadata.annotations'
  let sizeBytes = 0
  const causes: Cause[] = []
  for (const [key, value] of Object.entries(annotations)) {
    // Kubernetes lets upper-case letters through in the prefix of an annotation's key.
    if (!isQualifiedName(key.toLowerCase()))
      causes.push(invalid(field, key, 'an annotation key must be a qualified name'))
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (sizeBytes > ANNOTATIONS_BYTES_MAX) {
    const message = `Too long: may not be more than ${ANNOTATIONS_BYTES_MAX} bytes`
    causes.push({ reason: 'FieldValueTooLong', message, field })
  }
  return causes
}

/** What is wrong with finalizers; Kubernetes' own three have no prefix. */
export function finalizerCauses(finalizers: readonly string[]): readonly Cause[] {
  const own: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])
  return finalizers.flatMap((finalizer, index) => {
    const field = `metadata.finalizers[${index}]`
    if (!isQualifiedName(finalizer)) return [invalid(field, finalizer, 'must be a qualified name')]
    if (finalizer.includes('/') || own.has(finalizer)) return []
    return [invalid(field, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')]
  })
}

const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const SUFFIX_CHARS = 5

/** The name that a generateName prefix becomes; `random` gives one byte per character of the suffix. */
export function generatedName(prefix: string, random: Uint8Array): string {
  const suffix = Array.from(
    { length: SUFFIX_CHARS },
    (_, i) => SUFFIX_ALPHABET[(random[i] ?? 0) % SUFFIX_ALPHABET.length],
  )
  return `${prefix.slice(0, 63 - SUFFIX_CHARS)}${suffix.join('')}`
}
