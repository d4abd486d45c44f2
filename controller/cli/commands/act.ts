/** `spritectl wake|drain`, `work cancel|retry` and `review answer`: asks something of one object. */
import { buildCommand, buildRouteMap } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, jsonFlag, namespaceFlag, parseText } from '../flags.ts'

/** The flags of an action. */
export type ActFlags = ConnectionFlags & {
  readonly namespace?: string
  readonly dryRun: 'none' | 'server'
  readonly output: 'text' | 'json'
}

/** The flags of `spritectl review answer`. */
export type AnswerFlags = ActFlags & {
  readonly verdict: 'Approved' | 'ChangesRequested'
  readonly comment?: string
}

const flags = {
  ...connectionFlags,
  namespace: namespaceFlag,
  dryRun: { kind: 'enum', values: ['none', 'server'], brief: 'server: checked, not done', default: 'none' },
  output: jsonFlag,
} as const
const aliases = { n: 'namespace', o: 'output' } as const
const named = (brief: string, placeholder: string) =>
  ({ kind: 'tuple', parameters: [{ parse: parseText, brief, placeholder }] }) as const

const actions = () => import('./run-act.ts')

export const wakeCommand = buildCommand<ActFlags, [string], CliContext>({
  loader: async () => withContext((await actions()).runWake),
  parameters: { flags, aliases, positional: named('Name of the sprite', 'SPRITE') },
  docs: {
    brief: 'Start the machine of a sprite although there is no work',
    fullDescription: 'It stays until its idle timeout.\n\nExamples:\n  spritectl wake cara -n acme-corp',
  },
})

export const drainCommand = buildCommand<ActFlags, [string], CliContext>({
  loader: async () => withContext((await actions()).runDrain),
  parameters: { flags, aliases, positional: named('Name of the sprite', 'SPRITE') },
  docs: {
    brief: 'Let a sprite finish its task, then stop its machine',
    fullDescription: 'It starts again for new work only.\n\nExamples:\n  spritectl drain cara -n acme-corp',
  },
})

export const cancelCommand = buildCommand<ActFlags, [string], CliContext>({
  loader: async () => withContext((await actions()).runCancel),
  parameters: { flags, aliases, positional: named('Name of the work', 'NAME') },
  docs: { brief: 'Cancel one task', fullDescription: 'Examples:\n  spritectl work cancel q1-copy -n acme-corp' },
})

export const retryCommand = buildCommand<ActFlags, [string], CliContext>({
  loader: async () => withContext((await actions()).runRetry),
  parameters: { flags, aliases, positional: named('Name of the work', 'NAME') },
  docs: {
    brief: 'Have one task tried again that failed or was cancelled',
    fullDescription: 'All its attempts are granted anew.\n\nExamples:\n  spritectl work retry q1-copy -n acme-corp',
  },
})

const answerCommand = buildCommand<AnswerFlags, [string], CliContext>({
  loader: async () => withContext((await actions()).runAnswer),
  parameters: {
    flags: {
      ...flags,
      verdict: { kind: 'enum', values: ['Approved', 'ChangesRequested'], brief: 'Whether the work is good as it is' },
      comment: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Why, and what to change',
        placeholder: 'TEXT',
        optional: true,
      },
    },
    aliases,
    positional: named('Name of the review', 'NAME'),
  },
  docs: {
    brief: 'Answer a review that waits for a person',
    fullDescription: [
      'Examples:',
      '  spritectl get reviews -n acme-corp',
      '  spritectl review answer q1-copy-1 -n acme-corp --verdict ChangesRequested --comment "Shorter, please"',
    ].join('\n'),
  },
})

/** `spritectl review …`. */
export const reviewRoutes = buildRouteMap({
  routes: { answer: answerCommand },
  docs: { brief: 'Answer reviews' },
})
