/** What of a request's metadata counts: what the server owns is ignored, empty maps and lists vanish. Pure. */
import type { Cause } from './errors.ts'
import { annotationCauses, finalizerCauses, labelCauses } from './names.ts'
import { goQuoted } from './go-quote.ts'
import type { OwnerReference } from './object.ts'
import { isJsonObject } from './patches.ts'

/** The part of metadata that a request may set. */
export type RequestedMeta = {
  readonly name?: string
  readonly namespace?: string
  readonly generateName?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
}

/** What a request names as the state that it has seen: preconditions, never values. */
export type SeenMeta = { readonly uid?: string; readonly resourceVersion?: string }

/** The metadata of a request: what may be asked for, and what was seen. */
export type ReadMeta = {
  readonly requested: RequestedMeta
  readonly seen: SeenMeta
  /** Fields that metadata does not have, as paths. */
  readonly unknown: readonly string[]
  /** Values of a wrong type, as sentences: the request cannot be read. */
  readonly wrong: readonly string[]
}

const SERVER_OWNED: ReadonlySet<string> = new Set([
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'managedFields',
  'selfLink',
])

type Reading = { readonly set: Record<string, unknown>; readonly unknown: string[]; readonly wrong: string[] }

/** Reads the metadata of a request body; a null or absent field is as if it were not there. */
export function readMeta(metadata: unknown): ReadMeta {
  const reading: Reading = { set: {}, unknown: [], wrong: [] }
  if (!isJsonObject(metadata ?? {}))
    return { requested: {}, seen: {}, unknown: [], wrong: ['metadata must be an object'] }
  for (const [key, value] of Object.entries(metadata ?? {}))
    if (value !== null && value !== undefined) readField(reading, key, value)
  const { uid, resourceVersion, ...requested } = reading.set
  return {
    // Every value has been read by the reader of its field.
    requested: requested as RequestedMeta,
    seen: {
      ...(typeof uid === 'string' && uid !== '' ? { uid } : {}),
      ...(typeof resourceVersion === 'string' && resourceVersion !== '' ? { resourceVersion } : {}),
    },
    unknown: reading.unknown,
    wrong: reading.wrong,
  }
}

