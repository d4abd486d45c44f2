/** Kubernetes' rules for names, labels and annotations, as causes of a refusal. Pure. */
import type { Cause } from './errors.ts'
import { goQuoted } from './go-quote.ts'

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/

/** Sum of the keys and values of all annotations, in bytes, at most. */
export const ANNOTATIONS_BYTES_MAX = 256 * 1024

/** What of a wrong value is repeated, in characters: more than any right one has. */
const SHOWN_CHARS_MAX = 320

const invalid = (field: string, value: string, why: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${goQuoted(value.slice(0, SHOWN_CHARS_MAX))}: ${why}`,
  field,
})

const ALPHANUMERIC = 'must start and end with an alphanumeric character (e.g. '
const SUBDOMAIN_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and ${ALPHANUMERIC}'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`
const LABEL_RULE = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and ${ALPHANUMERIC}'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`
const QUALIFIED_RULE = `must consist of alphanumeric characters, '-', '_' or '.', and ${ALPHANUMERIC}'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`
const LABEL_VALUE_RULE = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and ${ALPHANUMERIC}'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`

type Bounds = { readonly max: number; readonly pattern: RegExp; readonly rule: string }

/** What breaks a bound on bytes and a pattern, as Kubernetes says it: the bound first. */
const broken = (text: string, { max, pattern, rule }: Bounds): readonly string[] => [
  ...(Buffer.byteLength(text) > max ? [`must be no more than ${max} bytes`] : []),
  ...(pattern.test(text) ? [] : [rule]),
]

const subdomainFaults = (text: string): readonly string[] =>
  broken(text, { max: 253, pattern: SUBDOMAIN, rule: SUBDOMAIN_RULE })

const labelFaults = (text: string): readonly string[] => broken(text, { max: 63, pattern: LABEL, rule: LABEL_RULE })

const labelValueFaults = (text: string): readonly string[] =>
  broken(text, { max: 63, pattern: LABEL_VALUE, rule: LABEL_VALUE_RULE })

/** What keeps a text from being a qualified name. */
export function qualifiedNameFaults(text: string): readonly string[] {
  const parts = text.split('/')
  const [name = '', prefix] = parts.toReversed()
  if (parts.length > 2)
    return [
      `a qualified name ${QUALIFIED_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  const ofPrefix =
    prefix === undefined
      ? []
      : prefix === ''
        ? ['prefix part must be non-empty']
        : subdomainFaults(prefix).map((fault) => `prefix part ${fault}`)
  const bounds = { max: 63, pattern: QUALIFIED, rule: QUALIFIED_RULE }
  const ofName = name === '' ? ['name part must be non-empty'] : []
  return [...ofPrefix, ...ofName, ...broken(name, bounds).map((fault) => `name part ${fault}`)]
}

/** Whether a text is an RFC 1123 label of at most 63 characters. */
export const isDnsLabel = (text: string): boolean => text.length <= 63 && LABEL.test(text)

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
  const faults = kind === 'Namespace' ? labelFaults(name) : subdomainFaults(name)
  return faults.map((fault) => invalid('metadata.name', name, fault))
}

/** Why a text may not be the beginning of a generated name. */
export function generateNameCauses(prefix: string | undefined, kind: string): readonly Cause[] {
  if (prefix === undefined) return []
  // What follows makes a dash at its end a right one.
  const whole = prefix.replace(/-$/, 'a')
  const faults = kind === 'Namespace' ? labelFaults(whole) : subdomainFaults(whole)
  return faults.map((fault) => invalid('metadata.generateName', prefix, fault))
}

/** Whether a text is a qualified name: `name` or `prefix/name`, as label keys, annotation keys and finalizers are. */
export const isQualifiedName = (text: string): boolean => qualifiedNameFaults(text).length === 0

/** Whether a text may be a label's value. */
export const isLabelValue = (text: string): boolean => text.length <= 63 && LABEL_VALUE.test(text)

/** What is wrong with labels. */
export function labelCauses(labels: Readonly<Record<string, string>>, field = 'metadata.labels'): readonly Cause[] {
  return Object.entries(labels).flatMap(([key, value]) => [
    ...qualifiedNameFaults(key).map((fault) => invalid(field, key, fault)),
    ...labelValueFaults(value).map((fault) => invalid(field, value, fault)),
  ])
}

/** What is wrong with annotations. */
export function annotationCauses(annotations: Readonly<Record<string, string>>): readonly Cause[] {
  const field = 'metadata.annotations'
  let sizeBytes = 0
  const causes: Cause[] = []
  for (const [key, value] of Object.entries(annotations)) {
    // Kubernetes lets upper-case letters through in the prefix of an annotation's key.
    causes.push(...qualifiedNameFaults(key.toLowerCase()).map((fault) => invalid(field, key, fault)))
    sizeBytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (sizeBytes > ANNOTATIONS_BYTES_MAX) {
    const message = `Too long: may not be more than ${ANNOTATIONS_BYTES_MAX} bytes`
    causes.push({ reason: 'FieldValueTooLong', message, field })
  }
  return causes
}

const OWN_FINALIZERS: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** Whether a finalizer has no domain and is not one of Kubernetes' own three. */
export const isPlainFinalizer = (finalizer: string): boolean =>
  !finalizer.includes('/') && !OWN_FINALIZERS.has(finalizer)

/** What is wrong with finalizers. One without a domain is for custom kinds a matter of a warning. */
export const finalizerCauses = (finalizers: readonly string[]): readonly Cause[] =>
  finalizers.flatMap((finalizer) =>
    qualifiedNameFaults(finalizer).map((fault) => invalid('metadata.finalizers', finalizer, fault)),
  )

/** What is said to whoever uses a finalizer without a domain. */
export const plainFinalizerWarning = (finalizer: string): string =>
  `metadata.finalizers: ${goQuoted(finalizer.slice(0, SHOWN_CHARS_MAX))}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`

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
