/** What an apply does to the object and to who owns what, by example and by property. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../object.ts'
import { conflictCauses, conflictMessage } from './conflicts.ts'
import { difference, isEmptySet, union, type FieldSet } from './field-set.ts'
import { LAST_APPLIED } from './last-applied.ts'
import type { Owner, Owners } from './managers.ts'
import { owned } from './ownership.ts'
import { setOf } from './set-of.ts'
import { after, applied, atom, NOWHERE, specs, thing, type World } from './testing.ts'
import { typeFaults } from './typed.ts'

const ownerOf = (owners: Owners, manager: string): Owner | undefined =>
  [...owners.values()].find((owner) => owner.manager === manager)
const fieldsOf = (world: World, manager: string): FieldSet | undefined => ownerOf(world.owners, manager)?.fields
const specOf = (world: World): unknown => world.live?.['spec']

const ONE = { manager: 'one' }
const TWO = { manager: 'two' }

describe('one manager', () => {
  test('AP6 the same configuration again changes nothing, not even the time', () => {
    fc.assert(
      fc.property(specs, specs, (first, second) => {
        const world = after(after(NOWHERE, first, ONE), second, ONE)
        const again = after(world, second, { ...ONE, time: '2027-01-01T00:00:00Z' })
        expect(again).toEqual(world)
        expect(again.live).toBe(world.live)
      }),
    )
  })

  test('AP7 the manager owns exactly what it applied', () => {
    fc.assert(
      fc.property(specs, specs, (first, second) => {
        const world = after(after(NOWHERE, first, ONE), second, ONE)
        expect(fieldsOf(world, 'one') ?? {}).toEqual(owned(setOf(atom, thing(second))))
      }),
    )
  })

  test('AP10 what leaves the configuration leaves the object: only the last one counts', () => {
    fc.assert(
      fc.property(specs, specs, (first, second) => {
        const world = after(after(NOWHERE, first, ONE), second, ONE)
        const claimed = setOf(atom, thing(second))
        expect(difference(setOf(atom, world.live), claimed)).toEqual({})
      }),
    )
  })

  test('AP10 removes a field, an item by key, an item of a set and a free member', () => {
    const world = after(
      NOWHERE,
      { size: 1, color: 'x', env: [{ name: 'x' }, { name: 'y', value: 'v' }], tags: ['a', 'b'], free: { a: 1, b: 2 } },
      ONE,
    )
    const next = after(world, { size: 1, env: [{ name: 'y' }], tags: ['b'], free: { b: 2 } }, ONE)
    expect(specOf(next)).toEqual({ size: 1, env: [{ name: 'y' }], tags: ['b'], free: { b: 2 } })
  })
})

describe('several managers', () => {
  const half = (spec: JsonObject, names: readonly string[]): JsonObject =>
    Object.fromEntries(Object.entries(spec).filter(([name]) => names.includes(name)))

  test('AP8 managers of different fields never conflict, and each field has its owner', () => {
    const left = ['size', 'box', 'env', 'free']
    const right = ['color', 'tags', 'args', 'place', 'limits']
    fc.assert(
      fc.property(specs, specs, specs, specs, (a, b, c, d) => {
        let world: World = NOWHERE
        world = after(world, half(a, left), ONE)
        world = after(world, half(b, right), TWO)
        world = after(world, half(c, left), ONE)
        world = after(world, half(d, right), TWO)
        const both = union(fieldsOf(world, 'one') ?? {}, fieldsOf(world, 'two') ?? {})
        expect(difference(owned(setOf(atom, world.live ?? {})), both)).toEqual({})
        expect(specOf(world) ?? {}).toEqual({ ...half(c, left), ...half(d, right) })
      }),
    )
  })

  test('AP8 the same value is shared; another is a conflict that names owner and field', () => {
    const world = after(after(NOWHERE, { size: 1 }, ONE), { size: 1 }, TWO)
    for (const manager of ['one', 'two']) expect(fieldsOf(world, manager)).toEqual({ 'f:spec': { 'f:size': {} } })
    const refused = applied(world, { size: 2 }, { manager: 'three' })
    if (refused.outcome !== 'conflicts') throw new Error('no conflict')
    expect(conflictCauses(refused.conflicts)).toEqual([
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.size' },
      { reason: 'FieldManagerConflict', message: 'conflict with "two"', field: '.spec.size' },
    ])
    expect(conflictMessage(refused.conflicts)).toBe(
      'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.size\nconflicts with "two":\n- .spec.size',
    )
  })

  test('AP9 force takes: it never conflicts, the object says what was applied, no field has an owner of another value', () => {
    fc.assert(
      fc.property(specs, specs, (first, second) => {
        const world = after(after(NOWHERE, first, ONE), second, { ...TWO, force: true })
        // Applied again without force there is nothing left to fight about.
        expect(applied(world, second, TWO).outcome).toBe('applied')
        const merged = after(NOWHERE, second, TWO)
        const kept = setOf(atom, world.live)
        expect(difference(setOf(atom, merged.live), kept)).toEqual({})
      }),
    )
  })

  test('AP10 what another owns stays when it leaves a configuration', () => {
    const world = after(after(NOWHERE, { size: 1, color: 'x' }, ONE), { size: 1 }, TWO)
    expect(specOf(after(world, {}, ONE))).toEqual({ size: 1 })
    expect(specOf(after(after(world, { color: 'x' }, ONE), { color: 'x' }, TWO))).toEqual({ color: 'x' })
  })

  test('AP5 items of both lists stand in the order of the configuration', () => {
    const names = (world: World): unknown => (specOf(world) as { tags: unknown }).tags
    const world = after(NOWHERE, { tags: ['a', 'x', 'b', 'c'] }, ONE)
    expect(names(after(world, { tags: ['c', 'a', 'new'] }, TWO))).toEqual(['x', 'b', 'c', 'a', 'new'])
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(9).map(String)), fc.uniqueArray(fc.nat(9).map(String)), (left, right) => {
        const merged = names(after(after(NOWHERE, { tags: left }, ONE), { tags: right }, TWO)) as readonly string[]
        expect(new Set(merged)).toEqual(new Set([...left, ...right]))
        expect(merged.length).toBe(new Set(merged).size)
        expect(merged.filter((tag) => right.includes(tag))).toEqual(right)
      }),
    )
  })
})

describe('around apply', () => {
  test('AP12 what was there before belongs to before-first-apply', () => {
    const world = { live: thing({ size: 1 }), owners: new Map() }
    expect(applied(world, { size: 2 }, ONE)).toMatchObject({
      outcome: 'conflicts',
      conflicts: [{ owner: { manager: 'before-first-apply', operation: 'Update' } }],
    })
    expect(fieldsOf(after(world, { color: 'x' }, ONE), 'before-first-apply')).toEqual({
      'f:spec': { '.': {}, 'f:size': {} },
    })
  })

  test('AP14 kubectl overwrites what its annotation proves, and no more', () => {
    const config = thing({ size: 1, color: 'x' })
    const live = thing({ size: 1, color: 'changed' }, { annotations: { [LAST_APPLIED]: JSON.stringify(config) } })
    const owners = after({ live, owners: new Map() }, {}, { manager: 'other' }).owners
    const kubectl = { manager: 'kubectl' }
    const next = after({ live, owners }, { size: 2 }, kubectl)
    expect(next.live).toMatchObject({ spec: { size: 2, color: 'changed' } })
    expect(JSON.stringify(next.live)).toContain('\\"size\\":2}}\\n')
    expect(applied({ live, owners }, { color: 'y' }, kubectl).outcome).toBe('conflicts')
    expect(applied({ live, owners }, { size: 2 }, ONE).outcome).toBe('conflicts')
  })

  test('AP15 parts of what is atomic now become the whole', () => {
    const owners: Owners = new Map([
      [
        'old',
        { manager: 'old', operation: 'Update', apiVersion: 'v', fields: { 'f:spec': { 'f:place': { 'f:x': {} } } } },
      ],
    ])
    const refused = applied({ live: thing({ place: { x: '1' } }), owners }, { place: { x: '2' } }, ONE)
    expect(refused).toMatchObject({ outcome: 'conflicts', conflicts: [{ path: ['f:spec', 'f:place'] }] })
  })

  test.each<[string, JsonObject, string]>([
    ['an unknown field', { nope: 1 }, '.spec.nope: field not declared in schema'],
    ['a wrong scalar', { size: 'x' }, '.spec.size: expected numeric (int or float), got "x"'],
    ['a wrong shape', { tags: {} }, '.spec.tags: expected list, got map'],
    ['a repeated item', { tags: ['a', 'a'] }, '.spec.tags: duplicate entries for key [="a"]'],
    [
      'a missing key',
      { env: [{}] },
      '.spec.env: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
    ],
    ['a flaw in an atomic part', { place: { z: 1 } }, '.spec.place.z: field not declared in schema'],
  ])('AP4 refuses %s', (_, spec, fault) => {
    expect(typeFaults(atom, thing(spec))).toEqual([fault])
    expect(applied(NOWHERE, spec, ONE)).toEqual({ outcome: 'faults', faults: [fault] })
  })

  test('AP3 claims nulls, empty maps and free members, not declared maps with members', () => {
    const spec = { color: null, box: {}, free: { a: {} }, limits: { cpu: 1 }, args: [], tags: [], place: { x: '1' } }
    expect(setOf(atom, { spec })).toEqual({
      'f:spec': {
        'f:color': {},
        'f:box': {},
        'f:free': { 'f:a': {} },
        'f:limits': { 'f:cpu': {} },
        'f:args': {},
        'f:place': {},
      },
    })
    expect(isEmptySet(setOf(atom, { spec: { tags: [] } }))).toBe(true)
  })
})
