/** Tests of what the collector asks before it destroys: the machine itself, and the store. */
import { describe, expect, test } from 'vitest'
import { ApiError } from '../../api/errors.ts'
import type { KubeObject } from '../../api/object.ts'
import { createFakeMachines } from '../../providers/fake/fake-machines.ts'
import { specFor } from '../../providers/contract.ts'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { spriteOf, tenantOf } from '../object-builders.ts'
import { createDestroyBrake } from './brake.ts'
import { collectorController, type CollectorPorts } from './collect-reconcile.ts'

const CONTROL_PLANE = 'cp'
const KEY = { namespace: '', name: 'acme' }

/** A tenant with one machine that no sprite of the cache names; `get` is the store's answer. */
async function given(get: (uid: string) => Promise<KubeObject>) {
  const clock = new TestClock()
  const machines = createFakeMachines({ clock, entropy: seededEntropy(1), controlPlaneId: CONTROL_PLANE })
  const { id, owner } = await machines.create(specFor('acme', 'writer', { controlPlane: CONTROL_PLANE }))
  machines.settle()
  const tenant = tenantOf()
  const asked: string[] = []
  const ports = {
    client: {
      get: (_kind: unknown, { name }: { readonly name: string }) => {
        asked.push(name)
        return get(owner?.spriteUid ?? '')
      },
    },
    // Only these two are asked of it.
    cache: { get: () => tenant, list: () => [] },
    clock,
    provider: machines,
    feed: { read: () => ({ machines: machines.machines(), complete: true, atMs: clock.now() }) },
    recorder: { event: () => {} },
    brake: createDestroyBrake(),
    controlPlaneId: CONTROL_PLANE,
    log: silentLog,
  } as unknown as CollectorPorts
  const { reconcile } = collectorController(ports)
  for (let minute = 0; minute < 4; minute++) {
    await clock.advance(60_000)
    await reconcile(KEY, new AbortController().signal)
  }
  machines.settle()
  return { asked, isLeft: machines.machines().some((machine) => machine.id === id) }
}

describe('before a machine that no sprite names is destroyed', () => {
  const notFound = new ApiError('NotFound', 'There is none')
  const rows: Record<string, readonly [(uid: string) => Promise<KubeObject>, boolean]> = {
    'SPR56 the store has its sprite after all: it stays': [
      (uid) => Promise.resolve(spriteOf('writer', { metadata: { uid } })),
      true,
    ],
    'SPR56 the store has another sprite of that name: it goes': [
      () => Promise.resolve(spriteOf('writer', { metadata: { uid: 'another' } })),
      false,
    ],
    'SPR56 the store has none: it goes': [() => Promise.reject(notFound), false],
    'SPR56 the store does not answer: it stays': [
      () => Promise.reject(new ApiError('ServiceUnavailable', 'Away')),
      true,
    ],
    'SPR56 what the store has cannot be read: it stays': [
      () => Promise.reject(new ApiError('InternalError', 'It does not decrypt')),
      true,
    ],
  }
  test.each(Object.entries(rows))('%s', async (_, [get, isLeft]) => {
    const seen = await given(get)
    expect(seen.isLeft).toBe(isLeft)
    expect(new Set(seen.asked)).toEqual(new Set(['writer']))
  })
})
