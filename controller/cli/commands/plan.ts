/** `spritectl plan`: what the controllers would do about files; nothing is done. */
import { buildCommand } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, jsonFlag, namespaceFlag, parseText } from '../flags.ts'

/** The flags of `spritectl plan`. */
export type PlanFlags = ConnectionFlags & {
  readonly namespace?: string
  readonly offline: boolean
  readonly output: 'text' | 'json'
}

export const planCommand = buildCommand<PlanFlags, string[], CliContext>({
  loader: async () => withContext((await import('./run-plan.ts')).runPlan),
  parameters: {
    flags: {
      ...connectionFlags,
      namespace: namespaceFlag,
      offline: { kind: 'boolean', brief: 'As if nothing were there yet; no server is asked', default: false },
      output: jsonFlag,
    },
    aliases: { n: 'namespace', o: 'output' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { parse: parseText, brief: 'Files or folders, - for standard input', placeholder: 'FILE|DIR' },
    },
  },
  docs: {
    brief: 'Show what the controllers would do about files, and why; nothing is done',
    fullDescription: [
      'Lays the files over what the server has and runs the decisions of the controllers: machines to create, start,',
      'stop, destroy or replace, and sprites that would queue. One round ahead: hand-offs of agents cannot be known.',
      '',
      'Examples:',
      '  spritectl plan examples/acme-corp',
      '  spritectl plan examples --offline -o json',
    ].join('\n'),
  },
})
