/** The commands that need little: version, kubeconfig and completion. */
import { resolve } from 'node:path'
import { buildCommand } from '@stricli/core'
import { kubeconfigPath, type ConnectionFlags } from '../api/connection.ts'
import { completionScript, SHELLS, type Shell } from '../completion.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags } from '../flags.ts'

export const versionCommand = buildCommand<ConnectionFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-version.ts')).runVersion),
  parameters: { flags: connectionFlags },
  docs: { brief: 'Print the versions of this client and of the server, if it runs' },
})

export const kubeconfigCommand = buildCommand<ConnectionFlags, [], CliContext>({
  loader: () => Promise.resolve(withContext(printKubeconfig)),
  parameters: { flags: connectionFlags },
  docs: {
    brief: 'Print how kubectl finds the API',
    fullDescription: 'Examples:\n  eval "$(spritectl kubeconfig)" && kubectl get fleet -n acme-corp',
  },
})

async function printKubeconfig(context: CliContext, flags: ConnectionFlags): Promise<void> {
  const { readKubeconfig } = await import('../../server/kubeconfig.ts')
  const path = resolve(kubeconfigPath(flags))
  const { server } = await readKubeconfig(path)
  context.process.stdout.write(`# ${server}\nexport KUBECONFIG='${path.replaceAll("'", String.raw`'\''`)}'\n`)
}

// eslint-disable-next-line typescript/no-generated-empty-object-type -- stricli's word for a command without flags
type NoFlags = Record<never, never>

export const completionCommand = buildCommand<NoFlags, [Shell], CliContext>({
  loader: () => Promise.resolve(withContext(printCompletion)),
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: shellOf,
          proposeCompletions: (partial) => SHELLS.filter((shell) => shell.startsWith(partial)),
          brief: 'bash or zsh',
          placeholder: 'SHELL',
        },
      ],
    },
  },
  docs: {
    brief: 'Print a completion script for bash or zsh',
    fullDescription: [
      'Examples:',
      '  source <(spritectl completion bash)',
      '  spritectl completion zsh > "${fpath[1]}/_spritectl"',
    ].join('\n'),
  },
})

function printCompletion(context: CliContext, _flags: NoFlags, shell: Shell): void {
  context.process.stdout.write(completionScript(shell))
}

function shellOf(text: string): Shell {
  const shell = SHELLS.find((one) => one === text)
  if (shell === undefined) throw new Error(`Name bash or zsh: got "${text}"`)
  return shell
}