function readField(reading: Reading, key: string, value: unknown): void {
  switch (key) {
    case 'name':
    case 'namespace':
    case 'generateName':
    case 'uid':
    case 'resourceVersion':
      if (typeof value !== 'string') reading.wrong.push(`metadata.${key} must be a string`)
      else if (value !== '') reading.set[key] = value
      return
    case 'labels':
    case 'annotations':
      readTexts(reading, key, value)
      return
    case 'finalizers':
      if (!isTexts(value)) reading.wrong.push('metadata.finalizers must be a list of strings')
      else if (value.length > 0) reading.set[key] = [...new Set(value)]
      return
    case 'ownerReferences':
      readOwners(reading, value)
      return
    default:
      if (!SERVER_OWNED.has(key)) reading.unknown.push(`metadata.${key}`)
      else readServerOwned(reading, key, value)
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** What the server owns is ignored, but it has to be of the right type: the request cannot be read otherwise. */
function readServerOwned(reading: Reading, key: string, value: unknown): void {
  if (key === 'creationTimestamp' || key === 'deletionTimestamp') {
    const isTime = typeof value === 'string' && (value === '' || TIME.test(value))
    if (!isTime) reading.wrong.push(`metadata.${key} must be a time as of RFC 3339`)
  } else if (key === 'generation' || key === 'deletionGracePeriodSeconds') {
    if (!Number.isInteger(value)) reading.wrong.push(`metadata.${key} must be an integer`)
  } else if (key === 'selfLink') {
    if (typeof value !== 'string') reading.wrong.push('metadata.selfLink must be a string')
  } else if (!Array.isArray(value)) reading.wrong.push(`metadata.${key} must be a list`)
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** Labels and annotations; a null value is the empty text, as Go reads it. */
function readTexts(reading: Reading, key: string, value: unknown): void {
  if (!isJsonObject(value)) {
    reading.wrong.push(`metadata.${key} must be a map of strings`)
    return
  }
  const entries = Object.entries(value)
  const wrong = entries.find(([, text]) => text !== null && typeof text !== 'string')
  if (wrong !== undefined)
    reading.wrong.push(`metadata.${key}[${JSON.stringify(wrong[0].slice(0, 100))}] must be a string`)
  else if (entries.length > 0) reading.set[key] = Object.fromEntries(entries.map(([name, text]) => [name, text ?? '']))
}

const OWNER_TEXTS = ['apiVersion', 'kind', 'name', 'uid'] as const
const OWNER_FLAGS = ['controller', 'blockOwnerDeletion'] as const

function readOwners(reading: Reading, value: unknown): void {
  if (!Array.isArray(value)) {
    reading.wrong.push('metadata.ownerReferences must be a list')
    return
  }
  const owners = value.map((raw: unknown, index) => readOwner(reading, raw, `metadata.ownerReferences[${index}]`))
  if (owners.length > 0) reading.set['ownerReferences'] = owners
}

function readOwner(reading: Reading, raw: unknown, path: string): OwnerReference {
  const source = isJsonObject(raw) ? raw : {}
  if (!isJsonObject(raw)) reading.wrong.push(`${path} must be an object`)
  const owner: Record<string, unknown> = {}
  for (const key of OWNER_TEXTS) {
    const text = source[key] ?? ''
    if (typeof text !== 'string') reading.wrong.push(`${path}.${key} must be a string`)
    owner[key] = text
  }
  for (const key of OWNER_FLAGS) {
    const flag = source[key] ?? undefined
    if (flag !== undefined && typeof flag !== 'boolean') reading.wrong.push(`${path}.${key} must be a boolean`)
    else if (flag !== undefined) owner[key] = flag
  }
  const known: readonly string[] = [...OWNER_TEXTS, ...OWNER_FLAGS]
  for (const key of Object.keys(source)) if (!known.includes(key)) reading.unknown.push(`${path}.${key}`)
  // The four texts are set above; a wrong one refuses the whole request.
  return owner as OwnerReference
}

/** What is wrong with requested metadata, the name aside. */
export function metaCauses(requested: RequestedMeta): readonly Cause[] {
  return [
    ...labelCauses(requested.labels ?? {}),
    ...annotationCauses(requested.annotations ?? {}),
    ...finalizerCauses(requested.finalizers ?? []),
    ...ownerCauses(requested.ownerReferences ?? []),
  ]
}

const ownerCause = (field: string, message: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${message}`,
  field: `metadata.ownerReferences${field}`,
})

function ownerCauses(owners: readonly OwnerReference[]): readonly Cause[] {
  const wrong = owners.flatMap((owner) => [
    ...(/^[^/]+(\/[^/]+)?$/.test(owner.apiVersion)
      ? []
      : [ownerCause('.apiVersion', `${goQuoted(owner.apiVersion.slice(0, 100))}: version must not be empty`)]),
    ...(['kind', 'name', 'uid'] as const)
      .filter((key) => owner[key] === '')
      .map((key) => ownerCause(`.${key}`, '"": must not be empty')),
    ...(isEvent(owner)
      ? [ownerCause('', `${JSON.stringify(owner).slice(0, 500)}: /v1, Kind=Event is disallowed from being an owner`)]
      : []),
  ])
  const [first, second] = owners.filter((owner) => owner.controller === true)
  if (first === undefined || second === undefined) return wrong
  const found = `Found "true" in references for ${first.kind}/${first.name} and ${second.kind}/${second.name}`
  const message = `${JSON.stringify(owners).slice(0, 500)}: Only one reference can have Controller set to true. ${found}`
  return [...wrong, ownerCause('', message)]
}

const isEvent = ({ apiVersion, kind }: OwnerReference): boolean => apiVersion === 'v1' && kind === 'Event'
