/** A store that processes share is of one control plane: whoever comes with another identity is refused. */
import { describe, expect, it } from 'vitest'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { ConfigError } from '../config.ts'
import { configMapResource } from '../registry/config-maps.ts'
import { namespaceResource } from '../registry/core.ts'
import { CONTEXT, testRegistry } from '../registry/testing.ts'
import { holdStoreIdentity, identityFault, isHeldBy, STORE_IDENTITY_KEY } from './store-identity.ts'

const OURS = { controlPlaneId: 'cp-0123456789ab', masterKey: '5a'.repeat(32) }
const OTHER_ID = { ...OURS, controlPlaneId: 'cp-ffffffffffff' }
const OTHER_KEY = { ...OURS, masterKey: '6b'.repeat(32) }

async function store() {
  const { registry } = await testRegistry()
  await registry.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
  return registry
}

describe('the identity of a store', () => {
  it('CF11 is that of whoever is first, and holds no key', async () => {
    const registry = await store()
    expect(await isHeldBy(registry, OURS)).toBe(false)
    await holdStoreIdentity(registry, OURS)
    await holdStoreIdentity(registry, OURS)
    expect(await isHeldBy(registry, OURS)).toBe(true)
    const map = await registry.get(configMapResource, STORE_IDENTITY_KEY)
    expect(JSON.stringify(map)).not.toContain('5a5a')
  })

  it('CF11 refuses another CONTROL_PLANE_ID and another MASTER_KEY, and says what would do', async () => {
    const registry = await store()
    await holdStoreIdentity(registry, OURS)
    await expect(holdStoreIdentity(registry, OTHER_ID)).rejects.toThrow(
      /^Check CONTROL_PLANE_ID: it is "cp-ffffffffffff", and the store is of "cp-0123456789ab".*set it to "cp-0123456789ab"/,
    )
    await expect(holdStoreIdentity(registry, OTHER_KEY)).rejects.toThrow(/^Check MASTER_KEY: /)
    await expect(holdStoreIdentity(registry, OTHER_KEY)).rejects.toThrow(ConfigError)
  })

  it('CF11 says what to do where nothing can be read from it', () => {
    for (const map of [undefined, {}, { data: {} }, { data: { controlPlaneId: 5 } }])
      expect(identityFault(map, OURS)).toMatch(/^Delete ConfigMap "control-plane" of "sprites-system"/)
  })

  it('CF11 of two that begin at once with different ones, one is refused', async () => {
    const registry = await store()
    const begun = await Promise.allSettled([OURS, OTHER_ID].map((identity) => holdStoreIdentity(registry, identity)))
    expect(begun.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })

  it('CF11 is taken anew by whoever removes it', async () => {
    const registry = await store()
    await holdStoreIdentity(registry, OURS)
    await registry.delete(configMapResource, STORE_IDENTITY_KEY, {}, CONTEXT)
    await holdStoreIdentity(registry, OTHER_KEY)
    await expect(holdStoreIdentity(registry, OURS)).rejects.toThrow(/MASTER_KEY/)
  })
})
