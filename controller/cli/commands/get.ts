/** `spritectl get`: shows objects as the server's tables, or as they are. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, kindPositional, namespaceFlag, outputFlag, parseText } from '../flags.ts'
import type { OutputFormat } from '../output.ts'

/** The flags of `spritectl get`. */
export type GetFlags = ConnectionFlags & {
  readonly namespace?: string
  readonly allNamespaces: boolean
  readonly output?: OutputFormat
  readonly watch: boolean
  readonly selector?: string
  readonly fieldSelector?: string
}

export const getCommand = buildCommand<GetFlags, [string, string?], CliContext>({
  loader: async () => withContext((await import('./run-get.ts')).runGet),
  parameters: {
    flags: {
      ...connectionFlags,
      namespace: namespaceFlag,
      allNamespaces: { kind: 'boolean', brief: 'Of all tenants', default: false },
      output: outputFlag,
      watch: { kind: 'boolean', brief: 'Go on and show every change, until Ctrl-C', default: false },
      selector: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Label selector, such as sprites.highera.com/project=q1-launch',
        placeholder: 'SELECTOR',
        optional: true,
      },
      fieldSelector: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Field selector, such as status.phase=Queued',
        placeholder: 'SELECTOR',
        optional: true,
      },
    },
    aliases: { n: 'namespace', A: 'allNamespaces', o: 'output', w: 'watch', l: 'selector' },
    positional: {
      kind: 'tuple',
      parameters: [
        { ...kindPositional, brief: 'Kinds, such as sprites,work or fleet; or KIND/NAME', placeholder: 'KIND[,KIND]' },
        { parse: parseText, brief: 'Name of one object', placeholder: 'NAME', optional: true },
      ],
    },
  },
  docs: {
    brief: 'Show objects',
    fullDescription: [
      'Shows the columns that the server gives; kubectl shows the same.',
      '',
      'Examples:',
      '  spritectl get sprites,work -A',
      '  spritectl get sprites -n acme-corp -o wide',
      '  spritectl get work q1-launch-kickoff -n acme-corp -o yaml',
      '  spritectl get sprites -n startup-xyz --field-selector status.phase=Queued -o json',
      '  spritectl get work -n acme-corp -w',
    ].join('\n'),
  },
})
