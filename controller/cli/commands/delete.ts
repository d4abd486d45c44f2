/** `spritectl delete`: deletes objects, and waits until they are gone. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, filesFlag, kindPositional, namespaceFlag, parseText, timeoutFlag } from '../flags.ts'

/** The flags of `spritectl delete`. */
export type DeleteFlags = ConnectionFlags & {
  readonly filename?: readonly string[]
  readonly namespace?: string
  readonly ignoreNotFound: boolean
  readonly wait: boolean
  readonly timeout: number
  readonly dryRun: 'none' | 'server'
}

export const deleteCommand = buildCommand<DeleteFlags, [string?, string?], CliContext>({
  loader: async () => withContext((await import('./run-delete.ts')).runDelete),
  parameters: {
    flags: {
      ...connectionFlags,
      filename: { ...filesFlag, optional: true },
      namespace: namespaceFlag,
      ignoreNotFound: { kind: 'boolean', brief: 'What is not there is no failure', default: false },
      wait: { kind: 'boolean', brief: 'Wait until it is gone; its finalizers take their time', default: true },
      timeout: { ...timeoutFlag, default: '120s' },
      dryRun: { kind: 'enum', values: ['none', 'server'], brief: 'server: checked, not deleted', default: 'none' },
    },
    aliases: { f: 'filename', n: 'namespace' },
    positional: {
      kind: 'tuple',
      parameters: [
        { ...kindPositional, brief: 'Kind, or KIND/NAME', placeholder: 'KIND', optional: true },
        { parse: parseText, brief: 'Name of the object', placeholder: 'NAME', optional: true },
      ],
    },
  },
  docs: {
    brief: 'Delete objects, by name or by file',
    fullDescription: [
      'A tenant goes with everything it owns; a sprite when its machine is confirmed gone.',
      '',
      'Examples:',
      '  spritectl delete sprite blog-social -n startup-xyz',
      '  spritectl delete -f examples/startup-xyz',
      '  spritectl delete tenant/startup-xyz --no-wait',
    ].join('\n'),
  },
})
