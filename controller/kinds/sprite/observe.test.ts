/** Tests of when a machine is asked for by id although the feed shows it, and when the feed is asked to hurry. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { spriteKind } from './schema.ts'
import { observeSprite, type SpriteReadPorts } from './observe.ts'
import { ago, heldSprite, machineOf, shown, without } from './world-builder.ts'
import { TEST_NOW_MS } from '../object-builders.ts'
import { SPRITE_DEADLINES } from './world.ts'

type Told = { readonly got?: 'nothing'; readonly complete?: boolean; readonly seenMsAgo?: number; readonly id?: string }

const look = async (
  machine = machineOf(),
  heardMsAgo = 1_000,
  { got, complete = true, seenMsAgo = 0, id = 'm1' }: Told = {},
) => {
  const sprite = heldSprite({ phase: 'Idle', incarnation: machine.incarnation, machine })
  const asked: string[] = []
  const ports = {
    cache: { get: (kind: unknown) => (kind === spriteKind ? sprite : undefined), list: () => [] },
    clock: new TestClock(TEST_NOW_MS),
    entropy: seededEntropy(1),
    provider: {
      get: () => {
        asked.push('get')
        return Promise.resolve(got === 'nothing' ? undefined : shown('started'))
      },
    },
    feed: {
      read: () => ({
        machines: [shown('started', { id })],
        complete,
        atMs: TEST_NOW_MS - 100_000,
        seenAtMs: TEST_NOW_MS - seenMsAgo,
      }),
      follow: () => void asked.push('follow'),
    },
    presence: {
      read: () => ({ incarnation: machine.incarnation, lastSeenAtMs: TEST_NOW_MS - heardMsAgo }),
      listeningSinceMs: TEST_NOW_MS - 3_600_000,
    },
    deadlines: SPRITE_DEADLINES,
    defaults: { image: 'i', regions: ['iad'] },
    personaExists: () => true,
    controlPlaneId: 'cp',
    // Only what observing a sprite asks of its ports.
  } as unknown as SpriteReadPorts
  const { namespace = '', name } = sprite.metadata
  const world = await observeSprite(ports, { namespace, name }, new AbortController().signal)
  return { asked, observation: world?.observation }
}

describe('a look at a machine', () => {
  it('SPR47 one that runs and reports costs no call', async () => {
    const { asked, observation } = await look()
    expect(asked).toEqual([])
    expect(observation).toMatchObject({ seen: 'present', isFresh: false })
  })

  it('SPR47 one that is silent is asked for by id: the feed does not know whether its host is lost', async () => {
    const { asked, observation } = await look(machineOf({ readyTime: ago(600_000) }), SPRITE_DEADLINES.heartbeatLostMs)
    expect(asked).toEqual(['get'])
    expect(observation).toMatchObject({ seen: 'present', isFresh: true })
  })

  const missing = machineOf({ absentSince: ago(6_000) })
  it.each<readonly [string, Told, object]>([
    ['and lives by the feed', {}, { listed: { atMs: TEST_NOW_MS, isLive: true } }],
    [
      'and is not in the feed either',
      { id: 'm2', seenMsAgo: 500 },
      { listed: { atMs: TEST_NOW_MS - 500, isLive: false } },
    ],
    ['while the feed is not complete', { complete: false }, {}],
  ])('SPR10 one that a look by id does not find %s: both are told', async (_, told, more) => {
    const { asked, observation } = await look(missing, 1_000, { got: 'nothing', ...told })
    expect(observation).toEqual({ seen: 'absent', ...more })
    expect(asked).toEqual(['get'])
  })

  it.each<readonly [string, Told, boolean]>([
    ['lives by the feed', {}, true],
    ['was not looked for by the feed since', { id: 'm2', seenMsAgo: 6_000 }, true],
    ['cannot be told by the feed', { id: 'm2', complete: false }, true],
    ['is gone by the feed too', { id: 'm2', seenMsAgo: 5_000 }, false],
  ])('SPR10 after 10 s, when it %s, its tenant is listed by itself', async (_, told, isFollowed) => {
    const { asked } = await look(machineOf({ absentSince: ago(10_000) }), 1_000, { got: 'nothing', ...told })
    expect(asked).toEqual(isFollowed ? ['get', 'follow'] : ['get'])
  })

  it('SPR47 for one whose create is not answered the feed is asked to list its tenant soon', async () => {
    const { asked, observation } = await look(without(machineOf({ intent: 'Create' }), 'id', 'state', 'readyTime'))
    expect(asked).toEqual(['follow'])
    expect(observation?.seen).toBe('unanswered')
  })
})
