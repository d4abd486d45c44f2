/** `spritectl describe`: how an object stands and why. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, kindPositional, namespaceFlag, parseText } from '../flags.ts'

/** The flags of `spritectl describe`. */
export type DescribeFlags = ConnectionFlags & { readonly namespace?: string }

export const describeCommand = buildCommand<DescribeFlags, [string, string?], CliContext>({
  loader: async () => withContext((await import('./run-describe.ts')).runDescribe),
  parameters: {
    flags: { ...connectionFlags, namespace: namespaceFlag },
    aliases: { n: 'namespace' },
    positional: {
      kind: 'tuple',
      parameters: [
        { ...kindPositional, brief: 'Kind, or KIND/NAME', placeholder: 'KIND' },
        { parse: parseText, brief: 'Name of the object', placeholder: 'NAME', optional: true },
      ],
    },
  },
  docs: {
    brief: 'Show how an object stands, why, and what would help',
    fullDescription: [
      'Shows metadata, spec and status, conditions as a table, blockers with what to do, and events.',
      '',
      'Examples:',
      '  spritectl describe sprite blog-social -n startup-xyz',
      '  spritectl describe tenant acme-corp',
    ].join('\n'),
  },
})
