/** kill -9 of sprites, of the control plane, of both, while work goes on: nothing is lost, nothing happens twice. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Sprite } from '../controller/kinds/sprite/schema.ts'
import type { Work } from '../controller/kinds/work/schema.ts'
import { killQuietly, Plane } from './e2e/plane.ts'
import { completed, fill, isOver, judgeWork, LIMIT } from './e2e/workload.ts'

let plane: Plane | undefined
afterEach(async () => {
  await plane?.destroy()
  plane = undefined
})

/** Counts the sprites' processes whenever it is asked; more than the plan allows is a violation. */
function limitWatch(it: Plane): { look: () => Promise<void>; readonly most: () => number } {
  let most = 0
  return {
    look: async () => {
      most = Math.max(most, (await it.sprites()).length)
    },
    most: () => most,
  }
}

/** What must hold when all is over. */
async function judge(it: Plane): Promise<void> {
  await judgeWork(it)
  const sprites = await it.list<Sprite>('sprites')
  const running = await it.sprites()
  for (const { sprite } of running) expect(sprites.map((one) => one.metadata.name)).toContain(sprite)
  expect(new Set(running.map(({ sprite }) => sprite)).size, 'one process a sprite').toBe(running.length)
}

/** Waits until all work is over, the limit in view, and judges. */
async function settled(it: Plane, limit: ReturnType<typeof limitWatch>): Promise<void> {
  await it.until(
    'all work to be over',
    async () => {
      await limit.look()
      return isOver(await it.list<Work>('work'))
    },
    200_000,
  )
  expect(limit.most()).toBeLessThanOrEqual(LIMIT)
  await judge(it)
}

// A sprite that is killed again and again is put off for longer each time: that takes its minute.
describe('kill -9', { timeout: 240_000 }, () => {
  test('K1 of sprites in the middle of their work: every task is done once, the limit is never passed', async () => {
    const it = (plane = await Plane.create())
    await it.start()
    const limit = limitWatch(it)
    await fill(it)
    let kills = 0
    await it.until(
      'all work to be over',
      async () => {
        await limit.look()
        const work = await it.list<Work>('work')
        const working = work.filter((one) => one.status?.phase === 'InProgress').length
        const [victim] = await it.sprites()
        if (kills < 4 && working > 0 && victim !== undefined && completed(work) >= kills * 2) {
          killQuietly(victim.pid)
          kills++
        }
        return isOver(work)
      },
      200_000,
    )
    expect(kills).toBe(4)
    expect(limit.most()).toBeLessThanOrEqual(LIMIT)
    await judge(it)
  })

  test('K2 of the control plane, three times: the sprites live on, are found again, and every task is done once', async () => {
    const it = (plane = await Plane.create())
    await it.start()
    const limit = limitWatch(it)
    await fill(it)
    for (let round = 1; round <= 3; round++) {
      await it.until(`round ${round}`, async () => completed(await it.list<Work>('work')) >= round * 3)
      await limit.look()
      await it.kill()
      await limit.look()
      await it.start()
    }
    await settled(it, limit)
  })

  test('K3 of both at once: after a restart everything goes on, and a stop leaves no process', async () => {
    const it = (plane = await Plane.create())
    await it.start()
    const limit = limitWatch(it)
    await fill(it)
    await it.until('some work to be done', async () => completed(await it.list<Work>('work')) >= 3)
    const victims = await it.sprites()
    await it.kill()
    for (const { pid } of victims) killQuietly(pid)
    await it.start()
    await settled(it, limit)
    expect(await it.stop()).toBe(0)
    expect(await it.sprites()).toEqual([])
  })
})
