/** Tests of what a start says of Fly: nothing without a token, each finding with its level, and never a failure. */
import { expect, it } from 'vitest'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { readEnvironment } from '../config.ts'
import { logPreflight } from './preflight.ts'

const clock = new TestClock()

it('FP7 a start on the emulator asks nobody', async () => {
  await logPreflight(readEnvironment({}), { clock, log: silentLog, fetch: () => Promise.reject(new Error('asked')) })
})

it('FP7 a start at Fly says what is not as it should be, and goes on', async () => {
  const said: string[] = []
  const note = (level: string) => (_fields: unknown, text?: string) => void said.push(`${level} ${text}`)
  const log = { ...silentLog, info: note('info'), warn: note('warn'), error: note('error') }
  const environment = readEnvironment({ FLY_API_TOKEN: 'fm2_x', COORDINATOR_URL: 'https://c.example' })
  await logPreflight(environment, { clock, log, fetch: () => Promise.resolve(new Response('{}', { status: 401 })) })
  expect(said[0]).toMatch(/^error preflight: .*401/)
  expect(said.some((line) => line.startsWith('warn'))).toBe(true)
  expect(said.join()).not.toContain('fm2_x')
})
