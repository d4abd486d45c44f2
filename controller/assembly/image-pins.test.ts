/** Pins in a ConfigMap: kept, told apart, removed; and the way from a tag to a machine at Fly. */
import { expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { specFor } from '../providers/contract.ts'
import { createFakeMachines } from '../providers/fake/fake-machines.ts'
import type { MachineProvider } from '../providers/machines.ts'
import { configMapResource } from '../registry/config-maps.ts'
import { namespaceResource } from '../registry/core.ts'
import { CONTEXT, testRegistry } from '../registry/testing.ts'
import { IMAGE_PINS_NAME, imagePinStore, pinnedImages } from './image-pins.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

async function system() {
  const { registry } = await testRegistry()
  await registry.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
  return registry
}

it('FW25 pins are kept in a ConfigMap of our own namespace, each image’s apart', async () => {
  const registry = await system()
  const store = imagePinStore(registry)
  expect(await store.read('a:1')).toBeUndefined()
  await store.write('a:1', `a:1@${DIGEST}`)
  await store.write('b:1', `b:1@${DIGEST}`)
  expect(await Promise.all([store.read('a:1'), store.read('b:1'), store.read('c:1')])).toEqual([
    `a:1@${DIGEST}`,
    `b:1@${DIGEST}`,
    undefined,
  ])
  await store.remove('a:1')
  expect(await imagePinStore(registry).read('a:1')).toBeUndefined()
  const map: object = await registry.get(configMapResource, { namespace: SYSTEM_NAMESPACE, name: IMAGE_PINS_NAME })
  expect('data' in map && Object.values(map.data ?? {})).toEqual([`b:1@${DIGEST}`])
})

it('FW25 a machine at Fly is made from what the registry says that the tag is; the emulator’s from the tag', async () => {
  const clock = new TestClock()
  const registry = await system()
  const fake = createFakeMachines({ clock, entropy: seededEntropy(1) })
  const bare: MachineProvider = {
    list: fake.list.bind(fake),
    get: fake.get.bind(fake),
    create: fake.create.bind(fake),
    start: fake.start.bind(fake),
    stop: fake.stop.bind(fake),
    destroy: fake.destroy.bind(fake),
    removeTenant: fake.removeTenant.bind(fake),
  }
  const asked: string[] = []
  const fetch = (url: unknown): Promise<Response> => {
    asked.push(String(url))
    return Promise.resolve(new Response(null, { headers: { 'docker-content-digest': DIGEST } }))
  }
  const ports = { registry, clock, log: silentLog, fetch }
  const made = await pinnedImages(bare, { ...ports, environment: { FLY_API_TOKEN: 'fm2_x' } }).create(
    specFor('acme', 'writer', { controlPlane: 'cp' }),
  )
  expect([made.image, asked]).toEqual([
    `registry.example/sprite:1@${DIGEST}`,
    ['https://registry.example/v2/sprite/manifests/1'],
  ])
  expect(pinnedImages(bare, { ...ports, environment: { FLY_API_TOKEN: undefined } })).toBe(bare)
})
