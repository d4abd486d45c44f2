/** `spritectl up` and `spritectl serve`: a control plane in this process, with a display or as a service. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { dataFlag, parseText, portOf } from '../flags.ts'

/** The flags of every control plane. */
export type PlaneFlags = {
  readonly data: string
  readonly port: number
  readonly httpPort: number
  readonly host: string
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  readonly personas?: string
}

/** The flags of `spritectl up`. */
export type UpFlags = PlaneFlags & { readonly apply?: readonly string[]; readonly exitWhenDone: boolean }

/** The flags of `spritectl serve`. */
export type ServeFlags = PlaneFlags & { readonly roles?: string }

const planeFlags = {
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
  logLevel: {
    kind: 'enum',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    brief: "What goes to the log: the data folder's control-plane.log, or standard output with serve",
    default: 'info',
  },
  personas: {
    kind: 'parsed',
    parse: parseText,
    brief: 'Folder of personas; the built-in ones when absent',
    placeholder: 'DIR',
    optional: true,
  },
} as const

/** `spritectl up`. */
export const upCommand = buildCommand<UpFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-up.ts')).runUpCommand),
  parameters: {
    flags: {
      ...planeFlags,
      apply: {
        kind: 'parsed',
        parse: parseText,
        brief: 'File or folder of manifests to apply once it is up; may be repeated',
        placeholder: 'FILE|DIR',
        variadic: true,
        optional: true,
      },
      exitWhenDone: { kind: 'boolean', brief: 'End when all work is over', default: false },
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

/** `spritectl serve`. */
export const serveCommand = buildCommand<ServeFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-up.ts')).runServeCommand),
  parameters: {
    flags: {
      ...planeFlags,
      roles: {
        kind: 'parsed',
        parse: parseText,
        brief: 'What this process does, out of api,coordinator,controller; all of it, or what ROLES says, when absent',
        placeholder: 'ROLES',
        optional: true,
      },
    },
  },
  docs: {
    brief: 'Run one of the processes of a control plane, with its log on standard output',
    fullDescription: [
      'The same control plane as `up`, without a display: for a container or a service. Settings come from the',
      'environment: STORE=firestore with FIRESTORE_PROJECT, REDIS_URL, CONTROL_PLANE_ID, MASTER_KEY, FLY_API_TOKEN and',
      'COORDINATOR_URL lets any number of processes share the tenants; STORE=cluster runs on a Kubernetes cluster.',
      '',
      'Examples:',
      '  spritectl serve --host 0.0.0.0',
      '  spritectl serve --roles controller',
    ].join('\n'),
  },
})
