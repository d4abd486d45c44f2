/** Objects whose metadata, names or specs are wrong. */
import { BASE, FREE, HEAD, SPRITES, create, merge, sprite, strict, type ErrorCase } from './case.ts'

/** Metadata of wrong types and shapes. */
export const METADATA: readonly ErrorCase[] = [
  create('metadata that is a list', JSON.stringify({ ...HEAD, metadata: [] }), FREE),
  create('metadata that is a text', JSON.stringify({ ...HEAD, metadata: 'x' }), FREE),
  create('no metadata', JSON.stringify({ ...HEAD, spec: { agentType: 'copywriter' } })),
  create('a name that is a number', JSON.stringify({ ...HEAD, metadata: { name: 3 } }), FREE),
  create('labels that are a list', sprite('x', { labels: ['a'] }), FREE),
  create('a label that is a number', sprite('x', { labels: { a: 1 } }), FREE),
  create('a label that is null', sprite('label-null', { labels: { a: null } })),
  create('annotations that are a text', sprite('x', { annotations: 'a' }), FREE),
  create('an annotation that is a number', sprite('x', { annotations: { a: 1 } }), FREE),
  create('an annotation that is an object', sprite('x', { annotations: { a: {} } }), FREE),
  create('finalizers that are a text', sprite('x', { finalizers: 'a' }), FREE),
  create('a finalizer that is a number', sprite('x', { finalizers: [1] }), FREE),
  create('a finalizer without a domain', sprite('x', { finalizers: ['plain'] })),
  create('a finalizer with a bad name', sprite('x', { finalizers: ['a b/c'] })),
  create('ownerReferences that are an object', sprite('x', { ownerReferences: {} }), FREE),
  create('an owner that is a text', sprite('x', { ownerReferences: ['a'] }), FREE),
  create('an owner without a uid', sprite('x', { ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'a' }] })),
  create('an empty owner', sprite('x', { ownerReferences: [{}] })),
  create(
    'an owner with a bad apiVersion',
    sprite('x', { ownerReferences: [{ apiVersion: 'a/b/c', kind: 'A', name: 'a', uid: 'u' }] }),
  ),
  create(
    'two controllers',
    sprite('x', {
      ownerReferences: ['a', 'b'].map((uid) => ({ apiVersion: 'v1', kind: 'A', name: uid, uid, controller: true })),
    }),
  ),
  create(
    'an owner whose controller is a text',
    sprite('x', { ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'a', uid: 'u', controller: 'yes' }] }),
    FREE,
  ),
  create(
    'an Event for an owner',
    sprite('x', { ownerReferences: [{ apiVersion: 'v1', kind: 'Event', name: 'a', uid: 'u' }] }),
  ),
  create('a bad label key', sprite('x', { labels: { 'a b': 'c' } })),
  create('a bad label value', sprite('x', { labels: { a: '-b-' } })),
  create('a label value that is too long', sprite('x', { labels: { a: 'b'.repeat(64) } })),
  create('a label key that is too long', sprite('x', { labels: { ['k'.repeat(64)]: 'b' } })),
  create('a label key with a bad prefix', sprite('x', { labels: { 'A_b/c': 'd' } })),
  create('a bad annotation key', sprite('x', { annotations: { 'a b': 'c' } })),
  create('annotations that are too large', sprite('x', { annotations: { a: 'x'.repeat(262_145) } })),
  create('a generation that is a text', sprite('x', { generation: 'one' }), FREE),
  create('a creationTimestamp that is none', sprite('x', { creationTimestamp: 'now' }), FREE),
  create('a deletionTimestamp that is a number', sprite('x', { deletionTimestamp: 3 }), FREE),
  create('managedFields that are a text', sprite('x', { managedFields: 'a' }), FREE),
  create(
    'managedFields of an unknown operation',
    sprite('x', {
      managedFields: [
        { manager: 'm', operation: 'Do', apiVersion: HEAD.apiVersion, fieldsType: 'FieldsV1', fieldsV1: {} },
      ],
    }),
  ),
  create(
    'managedFields of an unknown fieldsType',
    sprite('x', {
      managedFields: [
        { manager: 'm', operation: 'Update', apiVersion: HEAD.apiVersion, fieldsType: 'FieldsV9', fieldsV1: {} },
      ],
    }),
  ),
  create('an unknown field of metadata', sprite('x', { nothing: 1 }), strict(SPRITES)),
  create(
    'an unknown field of an owner',
    sprite('x', { ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'a', uid: 'u', nothing: 1 }] }),
    strict(SPRITES),
  ),
  create('a resourceVersion on a create', sprite('x', { resourceVersion: '1' })),
  create('another namespace', sprite('x', { namespace: 'other' })),
]

