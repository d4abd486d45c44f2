/** Runs `spritectl wait`. */
import type { KubeObject } from '../../api/object.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient } from '../api/objects.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { readyMessage } from '../fleet-view.ts'
import { namedObject, namespaceFor } from '../kinds.ts'
import { nameText } from '../output.ts'
import { untilTrue } from '../until.ts'
import { finalPhase, isAsAwaited, readWaitFor } from '../wait-for.ts'
import type { WaitFlags } from './wait.ts'

/** Runs `spritectl wait`. */
export async function runWait(context: CliContext, flags: WaitFlags, kind: string, given?: string): Promise<void> {
  const wanted = readWaitFor(flags.for)
  const { resource, name } = namedObject(kind, given)
  const connection = await connectionFrom(flags)
  const client = createObjectClient(connection)
  const shown = nameText(resource, name)
  try {
    const namespace = namespaceFor(resource, { namespace: flags.namespace ?? connection.namespace })
    let last: KubeObject | undefined
    const isMet = await untilTrue(context, flags.timeout, async () => {
      last = await client.find(resource, { namespace, name })
      if (last === undefined && wanted.until !== 'delete' && wanted.until !== 'create')
        throw new CliFailure('NotFound', `${resource.kind} "${name}" is not there`)
      const final = finalPhase(last, wanted)
      if (final !== undefined)
        throw new CliFailure('Refused', `${shown} is ${final} and stays so: ${whyOf(last) ?? 'see its conditions'}`)
      return isAsAwaited(last, wanted)
    })
    if (!isMet) {
      const why = whyOf(last)
      throw new CliFailure(
        'TimedOut',
        `Timed out waiting for ${flags.for} of ${shown}${why === undefined ? '' : `: ${why}`}`,
      )
    }
    context.process.stdout.write(`${shown} ${wanted.until === 'delete' ? 'deleted' : 'condition met'}\n`)
  } finally {
    client.close()
  }
}

const whyOf = (object: KubeObject | undefined): string | undefined =>
  object === undefined ? undefined : readyMessage(object as Parameters<typeof readyMessage>[0])
