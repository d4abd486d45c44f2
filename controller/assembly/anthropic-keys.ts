/** Reads tenants' own Anthropic keys from their Secrets, at each call anew, and wakes a tenant when its Secret changes. */
import type { Environment } from '../config.ts'
import { hasReason } from '../api/errors.ts'
import { resourceName } from '../api/define-kind.ts'
import { isJsonObject } from '../api/patches.ts'
import { anthropicUpstream } from '../coordinator/gateway/anthropic.ts'
import type { OwnUpstream } from '../coordinator/gateway/tenant-key.ts'
import type { ModelUpstream } from '../coordinator/gateway/upstream.ts'
import { DEFAULT_SETTINGS } from '../coordinator/ports.ts'
import type { Manager } from '../engine/manager.ts'
import type { AnthropicKeyFault, AnthropicKeyRef, LookForAnthropicKey } from '../kinds/tenant/anthropic-key.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { secretResource } from '../registry/secrets.ts'
import type { Registry } from '../registry/registry.ts'
import { StoreError } from '../store/store.ts'
import type { ChangeSource } from './change-source.ts'

/** A header must hold it: one line of visible ASCII. */
const USABLE = /^[\x21-\x7e]{1,1000}$/

type Found = { readonly apiKey: string } | { readonly fault: AnthropicKeyFault }

/** Tenants' own keys: nothing of them is kept between two calls. */
export type AnthropicKeys = { readonly look: LookForAnthropicKey; readonly ownUpstream: OwnUpstream }

/** The keys as a control plane uses them: with each, Claude is asked where the settings say. */
export const openAnthropicKeys = (
  registry: Pick<Registry, 'get'>,
  environment: Pick<Environment, 'ANTHROPIC_BASE_URL'>,
): AnthropicKeys =>
  createAnthropicKeys(registry, (apiKey) =>
    anthropicUpstream({
      apiKey,
      baseUrl: environment.ANTHROPIC_BASE_URL,
      timeoutMs: DEFAULT_SETTINGS.upstreamTimeoutMs,
      refusedText: 'The tenant’s own Anthropic key was refused: put a valid one into its Secret',
    }),
  )

/** Reads keys from the Secrets of this registry; `upstreamFor` makes the model that is asked with one. */
export function createAnthropicKeys(
  registry: Pick<Registry, 'get'>,
  upstreamFor: (apiKey: string) => ModelUpstream,
): AnthropicKeys {
  const find = (tenant: string, ref: AnthropicKeyRef): Promise<Found> => findKey(registry, tenant, ref)
  return {
    look: async (tenant, ref) => {
      const found = await find(tenant, ref)
      return 'fault' in found ? found.fault : undefined
    },
    ownUpstream: async (tenant, ref) => {
      const found = await find(tenant, ref)
      return 'fault' in found ? found : { upstream: upstreamFor(found.apiKey) }
    },
  }
}

async function findKey(registry: Pick<Registry, 'get'>, tenant: string, ref: AnthropicKeyRef): Promise<Found> {
  try {
    const secret: object = await registry.get(secretResource, { namespace: tenant, name: ref.name })
    const data = 'data' in secret && isJsonObject(secret.data) ? secret.data : {}
    const value = Object.hasOwn(data, ref.key) ? data[ref.key] : undefined
    if (typeof value !== 'string') return { fault: 'KeyMissing' }
    // A file that holds a key ends with a line break.
    const apiKey = Buffer.from(value, 'base64').toString('utf8').trim()
    return USABLE.test(apiKey) ? { apiKey } : { fault: 'KeyUnusable' }
  } catch (error) {
    if (hasReason(error, 'NotFound')) return { fault: 'SecretMissing' }
    if (isUnreadable(error)) return { fault: 'SecretUnreadable' }
    throw error
  }
}

const isUnreadable = (error: unknown): boolean =>
  error instanceof Error && error.cause instanceof StoreError && error.cause.reason === 'Unreadable'

/** Wakes the tenant that refers to a Secret when that changes; the returned function ends it. */
export function watchAnthropicKeys(store: ChangeSource, manager: Pick<Manager, 'cache' | 'trigger'>): () => void {
  const secrets = resourceName(secretResource)
  return store.subscribe((changes) => {
    for (const { record } of changes) {
      if (record.collection !== secrets) continue
      const key = { namespace: '', name: record.namespace }
      const ref = manager.cache.get(tenantKind, key)?.spec.config.anthropicKeySecretRef
      if (ref?.name === record.name) manager.trigger('tenant', key)
    }
  })
}
