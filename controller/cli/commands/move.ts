/** `spritectl migrate`, `backup` and `restore`: everything from one place to another. */
import { buildCommand } from '@stricli/core'
import { withContext, type CliContext } from '../context.ts'
import { connectionFlags, dataFlag, jsonFlag, parseText } from '../flags.ts'

/** The flags of `spritectl migrate`. */
export type MigrateFlags = {
  readonly from: string
  readonly to: string
  readonly replace: boolean
  readonly output: 'text' | 'json'
}

/** A place; absent: the data folder. */
export type PlaceFlags = { readonly data: string; readonly place?: string; readonly output: 'text' | 'json' }

/** The flags of `spritectl backup`. */
export type BackupFlags = PlaceFlags & {
  readonly running: boolean
  readonly kubeconfig?: string
  readonly server?: string
  readonly token?: string
}

/** The flags of `spritectl restore`. */
export type RestoreFlags = PlaceFlags & { readonly replace: boolean }

const replaceFlag = {
  kind: 'boolean',
  brief: 'Overwrite what differs at the target, and remove what is there alone',
  default: false,
} as const

const placeFlag = {
  kind: 'parsed',
  parse: parseText,
  brief: 'embedded:FOLDER, firestore or cluster, instead of --data',
  placeholder: 'PLACE',
  optional: true,
} as const

const runningFlag = {
  kind: 'boolean',
  brief: 'Ask the control plane that runs, of --data, --kubeconfig or --server, instead of its store',
  default: false,
} as const

const PLACES = [
  'Places: embedded:FOLDER is the data folder of a control plane that is stopped; firestore is the database of',
  'FIRESTORE_PROJECT with the ledger at REDIS_URL; cluster is that of KUBECONFIG, with crds/ installed and the ledger at',
  'REDIS_URL; file:PATH is a backup.',
]
const MOVING = [
  'Stop the control plane at both ends first. Everything is copied with its status and identity, then both places are',
  'read again in full and compared; exit 1 when anything differs. A move that broke off is started again: what is there',
  'already is left alone. What is in the way at the target is told before anything is written.',
]

/** `spritectl migrate`. */
export const migrateCommand = buildCommand<MigrateFlags, [], CliContext>({
  loader: async () => withContext((await import('./run-move.ts')).runMigrate),
  parameters: {
    flags: {
      from: { kind: 'parsed', parse: parseText, brief: 'Where it is', placeholder: 'PLACE' },
      to: { kind: 'parsed', parse: parseText, brief: 'Where it is to be', placeholder: 'PLACE' },
      replace: replaceFlag,
      output: jsonFlag,
    },
    aliases: { o: 'output' },
  },
  docs: {
    brief: 'Move a whole control plane from one store to another, and verify it',
    fullDescription: [
      ...PLACES,
      ...MOVING,
      '',
      'Examples:',
      '  spritectl migrate --from embedded:data --to firestore',
      '  spritectl migrate --from firestore --to embedded:data',
    ].join('\n'),
  },
})

/** `spritectl backup`. */
export const backupCommand = buildCommand<BackupFlags, [string], CliContext>({
  loader: async () => withContext((await import('./run-move.ts')).runBackup),
  parameters: {
    flags: { ...connectionFlags, place: placeFlag, running: runningFlag, output: jsonFlag },
    aliases: { o: 'output' },
    positional: { kind: 'tuple', parameters: [{ parse: parseText, brief: 'File to write', placeholder: 'FILE' }] },
  },
  docs: {
    brief: 'Write everything that is stored into one file, and verify it',
    fullDescription: [
      'The control plane of a data folder must be stopped, or asked by --running; those on Firestore may go on. What is',
      'written is of one instant.',
      'Secrets are encrypted in it as they are in the store: keep identity.json of the data folder (or',
      'CONTROL_PLANE_ID, MASTER_KEY and SECRETS_ENCRYPTION_KEYS) somewhere else, as safe as the secrets themselves.',
      ...PLACES,
      '',
      'Examples:',
      '  spritectl backup fleet.backup --running',
      '  spritectl backup fleet.backup --data data',
      '  spritectl backup --place firestore fleet.backup',
    ].join('\n'),
  },
})

/** `spritectl restore`. */
export const restoreCommand = buildCommand<RestoreFlags, [string], CliContext>({
  loader: async () => withContext((await import('./run-move.ts')).runRestore),
  parameters: {
    flags: { data: dataFlag, place: placeFlag, replace: replaceFlag, output: jsonFlag },
    aliases: { o: 'output' },
    positional: { kind: 'tuple', parameters: [{ parse: parseText, brief: 'Backup to read', placeholder: 'FILE' }] },
  },
  docs: {
    brief: 'Put a backup back into a store, and verify it',
    fullDescription: [
      'Into a new folder it needs CONTROL_PLANE_ID and MASTER_KEY as they are in the identity.json of the old one.',
      ...PLACES,
      ...MOVING,
      '',
      'Examples:',
      '  spritectl restore fleet.backup --data data',
      '  spritectl restore fleet.backup --place firestore',
    ].join('\n'),
  },
})
