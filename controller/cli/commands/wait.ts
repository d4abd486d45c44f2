/** `spritectl wait`: waits until an object is as asked. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, kindPositional, namespaceFlag, parseText, timeoutFlag } from '../flags.ts'

/** The flags of `spritectl wait`. */
export type WaitFlags = ConnectionFlags & {
  readonly namespace?: string
  readonly for: string
  readonly timeout: number
}

export const waitCommand = buildCommand<WaitFlags, [string, string?], CliContext>({
  loader: async () => withContext((await import('./run-wait.ts')).runWait),
  parameters: {
    flags: {
      ...connectionFlags,
      namespace: namespaceFlag,
      for: {
        kind: 'parsed',
        parse: parseText,
        brief: 'What to wait for: condition=Ready, condition=Ready=False, phase=Completed, delete or create',
        placeholder: 'CONDITION',
      },
      timeout: { ...timeoutFlag, default: '30s' },
    },
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
    brief: 'Wait until an object is as asked; exit 1 when it is not in time',
    fullDescription: [
      'A condition counts only when it speaks of the object as it is now declared.',
      '',
      'Examples:',
      '  spritectl wait tenant acme-corp --for condition=Ready',
      '  spritectl wait work/q1-launch-kickoff -n acme-corp --for phase=Completed --timeout 10m',
      '  spritectl wait sprite blog-social -n startup-xyz --for delete',
    ].join('\n'),
  },
})
