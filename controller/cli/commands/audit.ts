/** `spritectl audit`: looks after the audit log. */
import { buildCommand, buildRouteMap } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { dataFlag, jsonFlag, parseText } from '../flags.ts'

/** The flags of `spritectl audit verify`. */
export type AuditVerifyFlags = {
  readonly data: string
  readonly expect?: string
  readonly output: 'text' | 'json'
}

const verifyCommand = buildCommand<AuditVerifyFlags, string[], CliContext>({
  loader: async () => withContext((await import('./run-audit-verify.ts')).runAuditVerify),
  parameters: {
    flags: {
      data: dataFlag,
      expect: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Hash that was noted: fail unless a line with it is still there',
        placeholder: 'HASH',
        optional: true,
      },
      output: jsonFlag,
    },
    aliases: { o: 'output' },
    positional: {
      kind: 'array',
      parameter: { parse: parseText, brief: 'Files, the oldest first; all of the data folder', placeholder: 'FILE' },
    },
  },
  docs: {
    brief: 'Check that no line of the audit log was changed or cut; exit 1 where it was',
    fullDescription: [
      'Prints the first place at which the chain breaks, or how far it is whole and the hash of its last line. Note that',
      'hash elsewhere: by it, also lines that were cut from the end are found later.',
      '',
      'Examples:',
      '  spritectl audit verify',
      '  spritectl audit verify data/audit-2027-02-09T12-00-00-000Z.log data/audit.log',
    ].join('\n'),
  },
})

/** `spritectl audit …`. */
export const auditRoutes = buildRouteMap({
  routes: { verify: verifyCommand },
  docs: { brief: 'Check the audit log' },
})
