/** Runs `spritectl migrate`, `backup` and `restore`. */
import { DataFolderError } from '../../assembly/data-folder.ts'
import { TransferError } from '../../assembly/transfer/carried.ts'
import { addressOf, openEnds, type Address } from '../../assembly/transfer/places.ts'
import { transfer, type TransferReport } from '../../assembly/transfer/transfer.ts'
import { readEnvironment } from '../../config.ts'
import { StoreError } from '../../store/store.ts'
import { createLog } from '../../../system/log.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { jsonText } from '../output.ts'
import { counted, table } from '../text.ts'
import { fetchBackup } from './fetch-backup.ts'
import type { BackupFlags, MigrateFlags, PlaceFlags, RestoreFlags } from './move.ts'

/** Runs `spritectl migrate`. */
export const runMigrate = (context: CliContext, flags: MigrateFlags): Promise<void> =>
  inWords(() => move(context, flags, { from: addressOf(flags.from), to: addressOf(flags.to) }))

/** Runs `spritectl backup`. */
export const runBackup = (context: CliContext, flags: BackupFlags, path: string): Promise<void> =>
  inWords(() =>
    flags.running
      ? fetchBackup(context, flags, path)
      : move(context, flags, { from: placeOf(flags), to: { at: 'file', path } }).catch(hintAtRunning(flags)),
  )

/** A data folder is its control plane's alone, which can be asked. */
const hintAtRunning =
  ({ place }: BackupFlags) =>
  (error: unknown): never => {
    if (!(error instanceof StoreError) || error.reason !== 'Unavailable' || place === 'firestore') throw error
    throw new CliFailure('Environment', `Cannot read the store: ${error.message}; or ask what runs, with --running`, {
      cause: error,
    })
  }

/** Runs `spritectl restore`. */
export const runRestore = (context: CliContext, flags: RestoreFlags, path: string): Promise<void> =>
  inWords(() => move(context, flags, { from: { at: 'file', path }, to: placeOf(flags) }))

const placeOf = (flags: PlaceFlags): Address =>
  flags.place === undefined ? { at: 'embedded', folder: flags.data } : addressOf(flags.place)

/** As shells say of a process that Ctrl-C ended. */
const INTERRUPTED = 130

type Ways = { readonly from: Address; readonly to: Address }

async function move(
  context: CliContext,
  flags: { readonly replace?: boolean; readonly output: 'text' | 'json' },
  { from, to }: Ways,
): Promise<void> {
  const { stdout } = context.process
  const stop = new AbortController()
  const stopListening = context.onStop(() => {
    // The second one is of somebody who does not want to wait for what is under way.
    if (stop.signal.aborted) context.exit(INTERRUPTED)
    stop.abort(new CliFailure('BadInput', 'Stopped: start it again to go on'))
  })
  const { clock, entropy } = context
  const log = createLog({ level: 'silent' })
  const ends = await openEnds({ environment: readEnvironment(context.process.env), clock, entropy, log }, from, to)
  try {
    const report = await transfer(ends.source, ends.target, {
      mayReplace: flags.replace ?? false,
      signal: stop.signal,
    })
    const { source, target } = ends
    if (flags.output === 'json') stdout.write(jsonText(jsonOf(report)))
    else stdout.write(textOf(report, { from: source.name, to: target.name }))
    if (report.findings.length > 0)
      throw new CliFailure(
        'BadInput',
        `${counted(report.findings.length, 'difference')} between ${source.name} and ${target.name}: is a control plane at work at one of them?`,
      )
  } finally {
    stopListening()
    await ends.close()
  }
}

function textOf(report: TransferReport, { from, to }: { readonly from: string; readonly to: string }): string {
  const rows = [...report.collections].map(([collection, { written, same }]) => [
    collection,
    String(written),
    String(same),
  ])
  const lines = table([['COLLECTION', 'WRITTEN', 'THERE BEFORE'], ...rows])
  const balances = `${counted(report.balances, 'token balance')} of this month and the last`
  const verdict =
    report.findings.length === 0
      ? `Verified: ${counted(report.compared, 'object')} the same in ${from} and ${to}`
      : report.findings.join('\n')
  return `${[...lines, balances, verdict].join('\n')}\n`
}

const jsonOf = ({ collections, ...rest }: TransferReport): object => ({
  ...rest,
  collections: Object.fromEntries(collections),
})

async function inWords(run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (error instanceof TransferError || error instanceof DataFolderError)
      throw new CliFailure('BadInput', error.message, { cause: error })
    if (error instanceof StoreError)
      throw new CliFailure('Environment', `Cannot use the store: ${error.message}`, { cause: error })
    throw error
  }
}
