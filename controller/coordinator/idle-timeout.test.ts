/** Tests of how long a sprite's process may idle. */
import { expect, test } from 'vitest'
import { microTimestamp, timestamp } from '../../system/timestamp.ts'
import { WAKE_AT_ANNOTATION } from '../kinds/marks.ts'
import { spriteOf, TEST_NOW_MS } from '../kinds/object-builders.ts'
import type { Sprite } from '../kinds/sprite/schema.ts'
import { activeTenant } from '../kinds/sprite/world-builder.ts'
import { idleTimeoutMs } from './idle-timeout.ts'

const idle = (wokenAgoMs: number | undefined, over: Partial<Sprite['spec']> = {}): Sprite =>
  spriteOf('a', {
    spec: over,
    status: { phase: 'Idle', idleSince: timestamp(TEST_NOW_MS - 40_000) },
    ...(wokenAgoMs === undefined
      ? {}
      : { metadata: { annotations: { [WAKE_AT_ANNOTATION]: microTimestamp(TEST_NOW_MS - wokenAgoMs) } } }),
  })

test.each([
  ['its tenant’s without its own', idle(undefined), 60_000],
  ['its own within its tenant’s', idle(undefined, { idleTimeoutSeconds: 10 }), 10_000],
  ['at most its tenant’s', idle(undefined, { idleTimeoutSeconds: 900 }), 60_000],
  ['no end when it always runs', idle(undefined, { runPolicy: 'Always' }), 0],
  ['longer when it is woken while it idles', idle(10_000), 90_000],
  ['no longer for a wake-up before it idled', idle(50_000), 60_000],
  ['at most twice as long for a time that is not to be believed', idle(-9_000_000_000), 120_000],
] as const)('SPR81 its process is given %s', (_, sprite, timeoutMs) => {
  expect(idleTimeoutMs(sprite, activeTenant())).toBe(timeoutMs)
})
