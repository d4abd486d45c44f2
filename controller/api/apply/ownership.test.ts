/** Ownership by other writes than apply, and managedFields as it is read and written. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../object.ts'
import { difference, intersection, isEmptySet } from './field-set.ts'
import { entriesOf, ownersOf, requestedEntries, UPDATE_OWNERS_MAX, type Owners } from './managers.ts'
import { ignoredFields, owned, ownersAfterUpdate } from './ownership.ts'
import { setOf } from './set-of.ts'
import { after, atom, NOWHERE, specs, thing } from './testing.ts'

const updated = (
  owners: Owners,
  change: { readonly live?: JsonObject; readonly object: JsonObject },
  manager = 'editor',
): Owners | undefined =>
  ownersAfterUpdate({
    atom,
    ...change,
    owners,
    writer: { manager, apiVersion: 'example.dev/v1', time: '2026-01-02T00:00:00Z' },
    ignored: ignoredFields({ hasStatus: true }),
  })

const fieldsOf = (owners: Owners | undefined, manager: string) =>
  [...(owners ?? new Map()).values()].find((owner) => owner.manager === manager)?.fields ?? {}

describe('other writes', () => {
  test('AP17 who changes a field owns it alone; what is gone is owned by nobody', () => {
    fc.assert(
      fc.property(specs, specs, (first, second) => {
        const world = after(NOWHERE, first, { manager: 'applier' })
        const owners = updated(world.owners, { live: world.live, object: thing(second) })
        const [mine, its] = [fieldsOf(owners, 'editor'), fieldsOf(owners, 'applier')]
        expect(intersection(mine, its)).toEqual({})
        const all = setOf(atom, thing(second))
        // Every field that is there has an owner, and each that the applier still has is there as it was.
        expect(difference(difference(owned(all), mine), its)).toEqual({})
      }),
    )
  })

  test('AP17 creating owns what was sent, defaults and parents too; status is left out', () => {
    const object = { ...thing({ size: 1, env: [{ name: 'x' }] }, { labels: { a: 'b' } }), status: { note: 'n' } }
    expect(fieldsOf(updated(new Map(), { object }), 'editor')).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:spec': { '.': {}, 'f:size': {}, 'f:env': { '.': {}, 'k:{"name":"x"}': { '.': {}, 'f:name': {} } } },
    })
  })

  test('AP17 a write that changes nothing moves no time', () => {
    const object = thing({ size: 1 })
    const owners = updated(new Map(), { object })
    expect(updated(owners ?? new Map(), { live: object, object: structuredClone(object) })).toEqual(owners)
  })

  test('AP17 at most ten such owners: the oldest become ancient-changes, and no field is lost', () => {
    let owners: Owners = new Map()
    let live = thing({ limits: {} })
    for (let n = 10; n < 30; n++) {
      const limits = (live['spec'] as { limits: JsonObject }).limits
      const object = thing({ limits: { ...limits, [`l${n}`]: n } })
      owners = updated(owners, { live, object }, `m${n}`) ?? owners
      live = object
    }
    expect(owners.size).toBe(UPDATE_OWNERS_MAX)
    const ancient = fieldsOf(owners, 'ancient-changes')
    expect(Object.keys((ancient['f:spec'] ?? {})['f:limits'] ?? {}).length).toBe(11)
  })

  test('AP19 items without a key cannot be told apart: nothing is said', () => {
    expect(updated(new Map(), { object: thing({ env: [{ value: 'x' }] }) })).toBeUndefined()
  })

  test('AP13 a write to /status owns status alone', () => {
    expect(ignoredFields({ hasStatus: true, subresource: 'status' })).toEqual({ 'f:metadata': {}, 'f:spec': {} })
    expect(ignoredFields({ hasStatus: true })).toEqual({ 'f:status': {} })
  })
})

describe('managedFields', () => {
  const entry = {
    manager: 'm',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:a': {} },
  } as const
  const custom = { emptyResets: false }

  test('AP18 reads what can be read, resets on [{}], and takes anything else for silence', () => {
    expect(requestedEntries([entry], custom)).toMatchObject({ says: 'owners' })
    expect(requestedEntries([{}], custom)).toEqual({ says: 'reset' })
    expect(requestedEntries([], { emptyResets: true })).toEqual({ says: 'reset' })
    const odd = [
      undefined,
      null,
      {},
      [],
      'x',
      [null],
      [{ ...entry, operation: 'Other' }],
      [{ ...entry, apiVersion: '' }],
      [{ ...entry, fieldsType: 'V2' }],
      [{ ...entry, fieldsV1: { odd: {} } }],
      [{ ...entry, fieldsV1: { 'f:a': 1 } }],
      [{ ...entry, manager: 'm'.repeat(200) }],
      Array.from({ length: 101 }, () => entry),
    ]
    for (const raw of odd) expect(requestedEntries(raw, custom), JSON.stringify(raw)).toEqual({ says: 'nothing' })
  })

  test('AP18 nothing that a request says throws, and what is read is written back the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (raw) => {
        requestedEntries(raw, custom)
        requestedEntries([{ ...entry, fieldsV1: raw }], custom)
      }),
    )
    fc.assert(
      fc.property(specs, specs, (first, second) => {
        const { owners } = after(after(NOWHERE, first, { manager: 'one' }), second, { manager: 'two', force: true })
        const entries = entriesOf(owners)
        const read = requestedEntries(structuredClone(entries), custom)
        if (entries === undefined || read.says !== 'owners')
          return expect(isEmptySet(setOf(atom, { spec: second }))).toBe(true)
        expect(entriesOf(read.owners)).toEqual(entries)
        expect(entriesOf(ownersOf(entries))).toEqual(entries)
      }),
    )
  })
})
