/** Tests of which sprites have a place on the bus. */
import { expect, it } from 'vitest'
import type { Sprite } from '../kinds/sprite/schema.ts'
import { spritesOnBus } from './sprite-users.ts'

it('RB9 the current incarnation is the machine’s, else the sprite’s own, and without either there is none', () => {
  const sprite = (name: string, status?: object): Sprite =>
    ({ kind: 'Sprite', metadata: { name, namespace: 'acme', uid: `u-${name}` }, spec: {}, status }) as unknown as Sprite // what is read of it
  const all = [
    sprite('new'),
    sprite('asleep', { incarnation: 3 }),
    sprite('up', { incarnation: 3, machine: { incarnation: 4 } }),
  ]
  // The one kind that is asked for.
  const list = (() => all) as Parameters<typeof spritesOnBus>[0]['list']
  expect([...spritesOnBus({ list })]).toEqual([
    { tenant: 'acme', sprite: 'asleep', uid: 'u-asleep', incarnation: 3 },
    { tenant: 'acme', sprite: 'up', uid: 'u-up', incarnation: 4 },
  ])
})
