/** `spritectl work submit`: gives a fleet one task. */
import { buildCommand, buildRouteMap } from '@stricli/core'
import type { ConnectionFlags } from '../api/connection.ts'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, jsonFlag, parseText, timeoutFlag } from '../flags.ts'
import { cancelCommand, retryCommand } from './act.ts'

/** The flags of `spritectl work submit`. */
export type SubmitFlags = ConnectionFlags & {
  readonly tenant: string
  readonly type: string
  readonly agent?: string
  readonly sprite?: string
  readonly description: string
  readonly input?: string
  readonly project?: string
  readonly priority?: number
  readonly deadline?: string
  readonly idempotencyKey?: string
  readonly wait: boolean
  readonly timeout: number
  readonly output: 'text' | 'json'
}

const optionalText = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: parseText, brief, placeholder, optional: true }) as const

export const submitCommand = buildCommand<SubmitFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-work-submit.ts')).runSubmit),
  parameters: {
    flags: {
      ...connectionFlags,
      tenant: { kind: 'parsed', parse: parseText, brief: 'Tenant whose task it is', placeholder: 'TENANT' },
      type: { kind: 'parsed', parse: parseText, brief: 'Kind of task, such as write_copy', placeholder: 'TYPE' },
      agent: optionalText('Agent type that does it', 'AGENT'),
      sprite: optionalText('The one sprite that does it', 'SPRITE'),
      description: { kind: 'parsed', parse: parseText, brief: 'What is to be done', placeholder: 'TEXT' },
      input: optionalText('Facts for the task: a JSON or YAML file, - for standard input', 'FILE|-'),
      project: optionalText('Project that it belongs to', 'PROJECT'),
      priority: {
        kind: 'parsed',
        parse: Number,
        brief: 'From 0 to 100, higher first; needs a plan with priority routing',
        placeholder: 'N',
        optional: true,
      },
      deadline: optionalText('Not done by then, it fails: a time such as 2027-02-09T12:00:00Z, or 2h', 'TIME'),
      idempotencyKey: optionalText('The same key is the same work, however often it is submitted', 'KEY'),
      wait: { kind: 'boolean', brief: 'Wait until it is over, and print what was delivered', default: false },
      timeout: { ...timeoutFlag, default: '10m' },
      output: jsonFlag,
    },
    aliases: { n: 'tenant', o: 'output' },
  },
  docs: {
    brief: 'Submit one task',
    fullDescription: [
      'Examples:',
      '  spritectl work submit --tenant acme-corp --type write_copy --agent copywriter \\',
      '    --project q1-launch --description "Three subject lines for the teaser" --wait',
      '  echo \'{"product": "CureSight"}\' | spritectl work submit --tenant acme-corp --type research \\',
      '    --agent researcher --description "What do site managers search for?" --input - --idempotency-key r-17',
    ].join('\n'),
  },
})

/** `spritectl work …`. */
export const workRoutes = buildRouteMap({
  routes: { submit: submitCommand, cancel: cancelCommand, retry: retryCommand },
  docs: { brief: 'Submit, cancel and retry work' },
})
