/** What a tenant's own Anthropic key is: a reference to a Secret, and what may be wrong with what it leads to. Pure. */
import type { TenantSpec } from './schema.ts'

/** Where a tenant keeps its own key. */
export type AnthropicKeyRef = NonNullable<TenantSpec['config']['anthropicKeySecretRef']>

/** Why a reference leads to no key. */
export type AnthropicKeyFault = 'SecretMissing' | 'SecretUnreadable' | 'KeyMissing' | 'KeyUnusable'

/** Looks whether a reference leads to a key, without giving the key away; undefined when it does. */
export type LookForAnthropicKey = (tenant: string, ref: AnthropicKeyRef) => Promise<AnthropicKeyFault | undefined>

/** What is wrong, and what to do about it, as one sentence with what to do first. */
export function keyFaultText(tenant: string, { name, key }: AnthropicKeyRef, fault: AnthropicKeyFault): string {
  switch (fault) {
    case 'SecretMissing':
      return `Create Secret "${name}" in namespace "${tenant}" with the Anthropic key under "${key}": there is none`
    case 'SecretUnreadable':
      return `Write Secret "${name}" in namespace "${tenant}" anew: its stored value does not decrypt`
    case 'KeyMissing':
      return `Put the Anthropic key under "${key}" into Secret "${name}" in namespace "${tenant}": it has no such key`
    case 'KeyUnusable':
      return `Put an Anthropic key under "${key}" into Secret "${name}" in namespace "${tenant}": what is there is empty or not one line of text`
  }
}
