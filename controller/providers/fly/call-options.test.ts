/** What a caller says of one call reaches Fly's pace: the heavier goes first. Its deadline is tested beside the lease's. */
import { expect, it } from 'vitest'
import { settle } from '../../../system/test-clock.ts'
import { api, clock, MACHINES, onlyNock, provider } from './wire-fixture.ts'

onlyNock()

it('MP8 of two calls that wait for the same rate the more urgent goes first', async () => {
  const fly = provider({ paced: true })
  api().get(MACHINES).query(true).times(5).reply(200, [])
  for (let count = 0; count < 3; count++) await fly.list('acme')
  const gone: string[] = []
  const ask = async (name: string, priority?: number): Promise<void> => {
    await fly.list('acme', undefined, priority === undefined ? {} : { priority })
    gone.push(name)
  }
  const asked = [ask('says nothing'), ask('urgent', 10)]
  for (let second = 0; second < 3; second++) {
    await clock.advance(1_100)
    // Answers come by the network's own turns.
    for (let turn = 0; turn < 20; turn++) await settle()
  }
  await Promise.all(asked)
  expect(gone).toEqual(['urgent', 'says nothing'])
})
