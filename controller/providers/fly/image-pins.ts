/** Has every machine of an image that is named by a tag made from one digest: the first that the registry or Fly told. */
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import { ProviderError, type CallOptions, type MachineProvider, type MachineSpec } from '../machines.ts'
import type { ImageLook } from './image-check.ts'
import { isPinned } from './spec-check.ts'

/** Where pins are kept from one start to the next; images and pins are whole names, a pin is `IMAGE@sha256:…`. */
export interface ImagePinStore {
  read(image: string): Promise<string | undefined>
  write(image: string, pin: string): Promise<void>
  remove(image: string): Promise<void>
}

/** What images are pinned with. */
export type ImagePinOptions = {
  readonly store: ImagePinStore
  /** What the image's registry says of it. Never rejects. */
  readonly look: (image: string) => Promise<ImageLook>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}

/** The pins of one control plane. */
export interface ImagePins {
  /** The name to make machines of the image from; the image itself while no digest of it is known. */
  of(image: string): Promise<string>
  /** A machine of the image was made, and this is what its provider says that it runs. */
  made(image: string, runs: string | undefined): Promise<void>
  /** The provider refused the machine: where the pinned digest is gone from its registry, the tag is resolved anew. */
  refused(image: string): Promise<void>
}

const IMAGES_MAX = 500
/** A registry that did not answer is not asked again within. */
const SILENT_MS = 600_000

type Known = { readonly pin: Promise<string | undefined>; readonly askedAtMs: number }

/** Pins over a store; what is known is asked for no more. */
export function createImagePins({ store, look, clock, log }: ImagePinOptions): ImagePins {
  const known = new Map<string, Known>()

  const keep = async (image: string, pin: string): Promise<void> => {
    try {
      await store.write(image, pin)
      log.info({ image, pin }, 'the image is pinned: machines are made from this digest until another image is set')
    } catch (error) {
      log.warn({ image, error: String(error) }, 'cannot keep the digest of an image: it is asked for after a start')
    }
  }
  const find = async (image: string): Promise<string | undefined> => {
    const kept = await store.read(image).catch(() => undefined)
    if (kept !== undefined && isPinOf(image, kept)) return kept
    const { digest } = await look(image)
    if (digest === undefined || !isPinOf(image, `${image}@${digest}`)) return undefined
    await keep(image, `${image}@${digest}`)
    return `${image}@${digest}`
  }
  const put = (image: string, pin: Promise<string | undefined>): Promise<string | undefined> => {
    if (known.size >= IMAGES_MAX) known.clear()
    known.set(image, { pin, askedAtMs: clock.monotonic() })
    return pin
  }
  return {
    of: async (image) => {
      if (isPinned(image)) return image
      const before = known.get(image)
      const found = await (before?.pin ?? put(image, find(image)))
      const isSilent = found === undefined && clock.monotonic() - (before?.askedAtMs ?? Infinity) >= SILENT_MS
      return (isSilent ? await put(image, find(image)) : found) ?? image
    },
    made: async (image, runs) => {
      if (isPinned(image) || runs === undefined || !isPinOf(image, runs)) return
      if ((await known.get(image)?.pin) !== undefined) return
      await put(image, Promise.resolve(runs))
      await keep(image, runs)
    },
    refused: async (image) => {
      const pin = isPinned(image) ? undefined : await known.get(image)?.pin
      // Most refusals are about something else.
      if (pin === undefined || !(await look(pin)).isMissing) return
      known.delete(image)
      log.warn({ image }, 'the pinned digest of the image is gone: its tag is resolved anew')
      await store.remove(image).catch(() => undefined)
    },
  }
}

const isPinOf = (image: string, pin: string): boolean => pin.startsWith(`${image}@`) && isPinned(pin)

/** The provider, whose machines are made from pins. */
export function pinning(provider: MachineProvider, pins: ImagePins, clock: Pick<Clock, 'monotonic'>): MachineProvider {
  const create = async (spec: MachineSpec, signal?: AbortSignal, how?: CallOptions) => {
    const startedMs = clock.monotonic()
    const image = await pins.of(spec.image)
    try {
      const made = await provider.create({ ...spec, image }, signal, shortened(how, clock.monotonic() - startedMs))
      await pins.made(spec.image, made.image)
      return made
    } catch (error) {
      if (error instanceof ProviderError && error.reason === 'InvalidSpec') await pins.refused(spec.image)
      throw error
    }
  }
  // An adapter is a record of functions that need no receiver.
  return { ...provider, create }
}

/** What the look for a pin took is missing from the time that the call has. */
const shortened = (how: CallOptions | undefined, tookMs: number): CallOptions | undefined =>
  how?.deadlineMs === undefined ? how : { ...how, deadlineMs: Math.max(0, how.deadlineMs - tookMs) }
