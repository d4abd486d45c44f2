/** kill -9 of sprites, of the control plane, of both, while work goes on: nothing is lost, nothing happens twice. */
import { afterEach, describe, expect, test } from 'vitest'
import type { Sprite } from '../controller/kinds/sprite/schema.ts'
import { isTerminal, type Work } from '../controller/kinds/work/schema.ts'
import { killQuietly, Plane } from './e2e/plane.ts'

const GROUP = '/apis/sprites.highera.com/v1alpha1'
const LIMIT = 2
const TASKS = 12

let plane: Plane | undefined
afterEach(async () => {
  await plane?.destroy()
  plane = undefined
})

const object = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
})

/** A starter tenant (two machines) with three sprites and a dozen tasks, each of which is handed on to an editor. */
async function fill(it: Plane): Promise<void> {
  await it.post(`${GROUP}/tenants`, object('Tenant', 'startup', { displayName: 'Startup', plan: 'starter' }))
  for (const [name, agentType] of [
    ['c1', 'copywriter'],
    ['c2', 'copywriter'],
    ['e1', 'editor'],
  ] as const)
    await it.post(`${GROUP}/namespaces/startup/sprites`, object('Sprite', name, { agentType }, 'startup'))
  for (let task = 0; task < TASKS; task++) {
    const spec = {
      type: 'write_copy',
      agentType: 'copywriter',
      description: `Write variant ${task} of the announcement`,
    }
    await it.post(`${GROUP}/namespaces/startup/work`, object('Work', `task-${task}`, spec, 'startup'))
  }
}

const completed = (work: readonly Work[]): number => work.filter((one) => one.status?.phase === 'Completed').length

const isOver = (work: readonly Work[]): boolean =>
  work.length >= TASKS &&
  work.every(
    (one) =>
      isTerminal(one.status?.phase) &&
      (one.status?.handOffs ?? []).every((handOff) => handOff.created === true || handOff.refused !== undefined),
  )

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
  const work = await it.list<Work>('work')
  const bad = work.filter((one) => one.status?.phase !== 'Completed')
  expect(bad.map((one) => `${one.metadata.name}: ${JSON.stringify(one.status?.attempts)}`)).toEqual([])
  for (const one of work) {
    const done = (one.status?.attempts ?? []).filter((attempt) => attempt.outcome === 'Completed')
    expect(done, `${one.metadata.name} completed once`).toHaveLength(1)
  }
  const children = work.filter((one) => one.spec.parent !== undefined)
  const handOffs = work.flatMap((one) =>
    (one.status?.handOffs ?? []).filter((handOff) => handOff.refused === undefined),
  )
  expect(children.map((one) => one.metadata.name).sort()).toEqual(handOffs.map((handOff) => handOff.work).sort())
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
