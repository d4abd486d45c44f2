/** Runs `spritectl describe`. */
import type { KubeObject } from '../../api/object.ts'
import { eventResource } from '../../registry/core.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient, pathOf, type ObjectClient } from '../api/objects.ts'
import type { CliContext } from '../context.ts'
import { describeLines, type ShownEvent } from '../describe-text.ts'
import { namedObject, namespaceFor } from '../kinds.ts'
import type { DescribeFlags } from './describe.ts'

/** Runs `spritectl describe`. */
export async function runDescribe(
  context: CliContext,
  flags: DescribeFlags,
  kind: string,
  given?: string,
): Promise<void> {
  const { resource, name } = namedObject(kind, given)
  const connection = await connectionFrom(flags)
  const client = createObjectClient(connection)
  try {
    const namespace = namespaceFor(resource, { namespace: flags.namespace ?? connection.namespace })
    // Not `find`: that it is missing is what is to be said.
    const object = (await client.http.json(pathOf(resource, { namespace, name }))) as KubeObject
    const events = await eventsOf(client, object)
    for (const line of describeLines(object, events, context.clock.now())) context.process.stdout.write(`${line}\n`)
  } finally {
    client.close()
  }
}

/** As kubectl asks: events of objects without a namespace are kept in "default". */
async function eventsOf(client: ObjectClient, { kind, metadata }: KubeObject): Promise<readonly ShownEvent[]> {
  const selector = [
    `involvedObject.name=${metadata.name}`,
    `involvedObject.kind=${kind}`,
    `involvedObject.uid=${metadata.uid}`,
  ].join(',')
  const found = await client.list(eventResource, {
    namespace: metadata.namespace ?? 'default',
    fieldSelector: selector,
  })
  // Events carry their fields beside metadata; what the server lists under events is one.
  return found as unknown as readonly ShownEvent[]
}
