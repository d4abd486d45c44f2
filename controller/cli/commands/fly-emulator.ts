/** `spritectl fly-emulator`: runs the emulator of the Fly Machines API alone, for whoever tests a client of it. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { parseText, portOf } from '../flags.ts'

/** The flags of `spritectl fly-emulator`. */
export type FlyEmulatorFlags = {
  readonly port: number
  readonly host: string
  readonly faults?: string
  readonly latency: string
  readonly data?: string
  readonly rateLimits: boolean
  readonly run?: string
  readonly org: string
  readonly token?: string
  readonly output: 'text' | 'json'
}

const optionalText = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: parseText, brief, placeholder, optional: true }) as const

export const flyEmulatorCommand = buildCommand<FlyEmulatorFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-fly-emulator.ts')).runFlyEmulator),
  parameters: {
    flags: {
      port: {
        kind: 'parsed',
        parse: portOf,
        brief: 'Port of the API, 0 for a free one',
        placeholder: 'PORT',
        default: '4280',
      },
      host: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Address to listen on',
        placeholder: 'ADDRESS',
        default: '127.0.0.1',
      },
      faults: optionalText('JSON file of what is to go wrong', 'FILE'),
      latency: {
        kind: 'parsed',
        parse: parseText,
        brief: 'How slow it is: instant, fly, fly-lagging, or a JSON file with times',
        placeholder: 'PROFILE|FILE',
        default: 'instant',
        proposeCompletions: (partial: string) =>
          ['instant', 'fly', 'fly-lagging'].filter((word) => word.startsWith(partial)),
      },
      data: optionalText('Folder that apps and machines are kept in; in memory when absent', 'FOLDER'),
      rateLimits: { kind: 'boolean', brief: 'Hold clients to the documented rates', default: true },
      run: optionalText('Command of the shell that a machine runs; an imagined idle process when absent', 'COMMAND'),
      org: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Organization that the token is good for',
        placeholder: 'SLUG',
        default: 'personal',
      },
      token: optionalText('Token to accept; made anew when absent', 'TOKEN'),
      output: {
        kind: 'enum',
        values: ['text', 'json'],
        brief: 'json prints URL and tokens as one line',
        default: 'text',
      },
    },
    aliases: { o: 'output' },
  },
  docs: {
    brief: 'Run an emulator of the Fly Machines API',
    fullDescription: [
      'Prints where it is and the tokens for it, and goes on until it is stopped. Point FLY_FLAPS_BASE_URL at it.',
      '',
      'Examples:',
      '  spritectl fly-emulator',
      '  spritectl fly-emulator --port 0 --latency fly --faults faults.json --output json',
      '  spritectl fly-emulator --data ./fly --run "node worker.mjs"',
    ].join('\n'),
  },
})
