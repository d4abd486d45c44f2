/** The contract of the Bus port as a test suite that every adapter runs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bus } from './bus.ts'

/** Collects messages; `take(n)` resolves when n have come. */
function collector(): { listen: (message: unknown) => void; take(count: number): Promise<unknown[]>; all: unknown[] } {
  const all: unknown[] = []
  let wake = (): void => {}
  return {
    all,
    listen: (message) => {
      all.push(message)
      wake()
    },
    take: async (count) => {
      while (all.length < count) await new Promise<void>((resolve) => (wake = resolve))
      return all.slice(0, count)
    },
  }
}

/** Declares the contract's tests for one adapter; `make` gives a Bus of its own for each test. */
export function busContract(adapter: string, make: () => Promise<Bus>): void {
  describe(`${adapter} bus`, () => {
    let bus: Bus
    beforeEach(async () => {
      bus = await make()
    })
    afterEach(() => bus.close())

    it('BU1 delivers what is published after subscribe, in order, at most once', async () => {
      await bus.publish('a', { n: 0 })
      const seen = collector()
      await bus.subscribe('a', seen.listen)
      for (let n = 1; n <= 50; n++) await bus.publish('a', { n })
      await bus.publish('b', { n: 99 })
      await bus.publish('a', { n: 51 })
      const expected = Array.from({ length: 51 }, (_, index) => ({ n: index + 1 }))
      expect((await seen.take(51)).filter((message) => (message as { n: number }).n !== 0)).toEqual(expected)
    })

    it('BU1 a trailing star subscribes to every channel with the prefix, an exact name to no other', async () => {
      const [wide, narrow] = [collector(), collector()]
      await bus.subscribe('sprite:*', wide.listen)
      await bus.subscribe('sprite:t/a:inbox', narrow.listen)
      const beat = { uid: 'u', incarnation: 1, state: 'idle', atMs: 1 }
      await bus.publish('tenant:t:reviews', { work: 'w' })
      await bus.publish('sprite:t/a:heartbeat', beat)
      await bus.publish('sprite:t/a:inbox', { type: 'drain' })
      expect(await wide.take(2)).toEqual([beat, { type: 'drain' }])
      expect(await narrow.take(1)).toEqual([{ type: 'drain' }])
    })

    it('BU1 what means something in a pattern means nothing before the trailing star', async () => {
      const [wide, end] = [collector(), collector()]
      await bus.subscribe('a[bc]?\\*', wide.listen)
      await bus.subscribe('end', end.listen)
      for (const channel of ['ab1x', 'ab', 'a[bc]x', 'a[bc]?\\', 'a[bc]?\\*x']) await bus.publish(channel, { channel })
      await bus.publish('end', {})
      await end.take(1)
      expect(wide.all).toEqual([{ channel: 'a[bc]?\\' }, { channel: 'a[bc]?\\*x' }])
    })

    it('BU1 an ended subscription gets nothing more', async () => {
      const [ended, open] = [collector(), collector()]
      const end = await bus.subscribe('a', ended.listen)
      await bus.subscribe('a', open.listen)
      await end()
      await end()
      await bus.publish('a', { n: 1 })
      await open.take(1)
      expect(ended.all).toEqual([])
    })

    it('BU1 the same function twice is two subscriptions', async () => {
      const seen = collector()
      const end = await bus.subscribe('a', seen.listen)
      await bus.subscribe('a', seen.listen)
      await bus.publish('a', { n: 1 })
      expect(await seen.take(2)).toEqual([{ n: 1 }, { n: 1 }])
      await end()
      await bus.publish('a', { n: 2 })
      await bus.publish('a', { n: 3 })
      expect((await seen.take(4)).slice(2)).toEqual([{ n: 2 }, { n: 3 }])
    })

    it('BU4 a bus that was never away has missed nothing since it stood', () => {
      const before = bus.deafUntilMs()
      expect(bus.deafUntilMs()).toBe(before)
    })

    it('BU2 a publisher does not wait for subscribers, nor share its object with them', async () => {
      const seen = collector()
      await bus.subscribe('a', seen.listen)
      const message = { n: 1 }
      const published = bus.publish('a', message)
      message.n = 2
      await published
      expect(await seen.take(1)).toEqual([{ n: 1 }])
    })

    it('BU3 a listener that throws disturbs nobody', async () => {
      const seen = collector()
      await bus.subscribe('a', () => {
        throw new Error('broken')
      })
      await bus.subscribe('a', seen.listen)
      await bus.publish('a', { n: 1 })
      await bus.publish('a', { n: 2 })
      expect(await seen.take(2)).toEqual([{ n: 1 }, { n: 2 }])
    })
  })
}
