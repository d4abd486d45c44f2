/** Decides which model answers a tenant: the control plane's, or, where the tenant brings its own key, only that one. */
import { keyFaultText, type AnthropicKeyFault, type AnthropicKeyRef } from '../../kinds/tenant/anthropic-key.ts'
import type { Tenant } from '../../kinds/tenant/schema.ts'
import { CoordinatorError } from '../fault.ts'
import type { ModelUpstream } from './upstream.ts'

/** The model under a tenant's own key, as it is at this call, or why there is no key. */
export type OwnUpstream = (
  tenant: string,
  ref: AnthropicKeyRef,
) => Promise<{ readonly upstream: ModelUpstream } | { readonly fault: AnthropicKeyFault }>

/** Somebody has to do something first: a sprite that asks at once again only makes noise. */
const RETRY_AFTER_MS = 30_000

/**
 * The model for a call of the tenant. Throws AnthropicKeyMissing when it has named a key of its own that is not there:
 * the control plane's key never stands in for it, since somebody else would pay.
 */
export async function upstreamOf(
  ports: { readonly upstream: ModelUpstream; readonly ownUpstream?: OwnUpstream },
  tenant: Tenant,
): Promise<ModelUpstream> {
  const ref = tenant.spec.config.anthropicKeySecretRef
  if (ref === undefined) return ports.upstream
  const { name } = tenant.metadata
  const own = (await ports.ownUpstream?.(name, ref)) ?? { fault: 'SecretMissing' }
  if ('upstream' in own) return own.upstream
  throw new CoordinatorError('AnthropicKeyMissing', keyFaultText(name, ref, own.fault), {
    retryAfterMs: RETRY_AFTER_MS,
  })
}
