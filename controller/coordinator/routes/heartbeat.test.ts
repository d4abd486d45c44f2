/** Tests of what heartbeats read: what an informer has where there is one, the store only in doubt. */
import { afterEach, expect, test } from 'vitest'
import { SPRITE_API } from '../../../protocol/coordinator.ts'
import type { Cache } from '../../engine/types.ts'
import type { KubeObject } from '../../api/object.ts'
import { IN_PROGRESS, startHarness, type Harness } from '../fake/harness.ts'

const BODY = { state: 'working', work: { name: 'w1', attempt: 1 } }
let h: Harness

/** An informer whose objects a test chooses. */
function cacheOver(objects: ReadonlyMap<string, KubeObject>): Cache {
  return {
    // A test puts objects of a kind under its name.
    get: (kind, key) => objects.get(`${kind.kind}/${key.name}`) as never,
    list: () => [],
    observe: () => {},
  }
}

afterEach(() => h.close())

const readsOfWork = (): number => h.client.calls.filter(({ verb, kind }) => verb === 'get' && kind === 'Work').length

test('CO5 a task that the informer knows as current costs no read', async () => {
  const objects = new Map<string, KubeObject>()
  h = await startHarness({ cache: cacheOver(objects) })
  objects.set('Work/w1', h.seedWork('w1', { status: IN_PROGRESS }))
  h.client.resetCalls()
  expect((await h.send(SPRITE_API.heartbeat, BODY)).body).toMatchObject({ directive: 'continue' })
  expect(readsOfWork()).toBe(0)
})

test.each(['Assigned', 'none'] as const)(
  'CO5 an informer that has not seen the claim yet (%s) abandons nothing',
  async (seen) => {
    const objects = new Map<string, KubeObject>()
    h = await startHarness({ cache: cacheOver(objects) })
    if (seen === 'Assigned')
      objects.set('Work/w1', h.seedWork('w1', { status: { phase: 'Assigned', assignedSprite: 'cara' } }))
    h.seedWork('w1', { status: IN_PROGRESS })
    h.client.resetCalls()
    expect((await h.send(SPRITE_API.heartbeat, BODY)).body).toMatchObject({ directive: 'continue' })
    expect(readsOfWork()).toBe(1)
  },
)

test('CO5 what the store says is over is abandoned', async () => {
  const objects = new Map<string, KubeObject>()
  h = await startHarness({ cache: cacheOver(objects) })
  objects.set('Work/w1', h.seedWork('w1', { status: { ...IN_PROGRESS, attempt: 2 } }))
  expect((await h.send(SPRITE_API.heartbeat, BODY)).body).toMatchObject({ directive: 'abandon' })
})
