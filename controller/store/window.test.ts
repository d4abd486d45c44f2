/** The window of changes, where revisions are times. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Change } from './store.ts'
import { ChangeWindow } from './window.ts'

const change = (revision: number): Change => ({
  type: 'Added',
  record: { collection: 'c', namespace: '', name: `n${revision}`, revision, value: '' },
})

test('ST1 property: whoever stands at a revision that was told misses nothing that is told later', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(8), { maxLength: 30 }), fc.nat(20), (steps, changesMax) => {
      const window = new ChangeWindow(10, { changesMax: changesMax + 1, sizeBytesMax: 1000 })
      const all: Change[] = []
      /** Whoever stands at `revision` has been told the first `count` changes at least. */
      const stands: { readonly revision: number; readonly count: number }[] = [{ revision: 10, count: 0 }]
      let toldUntil = 10
      for (const step of steps) {
        // Times go on, stand still or come late.
        const next = change(Math.max(1, toldUntil + step - 4))
        all.push(next)
        toldUntil = window.add(next, toldUntil)
        stands.push({ revision: next.record.revision, count: all.length }, { revision: toldUntil, count: all.length })
        window.trim()
      }
      for (const { revision, count } of stands) {
        if (revision < window.floor) continue
        const told = window.after(revision)
        for (const later of all.slice(count)) expect(told).toContain(later)
      }
    }),
  )
})
