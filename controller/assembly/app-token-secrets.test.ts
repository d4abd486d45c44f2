/** Tests of the tokens of apps as Secrets: written, replaced, read back, removed, and not read where they are no tokens. */
import { expect, it } from 'vitest'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { namespaceResource } from '../registry/core.ts'
import { secretResource } from '../registry/secrets.ts'
import { CONTEXT, testRegistry } from '../registry/testing.ts'
import { appTokenSecrets } from './app-token-secrets.ts'

it('FW20 the token of an app is a Secret of our own namespace', async () => {
  const { registry } = await testRegistry()
  await registry.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
  const store = appTokenSecrets(registry)
  expect(await store.read('highera-acme')).toBeUndefined()
  await store.write('highera-acme', { token: 'fm2_one', expiresAtMs: Date.UTC(2026, 1, 1) })
  await store.write('highera-acme', { token: 'fm2_two', expiresAtMs: Date.UTC(2026, 1, 8) })
  expect(await store.read('highera-acme')).toEqual({ token: 'fm2_two', expiresAtMs: Date.UTC(2026, 1, 8) })
  const key = { namespace: SYSTEM_NAMESPACE, name: 'fly-app-highera-acme' }
  expect(await registry.get(secretResource, key)).toMatchObject({ type: 'Opaque' })
  await registry.patch(secretResource, key, { type: 'merge', body: { stringData: { expires: 'soon' } } }, CONTEXT)
  expect(await store.read('highera-acme')).toBeUndefined()
  await store.remove('highera-acme')
  await store.remove('highera-acme')
  expect(await store.read('highera-acme')).toBeUndefined()
})
