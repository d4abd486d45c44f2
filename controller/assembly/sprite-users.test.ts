/** Tests of which sprites have a place on the bus, and when it ends. */
import { expect, it } from 'vitest'
import type { SpriteOnBus } from '../bus/sprite-users.ts'
import type { ChangeHandler } from '../engine/informer.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import { revokeEnded, spritesOnBus } from './sprite-users.ts'

const sprite = (name: string, status?: object): Sprite =>
  ({ kind: 'Sprite', metadata: { name, namespace: 'acme', uid: `u-${name}` }, spec: {}, status }) as unknown as Sprite // what is read of it

it('RB9 the current incarnation is the machine’s, else the sprite’s own, and without either there is none', () => {
  const all = [
    sprite('new'),
    sprite('unborn', { incarnation: 0 }),
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

it('RB9 the place of an incarnation ends with it, with its sprite, and with nothing else', () => {
  const revoked: string[] = []
  let tell: ChangeHandler = () => {}
  revokeEnded(
    { onChange: (_kind, handler) => (tell = handler) },
    {
      revoke: ({ sprite: name, uid, incarnation }: SpriteOnBus) => {
        revoked.push(`${name} ${uid} ${incarnation}`)
        return Promise.resolve(true)
      },
    },
  )
  const [first, second] = [1, 2].map((incarnation) => sprite('ed', { incarnation, machine: { incarnation } }))
  const asleep = sprite('ed', { incarnation: 2 })
  tell(sprite('ed'), undefined, { type: 'ADDED', isInitial: false })
  tell(first as Sprite, sprite('ed'), { type: 'MODIFIED', isInitial: false })
  tell(first as Sprite, undefined, { type: 'ADDED', isInitial: true })
  expect(revoked).toEqual([])
  tell(second as Sprite, first, { type: 'MODIFIED', isInitial: false })
  expect(revoked).toEqual(['ed u-ed 1'])
  tell(asleep, second, { type: 'MODIFIED', isInitial: false })
  expect(revoked).toHaveLength(1)
  tell(asleep, asleep, { type: 'DELETED', isInitial: false })
  expect(revoked).toEqual(['ed u-ed 1', 'ed u-ed 2'])
  const again = { ...asleep, metadata: { ...asleep.metadata, uid: 'u-other' } }
  tell(again, asleep, { type: 'MODIFIED', isInitial: false })
  expect(revoked.at(-1)).toBe('ed u-ed 2')
})
