/** Supplies the four Reflect metadata functions that @peculiar/x509's injector asks for, where nobody else has. */

type Target = object
type MetadataReflect = {
  defineMetadata?: (key: unknown, value: unknown, target: Target) => void
  getMetadata?: (key: unknown, target: Target) => unknown
  getOwnMetadata?: (key: unknown, target: Target) => unknown
  hasOwnMetadata?: (key: unknown, target: Target) => boolean
}

const metadata = new WeakMap<Target, Map<unknown, unknown>>()

const own = (key: unknown, target: Target): unknown => metadata.get(target)?.get(key)

function inherited(key: unknown, target: Target): unknown {
  for (let at: Target | null = target; at !== null; at = Object.getPrototypeOf(at) as Target | null)
    if (metadata.get(at)?.has(key)) return own(key, at)
  return undefined
}

function define(key: unknown, value: unknown, target: Target): void {
  const known = metadata.get(target) ?? new Map<unknown, unknown>()
  known.set(key, value)
  metadata.set(target, known)
}

/** Sets the functions on the global Reflect unless a polyfill has done so. Idempotent. */
export function supplyReflectMetadata(): void {
  // The standard's Reflect does not declare what the decorators proposal once added.
  const reflect = Reflect as unknown as MetadataReflect
  reflect.defineMetadata ??= define
  reflect.getMetadata ??= inherited
  reflect.getOwnMetadata ??= own
  reflect.hasOwnMetadata ??= (key, target) => metadata.get(target)?.has(key) ?? false
}
