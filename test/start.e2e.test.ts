/** A control plane that is started where its store does not answer, or is another's: it says so, ends in time, and can be stopped. */
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { realClock } from '../system/clock.ts'
import { emulatorAbsence, startFirestoreEmulator } from './e2e/firestore-emulator.ts'
import { Plane } from './e2e/plane.ts'

/** Nobody listens at any of these ports. */
const NOBODY = {
  STORE: 'firestore',
  FIRESTORE_PROJECT: 'acme-prod-1',
  FIRESTORE_EMULATOR_HOST: '127.0.0.1:1',
  METADATA_SERVER_DETECTION: 'none',
  REDIS_URL: 'redis://:hunter2@127.0.0.1:2',
  CONTROL_PLANE_ID: 'cp-0123456789ab',
  MASTER_KEY: '5a'.repeat(32),
  FLY_API_TOKEN: 'FlyV1-hunter2',
  COORDINATOR_URL: 'https://coordinator.example.com',
}

let plane: Plane | undefined
afterEach(() => plane?.destroy())

/** Starts; the exit code, how long it took, and what was said. `signalWhen` is said before it is sent SIGTERM. */
async function endOf(signalWhen?: string, more: object = {}): Promise<{ code: number; tookMs: number; told: string }> {
  const it = (plane = await Plane.create('serve'))
  const startedMs = realClock.monotonic()
  const child = it.launch([], { ...NOBODY, ...more })
  const gone = once(child, 'exit')
  if (signalWhen !== undefined) {
    await it.until(signalWhen, () => Promise.resolve(it.output.includes(signalWhen)))
    child.kill('SIGTERM')
  }
  const [code] = (await gone) as [number] // as Node tells it
  return { code, tookMs: realClock.monotonic() - startedMs, told: it.output }
}

const WAITS = 'Firestore does not answer yet'

test('CF9 a store that does not answer is given up within a minute, in a line that names the settings', async () => {
  const { code, tookMs, told } = await endOf()
  expect(code).toBe(1)
  expect(tookMs).toBeLessThan(60_000)
  const lines = told.split('\n')
  expect(lines.filter((line) => line.includes(WAITS))).toHaveLength(1)
  expect(lines.filter((line) => line.startsWith('Error: '))).toEqual([
    expect.stringContaining('FIRESTORE_PROJECT is "acme-prod-1"'),
  ])
  expect(told).not.toMatch(/hunter2|5a5a5a|\n +at /)
}, 90_000)

test('CF9 a start that waits is ended by a signal', async () => {
  const { code, tookMs } = await endOf(WAITS)
  expect(code).toBe(130)
  expect(tookMs).toBeLessThan(25_000)
}, 90_000)

test.skipIf(emulatorAbsence() !== undefined)(
  'CF11 a store of another control plane, or of another key, is refused before anything is begun',
  async () => {
    const emulator = await startFirestoreEmulator()
    const first = await Plane.create('serve')
    try {
      const at = { FIRESTORE_EMULATOR_HOST: emulator.host, FIRESTORE_PROJECT: emulator.project() }
      await first.start([], { ...NOBODY, ...at })
      for (const more of [{ CONTROL_PLANE_ID: 'cp-ffffffffffff' }, { MASTER_KEY: '6b'.repeat(32) }]) {
        const { code, told } = await endOf(undefined, { ...at, ...more })
        const lines = told.split('\n').filter((line) => line.startsWith('Error: '))
        expect([code, lines]).toEqual([1, [expect.stringContaining(`Error: Check ${Object.keys(more)[0]}: `)]])
        expect(told).not.toContain('A member now')
        await plane?.destroy()
      }
    } finally {
      await first.kill()
      await first.destroy()
      await emulator.stop()
    }
  },
  120_000,
)
