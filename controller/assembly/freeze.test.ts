/** Tests of the freeze: who can set it, what it lets through, and that it wakes whom it is about. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { FROZEN_ANNOTATION } from '../kinds/marks.ts'
import { spriteOf, tenantOf } from '../kinds/object-builders.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { specFor } from '../providers/contract.ts'
import { createFakeMachines } from '../providers/fake/fake-machines.ts'
import { namespaceResource } from '../registry/core.ts'
import { CONTEXT, testRegistry } from '../registry/testing.ts'
import { askFreeze, createFreezeWord, freezing, openFreeze } from './freeze.ts'

const KEY = { namespace: '', name: SYSTEM_NAMESPACE }

async function room(FREEZE: 'true' | 'false' = 'false', tenant = tenantOf()) {
  const { registry, store } = await testRegistry()
  await registry.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
  const woken: string[] = []
  const cache = {
    get: () => tenant,
    list: (kind: { kind: string }) => (kind.kind === spriteKind.kind ? [spriteOf('a'), spriteOf('b')] : [tenant]),
    observe: () => {},
  }
  // As much of a manager's cache as the freeze asks.
  const manager = { cache: cache as never, trigger: (_: string, { name }: { name: string }) => void woken.push(name) }
  const freezeWord = createFreezeWord({ FREEZE })
  const freeze = openFreeze({ environment: { FREEZE }, registry, store, manager, log: silentLog, freezeWord })
  await freeze.load()
  const annotate = async (value: string | null): Promise<void> => {
    const body = { metadata: { annotations: { [FROZEN_ANNOTATION]: value } } }
    await registry.patch(namespaceResource, KEY, { type: 'merge', body }, CONTEXT)
    for (let turn = 0; turn < 10; turn++) await settle()
  }
  return { freeze, annotate, woken, tenant, freezeWord, ask: askFreeze(registry, { FREEZE }) }
}

describe('freeze', () => {
  it('SPR85 our namespace’s annotation freezes everything and wakes every tenant and sprite; so does its removal', async () => {
    const { freeze, annotate, woken, freezeWord, ask } = await room()
    expect([freeze.frozenBy('acme'), freezeWord.frozenBy(), await ask('acme')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    await annotate('true')
    expect([freezeWord.frozenBy(), await ask('acme')]).toEqual([freeze.frozenBy('acme'), freeze.frozenBy('acme')])
    expect(freeze.frozenBy('acme')).toContain('namespace "sprites-system"')
    expect(woken).toEqual(['acme', 'a', 'b'])
    await annotate(null)
    expect(freeze.frozenBy('acme')).toBeUndefined()
    expect(woken).toEqual(['acme', 'a', 'b', 'acme', 'a', 'b'])
    freeze.close()
    await annotate('true')
    expect(freeze.frozenBy('acme')).toBeUndefined()
  })

  it('SPR85 so do the setting, and a tenant’s own annotation for itself', async () => {
    expect((await room('true')).freeze.frozenBy('any')).toBe('the setting FREEZE')
    const frozen = tenantOf({ metadata: { annotations: { [FROZEN_ANNOTATION]: 'true' } } })
    expect((await room('false', frozen)).freeze.frozenBy('acme')).toContain('of its tenant')
  })

  it('SPR85 past the provider’s door nothing changes while frozen, and reads go on', async () => {
    const clock = new TestClock()
    const fake = createFakeMachines({ clock, entropy: seededEntropy(1) })
    const made = await fake.create(specFor('acme', 'writer', { controlPlane: 'cp' }))
    let by: string | undefined = 'the test'
    const apps: string[] = []
    const ensureTenant = (tenant: string): Promise<void> => Promise.resolve(void apps.push(tenant))
    const standing = () => ({ app: 'a', isShared: false, paused: [] })
    const door = Object.assign(fake, { ensureTenant, standing })
    const provider = freezing(door, () => by)
    const ref = { tenant: 'acme', id: made.id }
    const before = fake.calls.length
    for (const call of [
      () => provider.create(specFor('acme', 'other', { controlPlane: 'cp' })),
      () => provider.start(ref),
      () => provider.stop(ref),
      () => provider.destroy(ref),
      () => provider.removeTenant('acme'),
      () => provider.ensureTenant?.('acme'),
    ])
      await expect(call()).rejects.toMatchObject({ reason: 'Frozen' })
    expect(fake.calls).toHaveLength(before)
    expect((await provider.list('acme')).machines).toHaveLength(1)
    expect((await provider.get(ref))?.id).toBe(made.id)
    expect([apps, provider.standing?.('acme').app]).toEqual([[], 'a'])
    by = undefined
    await provider.ensureTenant?.('acme')
    expect(apps).toEqual(['acme'])
    await provider.destroy(ref)
    expect(fake.calls.at(-1)?.call).toBe('destroy')
  })
})
