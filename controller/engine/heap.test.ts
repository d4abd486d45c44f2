/** Tests of the heap against a sorted array. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap } from './heap.ts'

type Item = { heapIndex: number; rank: number; readonly id: number }
const isBefore = (a: Item, b: Item): boolean => a.rank < b.rank || (a.rank === b.rank && a.id < b.id)

test('EQ4 property: a heap gives its items out in order, whatever was moved or taken out before', () => {
  const edit = fc.record({ pick: fc.nat(50), rank: fc.integer({ min: 0, max: 9 }), isRemoval: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 40 }),
      fc.array(edit, { maxLength: 30 }),
      (ranks, edits) => {
        const heap = new Heap<Item>(isBefore)
        const items = new Set(ranks.map((rank, id): Item => ({ rank, id, heapIndex: -1 })))
        for (const item of items) heap.push(item)
        for (const { pick, rank, isRemoval } of edits) {
          const item = [...items][pick % Math.max(1, items.size)]
          if (item === undefined) break
          if (isRemoval) {
            heap.remove(item)
            heap.remove(item)
            items.delete(item)
            expect(item.heapIndex).toBe(-1)
          } else {
            item.rank = rank
            heap.update(item)
          }
        }
        const order = Array.from({ length: heap.size }, () => heap.pop()?.id)
        expect(order).toEqual([...items].sort((a, b) => (isBefore(a, b) ? -1 : 1)).map(({ id }) => id))
        expect(heap.pop()).toBeUndefined()
      },
    ),
  )
})
