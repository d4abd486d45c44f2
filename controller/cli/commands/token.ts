/** `spritectl token`: makes, lists and revokes the tokens by which people, pipelines and apps come in. */
import { buildCommand, buildRouteMap } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, outputFlag, parseText } from '../flags.ts'
import type { OutputFormat } from '../output.ts'

/** The flags that say whose token it is. */
export type TokenPlaceFlags = ConnectionFlags & { readonly tenant?: string; readonly platform: boolean }

/** The flags of `spritectl token create`. */
export type TokenCreateFlags = TokenPlaceFlags & {
  readonly role?: 'admin' | 'member' | 'viewer'
  readonly user?: string
  readonly expires?: string
  readonly description?: string
  readonly output: 'token' | 'kubeconfig' | 'json'
}

/** The flags of `spritectl token list`. */
export type TokenListFlags = TokenPlaceFlags & { readonly allNamespaces: boolean; readonly output?: OutputFormat }

const placeFlags = {
  ...connectionFlags,
  tenant: { kind: 'parsed', parse: parseText, brief: 'Tenant that it is for', placeholder: 'TENANT', optional: true },
  platform: { kind: 'boolean', brief: 'For all tenants: a platform admin', default: false },
} as const

const name = { parse: parseText, brief: 'Name of the token', placeholder: 'NAME' } as const

const createCommand = buildCommand<TokenCreateFlags, [string], CliContext>({
  loader: async () => withContext((await import('./run-token.ts')).runTokenCreate),
  parameters: {
    flags: {
      ...placeFlags,
      role: {
        kind: 'enum',
        values: ['admin', 'member', 'viewer'],
        brief: 'What its holder may do in the tenant',
        optional: true,
      },
      user: {
        kind: 'parsed',
        parse: parseText,
        brief: 'User of the tenant that its holder is, instead of a role',
        placeholder: 'USER',
        optional: true,
      },
      expires: {
        kind: 'parsed',
        parse: parseText,
        brief: 'When it ends: 12h, 90d, or a time such as 2027-02-09T12:00:00Z; never when absent',
        placeholder: 'TIME',
        optional: true,
      },
      description: {
        kind: 'parsed',
        parse: parseText,
        brief: 'What it is for, for people',
        placeholder: 'TEXT',
        optional: true,
      },
      output: {
        kind: 'enum',
        values: ['token', 'kubeconfig', 'json'],
        brief: 'What to print: the token, or a kubeconfig with it',
        default: 'token',
      },
    },
    aliases: { n: 'tenant', o: 'output' },
    positional: { kind: 'tuple', parameters: [name] },
  },
  docs: {
    brief: 'Make a token and print it, once',
    fullDescription: [
      'Only the hash of it is stored: keep what is printed.',
      '',
      'Examples:',
      '  spritectl token create ci --tenant acme-corp --role member --expires 90d > token',
      '  spritectl token create ann --tenant acme-corp --user ann -o kubeconfig > acme.kubeconfig',
      '  spritectl token create argocd --platform --description "Argo CD"',
    ].join('\n'),
  },
})

const listCommand = buildCommand<TokenListFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-token.ts')).runTokenList),
  parameters: {
    flags: {
      ...placeFlags,
      allNamespaces: { kind: 'boolean', brief: 'Of all tenants and of the platform', default: false },
      output: outputFlag,
    },
    aliases: { n: 'tenant', A: 'allNamespaces', o: 'output' },
  },
  docs: {
    brief: 'Show which tokens there are',
    fullDescription: 'Examples:\n  spritectl token list -n acme-corp\n  spritectl token list -A -o wide',
  },
})

const revokeCommand = buildCommand<TokenPlaceFlags, [string], CliContext>({
  loader: async () => withContext((await import('./run-token.ts')).runTokenRevoke),
  parameters: { flags: placeFlags, aliases: { n: 'tenant' }, positional: { kind: 'tuple', parameters: [name] } },
  docs: {
    brief: 'Revoke a token: the next request with it is refused',
    fullDescription: 'Examples:\n  spritectl token revoke ci -n acme-corp\n  spritectl token revoke argocd --platform',
  },
})

/** `spritectl token …`. */
export const tokenRoutes = buildRouteMap({
  routes: { create: createCommand, list: listCommand, revoke: revokeCommand },
  docs: { brief: 'Make, list and revoke tokens' },
})
