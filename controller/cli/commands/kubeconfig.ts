/** `spritectl kubeconfig`: tells kubectl, Argo CD or Flux how to reach the API. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, namespaceFlag, parseText } from '../flags.ts'

/** The forms in which it is told. */
export const KUBECONFIG_FORMATS = ['shell', 'kubeconfig', 'argocd', 'flux'] as const

/** The flags of `spritectl kubeconfig`. */
export type KubeconfigFlags = ConnectionFlags & {
  readonly tokenFile?: string
  readonly user?: string
  readonly namespace?: string
  readonly name?: string
  readonly format?: (typeof KUBECONFIG_FORMATS)[number]
}

const optionalText = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: parseText, brief, placeholder, optional: true }) as const

export const kubeconfigCommand = buildCommand<KubeconfigFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-kubeconfig.ts')).runKubeconfig),
  parameters: {
    flags: {
      ...connectionFlags,
      tokenFile: optionalText('File with the token to put in, - for standard input', 'FILE|-'),
      user: optionalText('What the user is called in it', 'NAME'),
      namespace: { ...namespaceFlag, brief: 'Tenant that commands are about when they name none' },
      name: optionalText('What cluster, context and secret are called', 'NAME'),
      format: {
        kind: 'enum',
        values: KUBECONFIG_FORMATS,
        brief: 'A line for the shell, a file for kubectl, or a Secret for Argo CD or Flux',
        optional: true,
      },
    },
    aliases: { n: 'namespace' },
  },
  docs: {
    brief: 'Print how kubectl, Argo CD or Flux find the API',
    fullDescription: [
      'Without flags: the line that tells kubectl in this shell. All other forms hold a token: keep them as such.',
      '',
      'Examples:',
      '  eval "$(spritectl kubeconfig)" && kubectl get fleet -n acme-corp',
      '  spritectl token create argocd --platform > token',
      '  spritectl kubeconfig --format argocd --token-file token --server https://fleet.example.com:8443 --name fleet',
      '  spritectl kubeconfig --format flux --token-file token --name fleet | kubectl apply -f -',
    ].join('\n'),
  },
})
