/** The commands that need little: version and completion. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { completionScript, SHELLS, type Shell } from '../completion.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags } from '../flags.ts'

export const versionCommand = buildCommand<ConnectionFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-version.ts')).runVersion),
  parameters: { flags: connectionFlags },
  docs: { brief: 'Print the versions of this client and of the server, if it runs' },
})

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
