/** `spritectl logs`: what a sprite's machine wrote. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, namespaceFlag, parseText } from '../flags.ts'

/** The flags of `spritectl logs`. */
export type LogsFlags = ConnectionFlags & { readonly namespace?: string; readonly follow: boolean }

export const logsCommand = buildCommand<LogsFlags, [string], CliContext>({
  loader: async () => withContext((await import('./run-logs.ts')).runLogs),
  parameters: {
    flags: {
      ...connectionFlags,
      namespace: namespaceFlag,
      follow: { kind: 'boolean', brief: 'Go on with what is written, until Ctrl-C', default: false },
    },
    aliases: { n: 'namespace', f: 'follow' },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: parseText, brief: 'Name of the sprite', placeholder: 'SPRITE' }],
    },
  },
  docs: {
    brief: "Print the log of a sprite's machine",
    fullDescription: 'Examples:\n  spritectl logs blog-copywriter -n startup-xyz -f',
  },
})
