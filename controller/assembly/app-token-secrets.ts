/** Keeps the tokens of tenants' apps at Fly as Secrets of our own namespace, so that they are encrypted like all others. */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { hasReason } from '../api/errors.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { isJsonObject } from '../api/patches.ts'
import type { AppTokenStore } from '../providers/fly/app-tokens.ts'
import type { Registry } from '../registry/registry.ts'
import { secretResource } from '../registry/secrets.ts'
import { parseTimestamp, timestamp } from '../../system/timestamp.ts'

const CONTEXT = { actor: CONTROLLER_ACTOR, fieldManager: 'fly-app-tokens' }

const keyOf = (app: string) => ({ namespace: SYSTEM_NAMESPACE, name: `fly-app-${app}` })

/** Tokens as Secrets of this registry. Throws ApiError. */
export function appTokenSecrets(registry: Pick<Registry, 'get' | 'create' | 'patch' | 'delete'>): AppTokenStore {
  return {
    read: async (app) => {
      try {
        const secret: object = await registry.get(secretResource, keyOf(app))
        const data = 'data' in secret && isJsonObject(secret.data) ? secret.data : {}
        const [token, expires] = [textOf(data['token']), textOf(data['expires'])]
        const expiresAtMs = parseTimestamp(expires)
        return token === undefined || token === '' || expiresAtMs === undefined ? undefined : { token, expiresAtMs }
      } catch (error) {
        if (hasReason(error, 'NotFound')) return undefined
        throw error
      }
    },
    write: async (app, { token, expiresAtMs }) => {
      const stringData = { token, expires: timestamp(expiresAtMs) }
      try {
        const body = { metadata: { name: keyOf(app).name }, type: 'Opaque', stringData }
        await registry.create(secretResource, SYSTEM_NAMESPACE, body, CONTEXT)
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error
        await registry.patch(secretResource, keyOf(app), { type: 'merge', body: { stringData } }, CONTEXT)
      }
    },
    remove: async (app) => {
      try {
        await registry.delete(secretResource, keyOf(app), {}, CONTEXT)
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error
      }
    },
  }
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : undefined
