/** Runs `spritectl delete`. */
import { hasReason } from '../../api/errors.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient, type ObjectClient } from '../api/objects.ts'
import { warningLine } from '../api/warnings.ts'
import { batchOf, type BatchItem } from '../batch.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { namedObject, namespaceFor } from '../kinds.ts'
import { nameText } from '../output.ts'
import { readSources } from '../sources.ts'
import { untilTrue } from '../until.ts'
import type { DeleteFlags } from './delete.ts'
import { problemLine } from '../text.ts'

type Doomed = Pick<BatchItem, 'resource' | 'key'>

/** Runs `spritectl delete`. */
export async function runDelete(context: CliContext, flags: DeleteFlags, kind?: string, name?: string): Promise<void> {
  const connection = await connectionFrom(flags)
  const namespace = flags.namespace ?? connection.namespace
  const client = createObjectClient(connection, (text) => context.process.stderr.write(warningLine(text)))
  try {
    const doomed = await doomedBy(context, { ...flags, ...(namespace === undefined ? {} : { namespace }) }, [
      kind,
      name,
    ])
    const gone: Doomed[] = []
    for (const one of doomed) {
      if (!(await deleteOne(client, one, flags))) continue
      gone.push(one)
      context.process.stdout.write(
        `${nameText(one.resource, one.key.name)} deleted${flags.dryRun === 'none' ? '' : ' (server dry run)'}\n`,
      )
    }
    if (flags.wait && flags.dryRun === 'none') await untilAllGone(context, client, { gone, timeoutMs: flags.timeout })
  } finally {
    client.close()
  }
}

async function doomedBy(
  context: CliContext,
  flags: DeleteFlags,
  [kind, name]: readonly (string | undefined)[],
): Promise<readonly Doomed[]> {
  const { filename } = flags
  if (filename === undefined || filename.length === 0) {
    if (kind === undefined) throw new CliFailure('Usage', 'Name what to delete: KIND NAME, or -f FILE')
    const { resource, name: found } = namedObject(kind, name)
    return [{ resource, key: { namespace: namespaceFor(resource, flags), name: found } }]
  }
  if (kind !== undefined) throw new CliFailure('Usage', 'Name either files with -f, or KIND NAME')
  const { items, problems } = batchOf(await readSources(filename, context), flags)
  if (problems.length > 0) {
    for (const problem of problems) context.process.stderr.write(problemLine(problem))
    throw new CliFailure('BadInput', 'Nothing was deleted')
  }
  // What depends on others goes first.
  return items.toReversed()
}

/** Whether it was there. */
async function deleteOne(client: ObjectClient, { resource, key }: Doomed, flags: DeleteFlags): Promise<boolean> {
  try {
    await client.delete(resource, key, { isDryRun: flags.dryRun === 'server' })
    return true
  } catch (error) {
    if (flags.ignoreNotFound && hasReason(error, 'NotFound')) return false
    throw error
  }
}

type Leaving = { readonly gone: readonly Doomed[]; readonly timeoutMs: number }

async function untilAllGone(context: CliContext, client: ObjectClient, { gone, timeoutMs }: Leaving): Promise<void> {
  const deadline = context.clock.monotonic() + timeoutMs
  for (const { resource, key } of gone) {
    const timeLeftMs = Math.max(0, deadline - context.clock.monotonic())
    const isGone = await untilTrue(context, timeLeftMs, async () => (await client.find(resource, key)) === undefined)
    if (!isGone)
      throw new CliFailure(
        'TimedOut',
        `${nameText(resource, key.name)} is still going: see "spritectl describe ${resource.singular} ${key.name}"`,
      )
  }
}
