/** The two shapes of an Event, core/v1 and events.k8s.io/v1: the resource of the second, and the way between them. Pure. */
import type { Cause } from '../api/errors.ts'
import { asJson, type JsonObject, type KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'

const text = (description: string): StructuralSchema => ({ type: 'string', description })
const time = (description: string): StructuralSchema => ({ type: 'string', format: 'date-time', description })
const count = (description: string): StructuralSchema => ({ type: 'integer', format: 'int32', description })

const reference = (description: string): StructuralSchema => ({
  type: 'object',
  description,
  properties: {
    apiVersion: text('Group and version of the object.'),
    fieldPath: text('A part of the object.'),
    kind: text('Kind of the object.'),
    name: text('Name of the object.'),
    namespace: text('Namespace of the object.'),
    resourceVersion: text('The version of the object that it speaks of.'),
    uid: text('Uid of the object.'),
  },
})

const SHAPE: StructuralSchema = {
  type: 'object',
  properties: {
    action: text('What was done about the regarding object, as one word; at most 128 characters.'),
    deprecatedCount: count('count of the core Event.'),
    deprecatedFirstTimestamp: time('firstTimestamp of the core Event.'),
    deprecatedLastTimestamp: time('lastTimestamp of the core Event.'),
    deprecatedSource: {
      type: 'object',
      description: 'source of the core Event.',
      properties: { component: text('Who reports.'), host: text('Where that is.') },
    },
    eventTime: time('When it was observed first.'),
    note: text('What happened, for people; at most 1,024 characters.'),
    reason: text('Why the action was taken, as one word; at most 128 characters.'),
    regarding: reference('The object that it is about.'),
    related: reference('Another object that has to do with it.'),
    reportingController: text('Who reports, such as example.com/controller.'),
    reportingInstance: text('Which of them; at most 128 characters.'),
    series: {
      type: 'object',
      description: 'How it went on; absent for what happened once.',
      properties: {
        count: count('How often it happened up to the last heartbeat.'),
        lastObservedTime: time('When it was observed last.'),
      },
    },
    type: text('Normal or Warning.'),
  },
}

/** events.k8s.io/v1 Event: the core Events in their newer shape. */
export const newStyleEventResource: ResourceDefinition = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  categories: [],
  scope: 'Namespaced',
  description: 'Something that has happened to an object; kept for an hour. The same objects as core Events.',
  shape: SHAPE,
  hasStatus: false,
  columns: [
    {
      name: 'Last Seen',
      type: 'date',
      jsonPath: '.series.lastObservedTime',
      orPaths: ['.deprecatedLastTimestamp', '.eventTime', '.metadata.creationTimestamp'],
      description: 'When it happened last.',
    },
    { name: 'Type', type: 'string', jsonPath: '.type', description: 'Normal or Warning.' },
    { name: 'Reason', type: 'string', jsonPath: '.reason', description: 'Why, as one word.' },
    { name: 'Kind', type: 'string', jsonPath: '.regarding.kind', description: 'Kind of the object that it is about.' },
    { name: 'Object', type: 'string', jsonPath: '.regarding.name', description: 'The object that it is about.' },
    { name: 'Note', type: 'string', jsonPath: '.note', description: 'What happened.' },
    {
      name: 'Count',
      type: 'integer',
      priority: 1,
      jsonPath: '.series.count',
      orPaths: ['.deprecatedCount'],
      description: 'How often it happened.',
    },
  ],
  selectableFields: [
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
    'regarding.apiVersion',
    'regarding.resourceVersion',
    'regarding.fieldPath',
    'reason',
    'reportingController',
    'type',
  ],
}

/** The fields that have another name here than in a core Event; all others have the same. */
const NAMES: readonly (readonly [core: string, newStyle: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
]
const TO_NEW_STYLE = new Map(NAMES)
const TO_CORE = new Map(NAMES.map(([core, newStyle]) => [newStyle, core]))

const renamed = (content: JsonObject, names: ReadonlyMap<string, string>): JsonObject =>
  Object.fromEntries(Object.entries(content).map(([name, value]) => [names.get(name) ?? name, value]))

/** A stored Event in the shape of events.k8s.io/v1. */
export function newStyleOf(core: KubeObject): KubeObject {
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...content } = asJson(core)
  const { kind, metadata } = core
  // As in Kubernetes, where the field has no omitempty: null says that a recorder of the old style made it.
  const members = { eventTime: null, ...renamed(content, TO_NEW_STYLE) }
  // An Event names no spec.
  return { apiVersion: 'events.k8s.io/v1', kind, metadata, ...members } as unknown as KubeObject
}

/** The body of a core Event for content in the shape of events.k8s.io/v1; `metadata` as it was sent. */
export const coreBodyOf = (content: JsonObject, metadata: unknown): object => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata,
  ...renamed(content, TO_CORE),
})

/** A path of a field selector, as a core Event has it. */
export function corePath(path: string): string {
  const [first = '', ...rest] = path.split('.')
  return [TO_CORE.get(first) ?? first, ...rest].join('.')
}

const SHORT_MAX = 128
const NOTE_MAX = 1_024
const DEPRECATED = ['deprecatedSource', 'deprecatedFirstTimestamp', 'deprecatedLastTimestamp', 'deprecatedCount']

/** What is wrong with a new Event: recorders of the new style say all of this, and nothing of the old. */
export function newStyleCauses(content: JsonObject): readonly Cause[] {
  const { eventTime, type, note = '' } = content
  return [
    ...(typeof eventTime === 'string' ? [] : [required('eventTime')]),
    ...['reportingController', 'reportingInstance', 'action', 'reason'].flatMap((field) =>
      shortCauses(field, content[field]),
    ),
    ...(typeof note === 'string' && note.length <= NOTE_MAX
      ? []
      : [invalid('note', `can have at most ${NOTE_MAX} characters`)]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalid('type', 'must be "Normal" or "Warning"')]),
    ...DEPRECATED.filter((field) => !isZero(content[field])).map(unwanted),
  ]
}

function shortCauses(field: string, value: unknown): readonly Cause[] {
  if (typeof value !== 'string' || value === '') return [required(field)]
  return value.length <= SHORT_MAX ? [] : [invalid(field, `can have at most ${SHORT_MAX} characters`)]
}

/** Typed clients send Go's zero value of what they leave out. */
const isZero = (value: unknown): boolean =>
  value === undefined || value === null || value === 0 || (typeof value === 'object' && Object.keys(value).length === 0)

const required = (field: string): Cause => ({ reason: 'FieldValueRequired', message: 'Required value', field })
const invalid = (field: string, why: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${why}`,
  field,
})
const unwanted = (field: string): Cause => ({
  reason: 'FieldValueForbidden',
  message: 'Forbidden: needs to be unset',
  field,
})
