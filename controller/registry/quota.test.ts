/** How many objects a namespace may hold. */
import { describe, expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import type { Actor } from '../api/admission.ts'
import { createMemoryStore } from '../store/memory.ts'
import { CORE_RESOURCES, namespaceResource } from './core.ts'
import { createRegistry } from './create-registry.ts'
import { createQuota } from './quota.ts'
import { CONTEXT, planets, widgetBody, widgets } from './testing.ts'

const ANN: Actor = { name: 'ann@x.test', groups: [] }
const BY_ANN = { actor: ANN, fieldManager: 'test' }

async function limited(limit: number, bytesMax?: number) {
  const store = createMemoryStore({})
  let looks = 0
  const counting = {
    list: (...asked: Parameters<typeof store.list>) => {
      looks += 1
      return store.list(...asked)
    },
  }
  const limits = new Map([
    ['widgets.sprites.highera.com', limit],
    ['planets.sprites.highera.com', 0],
  ])
  const registry = createRegistry({
    store,
    resources: [widgets, planets, ...CORE_RESOURCES],
    clock: new TestClock(),
    entropy: seededEntropy(1),
    builtinAgentTypes: new Set(),
    quota: createQuota({ store: counting, limits, ...(bytesMax === undefined ? {} : { bytesMax }) }),
  })
  for (const name of ['acme', 'beta']) await registry.create(namespaceResource, '', { metadata: { name } }, CONTEXT)
  const make = (name: string, more: object = {}, namespace = 'acme') =>
    registry.create(widgets, namespace, widgetBody(name), { ...BY_ANN, ...more })
  return { registry, make, looks: () => looks }
}

const FULL = {
  reason: 'Forbidden',
  message:
    'widgets.sprites.highera.com "c" is forbidden: exceeded quota: objects, requested: count/widgets.sprites.highera.com=1, used: count/widgets.sprites.highera.com=2, limited: count/widgets.sprites.highera.com=2; delete some that are no longer needed',
}

describe('quota', () => {
  test('QT1 the object past the limit is Forbidden and says used and limited; nothing is stored', async () => {
    const { registry, make } = await limited(2)
    await make('a')
    await make('b')
    await expect(make('c')).rejects.toMatchObject(FULL)
    await expect(make('c')).rejects.toMatchObject(FULL)
    expect((await registry.list(widgets)).items).toHaveLength(2)
  })

  test('QT1 an apply that would create is bound too, one that changes is not', async () => {
    const { registry, make } = await limited(2)
    await make('a')
    await make('b')
    const applied = (name: string) =>
      registry.apply(widgets, { namespace: 'acme', name }, widgetBody(name, { size: 3 }), BY_ANN)
    await expect(applied('c')).rejects.toMatchObject(FULL)
    expect(await applied('a')).toMatchObject({ created: false })
  })

  test('QT2 the control plane is not bound', async () => {
    const { make } = await limited(0)
    expect(await make('a', CONTEXT)).toMatchObject({ metadata: { name: 'a' } })
    await expect(make('b')).rejects.toMatchObject({ reason: 'Forbidden' })
  })

  test('QT3 other namespaces and kinds are not counted, and a deletion makes room', async () => {
    const { registry, make } = await limited(1)
    await make('a')
    await make('a', {}, 'beta')
    await registry.create(planets, '', { ...widgetBody('mars'), kind: 'Planet' }, BY_ANN)
    await expect(make('b')).rejects.toMatchObject({ reason: 'Forbidden' })
    await registry.delete(widgets, { namespace: 'acme', name: 'a' }, {}, BY_ANN)
    expect(await make('b')).toMatchObject({ metadata: { name: 'b' } })
  })

  test('QT4 a dry run is judged alike and takes no room', async () => {
    const { make } = await limited(1)
    for (const name of ['a', 'b', 'c']) await make(name, { dryRun: true })
    await make('a')
    await expect(make('b', { dryRun: true })).rejects.toMatchObject({ reason: 'Forbidden' })
  })

  test('QT5 of many at once no more get in than there is room for', async () => {
    const { registry, make } = await limited(7)
    const made = await Promise.allSettled(Array.from({ length: 40 }, (_, index) => make(`w${index}`)))
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(7)
    expect((await registry.list(widgets)).items).toHaveLength(7)
  })

  test('QT5 what is refused for another reason gives its room back', async () => {
    const { make } = await limited(2)
    await make('a')
    for (let tries = 0; tries < 5; tries++) await expect(make('a')).rejects.toMatchObject({ reason: 'AlreadyExists' })
    expect(await make('b')).toMatchObject({ metadata: { name: 'b' } })
  })

  test('QT5 counting costs a look at the namespace once in a hundred creates', async () => {
    const { make, looks } = await limited(1_000)
    for (let index = 0; index < 250; index++) await make(`w${index}`)
    expect(looks()).toBe(3)
  })

  const note = (bytes: number): object => ({ metadata: { annotations: { note: 'x'.repeat(bytes) } } })
  const widgetPatch = (name: string, body: object) =>
    [widgets, { namespace: 'acme', name }, { type: 'merge', body }, BY_ANN] as const

  test('QT8 what grows past the bytes is Forbidden, by whatever write; what shrinks or stays is not', async () => {
    const { registry, make } = await limited(1_000, 100_000)
    await make('a')
    await make('b')
    await registry.patch(...widgetPatch('a', note(80_000)))
    const more = registry.patch(...widgetPatch('b', note(30_000)))
    await expect(more).rejects.toMatchObject({
      reason: 'Forbidden',
      message: expect.stringMatching(
        /exceeded quota: objects, requested: bytes=30\d\d\d, used: bytes=8\d{4}, limited: bytes=100000/,
      ),
    })
    const applied = { ...widgetBody('c'), metadata: { name: 'c', annotations: { note: 'x'.repeat(30_000) } } }
    await expect(registry.apply(widgets, { namespace: 'acme', name: 'c' }, applied, BY_ANN)).rejects.toMatchObject({
      reason: 'Forbidden',
    })
    await registry.patch(...widgetPatch('a', note(70_000)))
    await registry.patch(...widgetPatch('a', note(10)))
    await registry.patch(...widgetPatch('b', note(30_000)))
    await make('elsewhere', {}, 'beta')
  })

  test('QT8 the bytes of many small writes are counted too, and the control plane is not bound', async () => {
    const { registry, make } = await limited(10_000, 50_000)
    let made = 0
    for (const index of Array.from({ length: 500 }, (_, at) => at)) {
      const isIn = await make(`w${index}`).then(
        () => true,
        () => false,
      )
      if (!isIn) break
      made += 1
    }
    const bytes = JSON.stringify((await registry.list(widgets)).items).length
    expect(made).toBeGreaterThan(50)
    expect(bytes).toBeLessThan(50_000 * 1.02)
    await make('late', CONTEXT)
    await registry.patch(widgets, { namespace: 'acme', name: 'late' }, { type: 'merge', body: note(90_000) }, CONTEXT)
  })
})
