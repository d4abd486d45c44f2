/** Tests of the actions, against a real API server without controllers. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { reviewKind } from '../../kinds/review/schema.ts'
import { spriteKind } from '../../kinds/sprite/schema.ts'
import { workKind } from '../../kinds/work/schema.ts'
import { GROWTH_LIMITS, namespaceOf, readyCondition, spriteOf, tenantOf, workOf } from '../objects-for-tests.ts'
import { cliWorld, type CliWorld } from '../testing.ts'

let world: CliWorld

beforeEach(async () => {
  world = await cliWorld()
  await world.put(
    tenantOf('acme', { namespace: 'acme', limits: GROWTH_LIMITS, conditions: [readyCondition('Active')] }),
  )
  await world.put(namespaceOf('acme'))
})
afterEach(() => world.close())

const key = (name: string) => ({ namespace: 'acme', name })

it('CLI30 wake and drain say what follows', async () => {
  await world.put(spriteOf('cara', { phase: 'Stopped' }))
  expect(await world.run(['drain', 'cara', '-n', 'acme'])).toEqual({
    code: 0,
    out: 'sprite.sprites.highera.com/cara has no machine; none starts before there is work\n',
    err: '',
  })
  const dry = await world.run(['wake', 'cara', '-n', 'acme', '--dry-run', 'server'])
  expect(dry.out).toBe(
    'sprite.sprites.highera.com/cara is woken: its machine starts as soon as it has a slot (server dry run)\n',
  )
  expect((await world.client.get(spriteKind, key('cara'))).metadata.annotations).toBeUndefined()
  expect((await world.run(['wake', 'cara', '-n', 'acme'])).code).toBe(0)
  const { annotations, managedFields } = (await world.client.get(spriteKind, key('cara'))).metadata
  expect(annotations).toHaveProperty(['sprites.highera.com/wake-at'])
  expect(managedFields?.map(({ manager }) => manager)).toContain('spritectl')
})

it('CLI30 a refusal is told in one line', async () => {
  await world.put(spriteOf('cara', { phase: 'Stopped' }, { runPolicy: 'Stopped' }))
  const { code, err } = await world.run(['wake', 'cara', '-n', 'acme'])
  expect([code, err]).toEqual([
    1,
    'Error from server (Conflict): Operation cannot be fulfilled on sprites.sprites.highera.com "cara": Cannot wake it: spec.runPolicy is "Stopped": set it to OnDemand or Always first\n',
  ])
  expect((await world.run(['wake', 'nobody', '-n', 'acme'])).err).toContain('NotFound')
})

it('CLI31 work is cancelled and tried again', async () => {
  await world.put(workOf('w', { phase: 'Pending' }))
  expect((await world.run(['work', 'cancel', 'w', '-n', 'acme'])).out).toBe('work.sprites.highera.com/w is cancelled\n')
  expect((await world.client.get(workKind, key('w'))).spec.cancelled).toBe(true)
  await world.client.patchStatus(workKind, key('w'), { phase: 'Cancelled' })
  const { out } = await world.run(['work', 'retry', 'w', '-n', 'acme', '-o', 'json'])
  expect(JSON.parse(out)).toMatchObject({ kind: 'Work', spec: { cancelled: false, retries: 1 } })
})

it('CLI32 a review is answered by the caller’s name', async () => {
  await world.put(workOf('w', { phase: 'InReview' }))
  await world.put({
    apiVersion: reviewKind.apiVersion,
    kind: reviewKind.kind,
    metadata: { name: 'r', namespace: 'acme' },
    spec: { work: 'w', artifact: 'copy', question: 'Good?', reviewer: 'person' },
    status: { phase: 'Open' },
  })
  const args = ['review', 'answer', 'r', '-n', 'acme', '--verdict', 'ChangesRequested', '--comment', 'Shorter']
  expect((await world.run(args)).out).toBe('review.sprites.highera.com/r is answered: ChangesRequested\n')
  expect((await world.client.get(reviewKind, key('r'))).spec.answer).toEqual({
    verdict: 'ChangesRequested',
    comment: 'Shorter',
    by: 'admin',
  })
  expect((await world.run(['review', 'answer', 'r', '-n', 'acme', '--verdict', 'Fine'])).code).toBe(2)
})
