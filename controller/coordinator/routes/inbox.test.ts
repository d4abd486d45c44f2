/** The inbox over loopback HTTP: wake-ups, pings, and how it ends. Rules: docs/spec/coordinator.md. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spriteInbox } from '../../../protocol/channels.ts'
import { SPRITE_API } from '../../../protocol/coordinator.ts'
import { settle } from '../../../system/test-clock.ts'
import { startHarness, TENANT, type Harness } from '../fake/harness.ts'

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(async () => {
  await h.close()
  expect(h.clock.pendingTimers).toBe(0)
})

describe('inbox', () => {
  const open = async (): Promise<{
    lines: () => string[]
    next(): Promise<string>
    abort(): void
    ended: Promise<void>
  }> => {
    const stop = new AbortController()
    const response = await fetch(h.url + SPRITE_API.inbox, {
      headers: { authorization: `Bearer ${h.token()}` },
      signal: stop.signal,
    })
    const seen: string[] = []
    const waiting: ((line: string) => void)[] = []
    const queue: string[] = []
    const read = async (): Promise<void> => {
      let rest = ''
      for await (const chunk of response.body ?? []) {
        rest += Buffer.from(chunk).toString()
        const lines = rest.split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          seen.push(line)
          const taker = waiting.shift()
          if (taker) taker(line)
          else queue.push(line)
        }
      }
    }
    const ended = read().catch(() => {})
    const next = (): Promise<string> =>
      new Promise((resolve) => {
        const line = queue.shift()
        if (line === undefined) waiting.push(resolve)
        else resolve(line)
      })
    return { lines: () => seen, next, abort: () => stop.abort(), ended }
  }

  it('CO14 begins with a look, passes wake-ups on, drops what is none, and pings within 15 s', async () => {
    const inbox = await open()
    expect(await inbox.next()).toBe('{"type":"work_available"}')
    await h.bus.publish(spriteInbox(TENANT, 'cara'), { type: 'shell', run: 'rm' })
    await h.bus.publish(spriteInbox(TENANT, 'dora'), { type: 'drain' })
    await h.bus.publish(spriteInbox(TENANT, 'cara'), { type: 'abandon', work: 'w1' })
    expect(await inbox.next()).toBe('{"type":"abandon","work":"w1"}')
    await h.clock.advance(15_000)
    expect(await inbox.next()).toBe('{"type":"ping"}')
    inbox.abort()
    await inbox.ended
    await h.coordinator.close()
    expect(h.clock.pendingTimers).toBe(0)
  })

  it('CO14 a disconnect publishes nothing; a newer inbox ends the older; close ends both', async () => {
    const published: unknown[] = []
    await h.bus.subscribe('*', (message) => published.push(message))
    const [first, second] = [await open(), await open()]
    await first.ended
    await second.next()
    await h.coordinator.close()
    await second.ended
    await settle()
    expect(published).toEqual([])
    expect(h.clock.pendingTimers).toBe(0)
  })
})
