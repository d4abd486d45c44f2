/** Holds a store that processes share to one identity: a stranger's would count budgets twice and know no machine. */
import { createHmac } from 'node:crypto'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { hasReason } from '../api/errors.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { isJsonObject } from '../api/patches.ts'
import { ConfigError } from '../config.ts'
import { configMapResource } from '../registry/config-maps.ts'
import type { Registry } from '../registry/registry.ts'
import type { Identity } from './data-folder.ts'

/** Where the ConfigMap lies that says whose the store is. */
export const STORE_IDENTITY_KEY = { namespace: SYSTEM_NAMESPACE, name: 'control-plane' }

const CONTEXT = { actor: CONTROLLER_ACTOR, fieldManager: 'store-identity' }

/** Id and key of a control plane, as of CONTROL_PLANE_ID and MASTER_KEY. */
export type Given = Pick<Identity, 'controlPlaneId' | 'masterKey'>

/** Tells keys apart and says nothing of them. */
const fingerprintOf = (masterKey: string): string =>
  createHmac('sha256', Buffer.from(masterKey, 'hex')).update('store-identity').digest('hex').slice(0, 16)

const dataOf = ({ controlPlaneId, masterKey }: Given) => ({
  controlPlaneId,
  masterKeyFingerprint: fingerprintOf(masterKey),
})

/** Takes a store that is nobody's for this identity. Throws ConfigError where it is another's, ApiError. */
export async function holdStoreIdentity(registry: Pick<Registry, 'get' | 'create'>, identity: Given): Promise<void> {
  if (await isHeldBy(registry, identity)) return
  const { name, namespace } = STORE_IDENTITY_KEY
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: dataOf(identity) }
  try {
    await registry.create(configMapResource, namespace, map, CONTEXT)
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error
    // Another process of this control plane, or of another, was faster.
    await isHeldBy(registry, identity)
  }
}

/** Whether the store says that it is of this identity; false where it says nothing. Throws ConfigError, ApiError. */
export async function isHeldBy(registry: Pick<Registry, 'get'>, identity: Given): Promise<boolean> {
  const map = await registry.get(configMapResource, STORE_IDENTITY_KEY).catch((error: unknown) => {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  })
  if (map === undefined) return false
  const fault = identityFault(map, identity)
  if (fault !== undefined) throw new ConfigError(fault)
  return true
}

/** Which setting is not that of the control plane in the ConfigMap, and what would do; undefined where both are. Pure. */
export function identityFault(map: unknown, identity: Given): string | undefined {
  const held = isJsonObject(map) && isJsonObject(map['data']) ? map['data'] : {}
  const own = dataOf(identity)
  const owner = held['controlPlaneId']
  if (typeof owner !== 'string')
    return `Delete ConfigMap "${STORE_IDENTITY_KEY.name}" of "${STORE_IDENTITY_KEY.namespace}": it does not say whose the store is`
  if (owner !== own.controlPlaneId)
    return `Check CONTROL_PLANE_ID: it is "${own.controlPlaneId}", and the store is of "${owner}", whose machines would be strangers and whose budgets be spent twice; set it to "${owner}", or name another store`
  if (held['masterKeyFingerprint'] === own.masterKeyFingerprint) return undefined
  return `Check MASTER_KEY: the store was begun with another one, which its sprites have their tokens from; set that one, or see docs/production.md for how to change it`
}
