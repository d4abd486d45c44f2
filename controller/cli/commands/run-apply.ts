/** Runs `spritectl apply`. */
import type { CliContext } from '../context.ts'
import { connectionFrom } from '../api/connection.ts'
import { warningLine } from '../api/warnings.ts'
import { applyManifests } from '../apply.ts'
import { CliFailure } from '../failure.ts'
import type { ApplyFlags } from './apply.ts'

/** Runs `spritectl apply`. */
export async function runApply(context: CliContext, flags: ApplyFlags): Promise<void> {
  if (flags.prune && flags.applySet === undefined)
    throw new CliFailure('Usage', 'Name the set to prune with --apply-set: only what was applied under it is deleted')
  const { stdout, stderr } = context.process
  context.process.exitCode = await applyManifests({
    paths: flags.filename,
    write: (text) => stdout.write(text),
    writeError: (text) => stderr.write(text),
    onWarning: (text) => stderr.write(warningLine(text)),
    clock: context.clock,
    connection: await connectionFrom(flags),
    readStdin: context.readStdin,
    namespace: flags.namespace,
    dryRun: flags.dryRun,
    applySet: flags.applySet,
    prune: flags.prune,
    personasFolder: flags.personas,
  })
}
