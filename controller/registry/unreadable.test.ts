/** Tests of objects whose stored value cannot be read: each is refused alone, and can be deleted. */
import { expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { settle } from '../../system/test-clock.ts'
import { createEncryptedStore } from '../store/encrypted.ts'
import { createMemoryStore } from '../store/memory.ts'
import { secretResource } from './secrets.ts'
import { CONTEXT, testRegistry } from './testing.ts'

const KEY = { namespace: 'acme', name: 'lost' }

/** A registry with the secret `kept`, and `lost`, which nobody can read. */
async function withLost() {
  const inner = createMemoryStore()
  const keys = [{ id: 'k', bytes: Buffer.alloc(32) }] as const
  const options = { collections: new Set(['secrets']), keys, entropy: seededEntropy(1) }
  const room = await testRegistry({ store: createEncryptedStore(inner, options) })
  await room.registry.create(secretResource, 'acme', { metadata: { name: 'kept' } }, CONTEXT)
  const key = { collection: 'secrets', ...KEY }
  await inner.commit([{ type: 'Put', key, expectedRevision: 0, value: () => 'nonsense' }])
  return room.registry
}

it('SK22 a secret that does not decrypt is InternalError with the reason, and the others are listed', async () => {
  const registry = await withLost()
  await expect(registry.get(secretResource, KEY)).rejects.toMatchObject({
    reason: 'InternalError',
    message: expect.stringMatching(/^Cannot read secrets acme\/lost: .*SECRETS_ENCRYPTION_KEYS/) as string,
  })
  const patch = { type: 'merge', body: { stringData: { a: 'b' } } } as const
  await expect(registry.patch(secretResource, KEY, patch, CONTEXT)).rejects.toMatchObject({ reason: 'InternalError' })
  const { items } = await registry.list(secretResource)
  expect(items.map((item) => item.metadata.name)).toEqual(['kept'])
})

it('SK22 it can be deleted, unless the caller wants to be sure which one it is', async () => {
  const registry = await withLost()
  const events: string[] = []
  const stop = new AbortController()
  const watching = (async () => {
    for await (const event of registry.watch(secretResource, { namespace: 'acme' }, stop.signal))
      events.push(`${event.type} ${event.object.metadata.name}`)
  })()
  await settle()
  const sure = registry.delete(secretResource, KEY, { preconditions: { uid: 'u' } }, CONTEXT)
  await expect(sure).rejects.toMatchObject({ reason: 'InternalError' })
  await registry.delete(secretResource, KEY, {}, { ...CONTEXT, dryRun: true })
  const { deleted, object } = await registry.delete(secretResource, KEY, {}, CONTEXT)
  expect(deleted).toBe(true)
  expect(object).toMatchObject({ kind: 'Secret', metadata: { name: 'lost', namespace: 'acme' } })
  await expect(registry.get(secretResource, KEY)).rejects.toMatchObject({ reason: 'NotFound' })
  await registry.create(secretResource, 'acme', { metadata: { name: 'lost' } }, CONTEXT)
  await settle()
  expect(events).toEqual(['ADDED kept', 'ADDED lost'])
  stop.abort()
  await watching
})
