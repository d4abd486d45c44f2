/** `spritectl validate`: checks files without asking anybody. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { jsonFlag, namespaceFlag, parseText } from '../flags.ts'

/** The flags of `spritectl validate`. */
export type ValidateFlags = { readonly namespace?: string; readonly output: 'text' | 'json' }

export const validateCommand = buildCommand<ValidateFlags, string[], CliContext>({
  loader: async () => withContext((await import('./run-validate.ts')).runValidate),
  parameters: {
    flags: { namespace: namespaceFlag, output: jsonFlag },
    aliases: { n: 'namespace', o: 'output' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { parse: parseText, brief: 'Files or folders, - for standard input', placeholder: 'FILE|DIR' },
    },
  },
  docs: {
    brief: 'Check manifests and personas offline, for a git pipeline; exit 1 when any is bad',
    fullDescription: [
      'Checks schemas, rules and admission: plan limits, agent types, references. Built-in plans and personas are known.',
      'Each problem is one line: file:line:column: field: what is wrong (what would do).',
      '',
      'Examples:',
      '  spritectl validate examples',
      '  spritectl validate fleet personas -o json',
    ].join('\n'),
  },
})
