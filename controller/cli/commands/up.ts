/** `spritectl up`: brings a whole control plane up in this process. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { dataFlag, parseText, portOf } from '../flags.ts'

/** The flags of `spritectl up`. */
export type UpFlags = {
  readonly data: string
  readonly port: number
  readonly httpPort: number
  readonly host: string
  readonly apply?: readonly string[]
  readonly exitWhenDone: boolean
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  readonly personas?: string
}

/** `spritectl up`. */
export const upCommand = buildCommand<UpFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-up.ts')).runUpCommand),
  parameters: {
    flags: {
      data: { ...dataFlag, brief: 'Folder for the store, the kubeconfig and logs; made when it is not there' },
      port: {
        kind: 'parsed',
        parse: portOf,
        brief: 'Port of the https API, 0 for a free one',
        placeholder: 'PORT',
        default: '8443',
      },
      httpPort: {
        kind: 'parsed',
        parse: portOf,
        brief: 'Port of the http API for browsers, curl and local sprites, 0 for a free one',
        placeholder: 'PORT',
        default: '8787',
      },
      host: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Address to listen on',
        placeholder: 'ADDRESS',
        default: '127.0.0.1',
      },
      apply: {
        kind: 'parsed',
        parse: parseText,
        brief: 'File or folder of manifests to apply once it is up; may be repeated',
        placeholder: 'FILE|DIR',
        variadic: true,
        optional: true,
      },
      exitWhenDone: { kind: 'boolean', brief: 'End when all work is over', default: false },
      logLevel: {
        kind: 'enum',
        values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
        brief: "What goes to the data folder's control-plane.log",
        default: 'info',
      },
      personas: {
        kind: 'parsed',
        parse: parseText,
        brief: 'Folder of personas; the built-in ones when absent',
        placeholder: 'DIR',
        optional: true,
      },
    },
  },
  docs: {
    brief: 'Start a control plane in this process, and show its fleet at work',
    fullDescription: [
      'Brings up the API, the controllers, the Coordinator and a Fly Machines API emulator, with one data folder.',
      'Without ANTHROPIC_API_KEY the rehearsal model answers, and says so.',
      '',
      'Examples:',
      '  spritectl up --apply examples',
      '  spritectl up --port 0 --http-port 0 --data /tmp/fleet --apply examples --exit-when-done',
    ].join('\n'),
  },
})
