/** Keeps which digest each image's tag was first resolved to, in a ConfigMap of our own namespace. */
import { createHash } from 'node:crypto'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { hasReason } from '../api/errors.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { isJsonObject } from '../api/patches.ts'
import type { Environment } from '../config.ts'
import { lookAtImage } from '../providers/fly/image-check.ts'
import { createImagePins, pinning, type ImagePinStore } from '../providers/fly/image-pins.ts'
import type { MachineProvider } from '../providers/machines.ts'
import { configMapResource } from '../registry/config-maps.ts'
import type { Registry } from '../registry/registry.ts'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'

/** Name of the ConfigMap; whoever removes a key from it has the tag resolved anew at the next start. */
export const IMAGE_PINS_NAME = 'sprite-images'

const CONTEXT = { actor: CONTROLLER_ACTOR, fieldManager: 'sprite-images' }
const KEY = { namespace: SYSTEM_NAMESPACE, name: IMAGE_PINS_NAME }
/** More would not fit into one object; images beyond are asked for after each start. */
const PINS_MAX = 500

type PinRegistry = Pick<Registry, 'get' | 'create' | 'patch'>

/** A key of a ConfigMap holds no colon and no slash. */
const keyOf = (image: string): string => createHash('sha256').update(image).digest('hex').slice(0, 16)

/** Pins as keys of the ConfigMap in this registry. Throws ApiError. */
export function imagePinStore(registry: PinRegistry): ImagePinStore {
  const patch = async (data: Readonly<Record<string, string | null>>): Promise<void> => {
    await registry.patch(configMapResource, KEY, { type: 'merge', body: { data } }, CONTEXT)
  }
  return {
    read: async (image) => {
      const pin = (await pinsOf(registry)).get(keyOf(image))
      return pin?.startsWith(`${image}@`) ? pin : undefined
    },
    write: async (image, pin) => {
      if ((await pinsOf(registry)).size >= PINS_MAX) return
      const data = { [keyOf(image)]: pin }
      try {
        await patch(data)
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error
        await registry.create(configMapResource, SYSTEM_NAMESPACE, { metadata: { name: KEY.name }, data }, CONTEXT)
      }
    },
    remove: async (image) => {
      await patch({ [keyOf(image)]: null })
    },
  }
}

async function pinsOf(registry: Pick<Registry, 'get'>): Promise<ReadonlyMap<string, string>> {
  try {
    const map: object = await registry.get(configMapResource, KEY)
    const data = 'data' in map && isJsonObject(map.data) ? map.data : {}
    return new Map(Object.entries(data).flatMap(([key, pin]) => (typeof pin === 'string' ? [[key, pin]] : [])))
  } catch (error) {
    if (hasReason(error, 'NotFound')) return new Map()
    throw error
  }
}

/** What pinning needs of the process. */
export type PinnedPorts = {
  readonly registry: PinRegistry
  readonly environment: Pick<Environment, 'FLY_API_TOKEN'>
  readonly clock: Clock
  readonly log: Log
  readonly fetch?: typeof globalThis.fetch
}

/** The provider at Fly, whose machines are made from digests; the emulator runs no images and is given back as it is. */
export function pinnedImages(provider: MachineProvider, ports: PinnedPorts): MachineProvider {
  const { registry, environment, clock, log, fetch } = ports
  const flyToken = environment.FLY_API_TOKEN
  if (flyToken === undefined) return provider
  const look = (image: string) => lookAtImage(image, { clock, flyToken, ...(fetch === undefined ? {} : { fetch }) })
  return pinning(provider, createImagePins({ store: imagePinStore(registry), look, clock, log }), clock)
}
