/** `spritectl apply`: makes the fleet what the files say. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, filesFlag, namespaceFlag, parseText } from '../flags.ts'
import type { ConnectionFlags } from '../api/connection.ts'

/** The flags of `spritectl apply`. */
export type ApplyFlags = ConnectionFlags & {
  readonly filename: readonly string[]
  readonly namespace?: string
  readonly prune: boolean
  readonly applySet?: string
  readonly dryRun: 'none' | 'client' | 'server'
  readonly personas?: string
}

/** `spritectl apply`. */
export const applyCommand = buildCommand<ApplyFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-apply.ts')).runApply),
  parameters: {
    flags: {
      ...connectionFlags,
      filename: filesFlag,
      namespace: namespaceFlag,
      prune: { kind: 'boolean', brief: 'Delete what is in the apply set but not in the files', default: false },
      applySet: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Name of the set that the objects belong to; needed by --prune',
        placeholder: 'NAME',
        optional: true,
      },
      dryRun: {
        kind: 'enum',
        values: ['none', 'client', 'server'],
        brief: 'client: checked here only; server: the server checks it too; nothing is stored',
        default: 'none',
      },
      personas: {
        kind: 'parsed',
        parse: parseText,
        brief: "Folder of the control plane's personas, when they are not the built-in ones",
        placeholder: 'DIR',
        optional: true,
      },
    },
    aliases: { f: 'filename', n: 'namespace' },
  },
  docs: {
    brief: 'Make the fleet what the files say; nothing is written when any of them is bad',
    fullDescription: [
      'Reads and checks every file first. A bad one is told with file:line:column, and nothing is written.',
      '',
      'Examples:',
      '  spritectl apply -f examples',
      '  spritectl apply -f examples/acme-corp --apply-set acme --prune',
      '  cat work.yaml | spritectl apply -f - -n acme-corp --dry-run server',
    ].join('\n'),
  },
})