/** Names, in ASCII and beyond. */
export const NAMES: readonly ErrorCase[] = [
  ...[
    ['an upper-case name', 'Upper'],
    ['a name with a space', 'a b'],
    ['a name with a slash', 'a/b'],
    ['a name that is a dot', '.'],
    ['a name with a percent sign', 'a%b'],
    ['a name in Greek', 'αβγ'],
    ['a name with an emoji', 'a😀'],
    ['a name with a control character', 'a\u0007b'],
    ['a name with a line break', 'a\nb'],
    ['a name with a zero', 'a\u0000b'],
    ['a name of 254 characters', 'a'.repeat(254)],
    ['a name that ends with a dash', 'a-'],
    ['a name with a lone surrogate', 'a\ud800'],
  ].map(([what = '', name = '']) =>
    create(what, JSON.stringify({ ...HEAD, metadata: { name }, spec: { agentType: 'copywriter' } })),
  ),
  create('an empty name', sprite('')),
  create(
    'a bad generateName',
    JSON.stringify({ ...HEAD, metadata: { generateName: 'A_' }, spec: { agentType: 'a' } }),
    FREE,
  ),
  { what: 'a name in the path in upper case', method: 'GET', path: `${SPRITES}/Upper` },
  { what: 'a name in the path with a space', method: 'GET', path: `${SPRITES}/a%20b` },
  { what: 'a name in the path that is not UTF-8', method: 'GET', path: `${SPRITES}/%ff`, ...FREE },
]

/** What the schema and its rules refuse. */
export const SCHEMAS: readonly ErrorCase[] = [
  create('no spec', JSON.stringify({ ...HEAD, metadata: { name: 'x' } })),
  create('a spec that is a list', sprite('x', {}, [])),
  create('a missing field', sprite('x', {}, {})),
  create('a field of a wrong type', sprite('x', {}, { agentType: 3 })),
  create('an unknown value', sprite('x', {}, { agentType: 'a', runPolicy: 'Sometimes' })),
  create('a number that is too small', sprite('x', {}, { agentType: 'a', idleTimeoutSeconds: 0 })),
  create('a number that is no integer', sprite('x', {}, { agentType: 'a', idleTimeoutSeconds: 1.5 })),
  create('a list that is too short', sprite('x', {}, { agentType: 'a', regions: [] })),
  create('a text that does not match', sprite('x', {}, { agentType: 'a', regions: ['AMS'] })),
  create('several at once', sprite('x', { labels: { a: '-' } }, { agentType: '', runPolicy: 'x', regions: [] })),
  create(
    'unknown fields, strictly',
    sprite('x', {}, { agentType: 'a', nothing: 1, guest: { nope: 2 } }),
    strict(SPRITES),
  ),
  create('unknown fields', sprite('unknown-warn', {}, { agentType: 'a', nothing: 1 })),
  merge('an immutable field', { spec: { agentType: 'editor' } }),
  merge('a missing field by patch', { spec: { agentType: null } }),
  merge('a status field of a wrong type', { status: { phase: 3 } }, { path: `${BASE}/status` }),
]
