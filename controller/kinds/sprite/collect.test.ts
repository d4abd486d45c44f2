/** Tests of which machines belong to nobody any more, and of the brake on destroying them. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TEST_NOW_MS } from '../object-builders.ts'
import { BRAKE, brakeLimit, createDestroyBrake } from './brake.ts'
import { decideCollect, ORPHAN_AGE_MS, type CollectWorld } from './collect.ts'
import { heldSprite, machineOf, shown } from './world-builder.ts'

const sprite = heldSprite({ incarnation: 2, machine: machineOf({ id: 'm2', name: 'a-2', incarnation: 2 }) })
const owner = {
  controlPlane: 'cp',
  tenant: 'acme',
  sprite: 'a',
  spriteUid: sprite.metadata.uid,
  incarnation: 1,
  specHash: 'h1',
}
const old = (over: Partial<ReturnType<typeof shown>> = {}) =>
  shown('started', { owner, createdAtMs: TEST_NOW_MS - ORPHAN_AGE_MS, ...over })

const { owner: _stamp, ...stampless } = old()

const worldOf = (over: Partial<CollectWorld> = {}): CollectWorld => ({
  nowMs: TEST_NOW_MS,
  tenant: 'acme',
  controlPlaneId: 'cp',
  machines: [old()],
  sprites: [sprite],
  suspects: new Map([['m1', 60_000]]),
  ...over,
})

const outcome = (over: Partial<CollectWorld>): string => {
  const { destroy, suspects, alarm } = decideCollect(worldOf(over))
  return `destroy ${destroy.map(({ id }) => id).join()} suspect ${suspects.join()}${alarm === undefined ? '' : ' alarm'}`
}

describe('the collector', () => {
  test('SPR50 young is what a create and its record may take, with every retry: two minutes', () => {
    expect(ORPHAN_AGE_MS).toBe(120_000)
  })
  const rows: Record<string, readonly [Partial<CollectWorld>, string]> = {
    'SPR50 destroys an old machine of ours that two looks found without an owner': [{}, 'destroy m1 suspect m1'],
    'SPR50 only remembers it after the first look': [{ suspects: new Map() }, 'destroy  suspect m1'],
    'SPR50 only remembers a young one': [
      { machines: [old({ createdAtMs: TEST_NOW_MS - ORPHAN_AGE_MS + 1 })] },
      'destroy  suspect m1',
    ],
    'SPR50 destroys one that is young by a wrong clock, and was seen for two minutes': [
      {
        machines: [old({ createdAtMs: TEST_NOW_MS + 3_600_000 })],
        suspects: new Map([['m1', ORPHAN_AGE_MS]]),
      },
      'destroy m1 suspect m1',
    ],
    'SPR51 never touches one without our stamp': [{ machines: [stampless] }, 'destroy  suspect '],
    'SPR51 never touches one of another control plane': [
      { machines: [old({ owner: { ...owner, controlPlane: 'other' } })] },
      'destroy  suspect ',
    ],
    'SPR51 never touches one of another tenant': [
      { machines: [old({ owner: { ...owner, tenant: 'beta' } })] },
      'destroy  suspect ',
    ],
    'SPR52 leaves the machine that its sprite names by id': [{ machines: [old({ id: 'm2' })] }, 'destroy  suspect '],
    'SPR52 leaves the machine that its sprite names by name': [
      { machines: [old({ name: 'a-2' })] },
      'destroy  suspect ',
    ],
    'SPR52 leaves one newer than what it knows of the sprite': [
      { machines: [old({ owner: { ...owner, incarnation: 3 } })] },
      'destroy  suspect ',
    ],
    'SPR50 destroys the one machine of the last sprite': [{ sprites: [] }, 'destroy m1 suspect m1'],
    'SPR53 destroys nothing and raises an alarm when several have no sprite and no sprite exists': [
      {
        sprites: [],
        machines: [old(), old({ id: 'm9', name: 'z' })],
        suspects: new Map([
          ['m1', 60_000],
          ['m9', 60_000],
        ]),
      },
      'destroy  suspect m1,m9 alarm',
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(outcome(over)).toBe(expected)
  })
})

describe('the brake', () => {
  test('SPR55 lets two of a small fleet go in a minute, and the next when one of them is a minute ago', () => {
    const brake = createDestroyBrake()
    for (let count = 0; count < BRAKE.countMin; count++) expect(brake.allow(count, 6)).toBe(true)
    expect(brake.allow(59_999, 6)).toBe(false)
    expect(brake.allow(60_000, 6)).toBe(true)
    expect(brake.allow(60_000, 6)).toBe(false)
  })

  test.each([
    [20, 4],
    [50, 10],
    [1_000, 10],
  ])('SPR55 lets, of %i sprites, %i go', (sprites, most) => {
    const brake = createDestroyBrake()
    const allowed = Array.from({ length: 300 }, () => brake.allow(0, sprites)).filter(Boolean)
    expect(allowed).toHaveLength(most)
  })

  test('SPR55 in no window of a minute do more go than it says', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000), { maxLength: 200 }), fc.nat(200), (steps, sprites) => {
        const brake = createDestroyBrake()
        let nowMs = 0
        const gone: number[] = []
        for (const step of steps) {
          nowMs += step
          if (brake.allow(nowMs, sprites)) gone.push(nowMs)
        }
        const most = brakeLimit(sprites)
        return gone.every((from) => gone.filter((at) => at >= from && at < from + BRAKE.windowMs).length <= most)
      }),
    )
  })
})
