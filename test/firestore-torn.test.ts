/** Tears documents of objects whose machines run, under real controllers over the Firestore store: nothing is destroyed. */
import { expect, test } from 'vitest'
import { emptyOutside, openFirestoreWorld } from '../bench/firestore-world.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind } from '../controller/kinds/work/schema.ts'

const SPRITE = 'tenants/acme/sprites/torn'
const TENANT = 'tenants/acme'
/** Long enough for the collector's two looks, the relist of every informer, and every back-off. */
const LONG_SECONDS = 900

type World = Awaited<ReturnType<typeof openFirestoreWorld>>
type Fields = Readonly<Record<string, unknown>>

/** A tenant with two sprites that are up, and what somebody at the console can do to its documents. */
async function begin() {
  const outside = emptyOutside()
  const calls = outside.firestore.connect()
  const state: { world: World } = { world: await openFirestoreWorld(outside) }
  const fieldsOf = async (path: string): Promise<Fields> =>
    (await calls.get([path], 1)).documents.get(path)?.fields ?? {}
  const write = (path: string, fields: Fields) => calls.commit([{ type: 'Set', path, fields, condition: 'None' }], 1)
  const { world } = state
  const spec = { displayName: 'Acme', plan: 'enterprise', config: {}, brand: {}, suspend: false }
  await world.settled(world.client.create(tenantKind, { metadata: { name: 'acme' }, spec }))
  await world.run(10)
  for (const name of ['torn', 'whole']) {
    const metadata = { name, namespace: 'acme' }
    const sprite = { metadata, spec: { agentType: 'copywriter', runPolicy: 'Always' as const } }
    await world.settled(world.client.create(spriteKind, sprite))
  }
  await world.run(300)
  return {
    ...outside,
    state,
    fieldsOf,
    write,
    /** Ids of machines that run, by sprite. */
    running: () =>
      outside.provider
        .machines()
        .filter(({ state: is }) => is === 'started')
        .map(({ owner, id }) => `${owner?.sprite} ${id}`)
        .toSorted(),
    phases: () => state.world.manager.cache.list(spriteKind).map(({ status }) => status?.phase),
    restart: async () => {
      await state.world.close()
      state.world = await openFirestoreWorld(outside)
    },
  }
}

type Scene = Awaited<ReturnType<typeof begin>>

async function inScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = await begin()
  try {
    expect(scene.phases()).toEqual(['Idle', 'Idle'])
    await run(scene)
  } finally {
    await scene.state.world.close()
  }
}

const isCallOfEnd = ({ call }: { readonly call: string }): boolean => call === 'destroy' || call === 'stop'

const TEARS: Readonly<Record<string, (whole: Fields) => Fields>> = {
  'a spec of another kind': (whole) => ({ ...whole, spec: { type: 'write_copy', dependsOn: 5 } }),
  'a status that is no map': (whole) => ({ ...whole, status: 'Ready' }),
  'nothing but junk': () => ({ junk: 'x'.repeat(1000) }),
}

test.each(Object.keys(TEARS))(
  'FDS9 S4 %s in a running sprite and its tenant destroys nothing, before and after a restart',
  (tear) =>
    inScene(async ({ state, provider, fieldsOf, write, running, phases, restart }) => {
      const before = running()
      expect(before).toHaveLength(2)
      const whole = { sprite: await fieldsOf(SPRITE), tenant: await fieldsOf(TENANT) }
      provider.calls.length = 0
      await write(SPRITE, TEARS[tear]?.(whole.sprite) ?? {})
      await write(TENANT, TEARS[tear]?.(whole.tenant) ?? {})
      await state.world.run(LONG_SECONDS)
      expect(state.world.store.malformed().map(({ path }) => path)).toEqual([TENANT, SPRITE])
      expect(running()).toEqual(before)
      await restart()
      await state.world.run(LONG_SECONDS)
      expect(running()).toEqual(before)
      // The tenant first: now its machines are looked at, and one of them has a sprite that nobody can read.
      await write(TENANT, whole.tenant)
      await state.world.run(LONG_SECONDS)
      expect(running()).toEqual(before)
      expect(provider.calls.filter(isCallOfEnd)).toEqual([])
      await write(SPRITE, whole.sprite)
      await state.world.run(LONG_SECONDS)
      expect(running()).toEqual(before)
      expect(provider.calls.filter(isCallOfEnd)).toEqual([])
      expect([phases(), state.world.store.malformed()]).toEqual([['Idle', 'Idle'], []])
    }),
  60_000,
)

test.each([false, true])(
  'FDS9 S3 a torn sprite that is deleted through the API goes, and its machine after it (restarted: %s)',
  (isRestarted) =>
    inScene(async ({ state, write, running, phases, restart }) => {
      const [, whole] = running()
      await write(SPRITE, { junk: 1 })
      if (isRestarted) await restart()
      await state.world.run(LONG_SECONDS)
      expect(running()).toHaveLength(2)
      const { client, store } = state.world
      await state.world.settled(client.delete(spriteKind, { namespace: 'acme', name: 'torn' }))
      await state.world.run(300)
      expect([running(), phases(), store.malformed()]).toEqual([[whole], ['Idle'], []])
    }),
  60_000,
)

test(
  'FDC6 work that is torn is named, work that a person wrote without defaults is done, and so is the rest',
  () =>
    inScene(async ({ state, write }) => {
      const { world } = state
      const workAt = (name: string, more: object): Promise<unknown> => {
        const metadata = { name, namespace: 'acme', uid: name, creationTimestamp: '2026-01-01T00:00:00Z' }
        const spec = { type: 'write_copy', description: 'Write', agentType: 'copywriter', ...more }
        return write(`tenants/acme/work/${name}`, { apiVersion: workKind.apiVersion, kind: 'Work', metadata, spec })
      }
      await workAt('torn', { dependsOn: 5 })
      await workAt('written', {})
      const task = { type: 'write_copy', description: 'Write', agentType: 'copywriter' }
      const spec = { ...task, priority: 0, maxAttempts: 3, cancelled: false }
      const metadata = { name: 'asked', namespace: 'acme' }
      await world.settled(world.client.create(workKind, { metadata, spec }))
      await world.run(LONG_SECONDS)
      const phases = world.manager.cache.list(workKind).map((work) => `${work.metadata.name} ${work.status?.phase}`)
      expect(phases.toSorted()).toEqual(['asked Completed', 'written Completed'])
      expect(world.store.malformed()).toMatchObject([{ path: 'tenants/acme/work/torn' }])
    }),
  60_000,
)
