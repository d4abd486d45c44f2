/** Runs the actions: each is one POST to the object's subresource, and a line that says what follows. */
import type { KindDefinition } from '../../api/define-kind.ts'
import type { JsonObject, KubeObject } from '../../api/object.ts'
import { resourceOf } from '../../api/resource-of.ts'
import { reviewKind } from '../../kinds/review/schema.ts'
import { spriteKind, type Sprite } from '../../kinds/sprite/schema.ts'
import { workKind } from '../../kinds/work/schema.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient, FIELD_MANAGER, pathOf } from '../api/objects.ts'
import type { CliContext } from '../context.ts'
import { namespaceFor } from '../kinds.ts'
import { jsonText, nameText } from '../output.ts'
import type { ActFlags, AnswerFlags } from './act.ts'

type Action = {
  readonly kind: KindDefinition
  readonly name: string
  readonly action: string
  readonly body?: JsonObject
  /** What follows, for the line after the name. */
  readonly told: (object: KubeObject) => string
}

async function act(context: CliContext, flags: ActFlags, asked: Action): Promise<void> {
  const { kind, name, action, body = {} } = asked
  const connection = await connectionFrom(flags)
  const client = createObjectClient(connection)
  try {
    const resource = resourceOf(kind)
    const namespace = namespaceFor(resource, { namespace: flags.namespace ?? connection.namespace })
    const isDryRun = flags.dryRun === 'server'
    const query = { fieldManager: FIELD_MANAGER, ...(isDryRun ? { dryRun: 'All' } : {}) }
    const path = `${pathOf(resource, { namespace, name })}/${action}`
    // The server answers an action with the object that it was asked of.
    const object = (await client.http.json(path, { method: 'POST', query, body })) as KubeObject
    const end = isDryRun ? ' (server dry run)' : ''
    const line = `${nameText(resource, name)} ${asked.told(object)}${end}\n`
    context.process.stdout.write(flags.output === 'json' ? jsonText(object) : line)
  } finally {
    client.close()
  }
}

/** Runs `spritectl wake`. */
export const runWake = (context: CliContext, flags: ActFlags, name: string): Promise<void> =>
  act(context, flags, {
    kind: spriteKind,
    name,
    action: 'wake',
    told: (object) =>
      isUp(object) ? 'is up; its idle time begins anew' : 'is woken: its machine starts as soon as it has a slot',
  })

const isUp = (object: KubeObject): boolean => {
  // The server answers with the sprite.
  const { phase } = (object as Sprite).status ?? {}
  return phase === 'Idle' || phase === 'Working'
}

/** Runs `spritectl drain`. */
export const runDrain = (context: CliContext, flags: ActFlags, name: string): Promise<void> =>
  act(context, flags, {
    kind: spriteKind,
    name,
    action: 'drain',
    told: (object) => {
      // The server answers with the sprite.
      const { machine, currentTask } = (object as Sprite).status ?? {}
      if (machine === undefined) return 'has no machine; none starts before there is work'
      return currentTask === undefined
        ? 'drains: its machine stops'
        : `drains: it finishes ${currentTask}, then its machine stops`
    },
  })

/** Runs `spritectl work cancel`. */
export const runCancel = (context: CliContext, flags: ActFlags, name: string): Promise<void> =>
  act(context, flags, { kind: workKind, name, action: 'cancel', told: () => 'is cancelled' })

/** Runs `spritectl work retry`. */
export const runRetry = (context: CliContext, flags: ActFlags, name: string): Promise<void> =>
  act(context, flags, {
    kind: workKind,
    name,
    action: 'retry',
    told: () => 'is tried again, with all its attempts granted anew',
  })

/** Runs `spritectl review answer`. */
export const runAnswer = (context: CliContext, flags: AnswerFlags, name: string): Promise<void> =>
  act(context, flags, {
    kind: reviewKind,
    name,
    action: 'answer',
    body: {
      spec: { verdict: flags.verdict, ...(flags.comment === undefined ? {} : { comment: flags.comment }) },
    },
    told: () => `is answered: ${flags.verdict}`,
  })
