/** The actions of the product: sprites/wake and drain, work/cancel and retry, reviews/answer. */
import type { KindDefinition, ObjectOf } from '../../api/define-kind.ts'
import { projectKind } from '../../kinds/project/schema.ts'
import { judgeAnswer } from '../../kinds/review/actions.ts'
import { reviewKind } from '../../kinds/review/schema.ts'
import { judgeDrain, judgeWake } from '../../kinds/sprite/actions.ts'
import { spriteKind, type Sprite } from '../../kinds/sprite/schema.ts'
import { tenantKind } from '../../kinds/tenant/schema.ts'
import { judgeCancel, judgeRetry } from '../../kinds/work/actions.ts'
import { workKind, type Work } from '../../kinds/work/schema.ts'
import type { ServedSubresource } from '../subresources.ts'
import { findObject, resourceFor, servedAction, textField, type ActionPorts, type Asked } from './act.ts'

/** Every action, over the registry. */
export function servedActions(ports: ActionPorts): readonly ServedSubresource[] {
  return [
    servedAction(ports, spriteKind, 'wake', async (asked) => judgeWake(await spriteWorld(ports, asked))),
    servedAction(ports, spriteKind, 'drain', async (asked) => {
      const frozenBy = await ports.frozenBy?.(asked.key.namespace)
      return judgeDrain({ ...asked, sprite: objectOf(spriteKind, asked), frozenBy })
    }),
    servedAction(ports, workKind, 'cancel', (asked) => judgeCancel(objectOf(workKind, asked))),
    servedAction(ports, workKind, 'retry', async (asked) => {
      const work = objectOf(workKind, asked)
      const [dependencies, failed] = await Promise.all([dependenciesOf(ports, work), failedWork(ports, work)])
      return judgeRetry({ nowMs: asked.nowMs, work, dependencies, failed })
    }),
    servedAction(ports, reviewKind, 'answer', (asked) => {
      const comment = textField(asked.fields, 'comment')
      // The schema requires it, and lets these two through.
      const verdict = textField(asked.fields, 'verdict') as 'Approved' | 'ChangesRequested'
      const answer = { verdict, ...(comment === undefined ? {} : { comment }) }
      return judgeAnswer(objectOf(reviewKind, asked), answer, asked.actor.name)
    }),
  ]
}

/** The registry keeps nothing that does not fit the kind's schema. */
const objectOf = <K extends KindDefinition>(_kind: K, { object }: Asked): ObjectOf<K> => object as ObjectOf<K>

async function spriteWorld({ registry, frozenBy }: ActionPorts, asked: Asked) {
  const sprite: Sprite = objectOf(spriteKind, asked)
  const { namespace } = asked.key
  const { project } = sprite.spec
  const tenant = await findObject(registry, tenantKind, { namespace: '', name: namespace })
  const found =
    project === undefined ? undefined : await findObject(registry, projectKind, { namespace, name: project })
  return { nowMs: asked.nowMs, sprite, tenant, project: found, frozenBy: await frozenBy?.(namespace) }
}

/** Failed work that is looked at to say what a retry leaves behind. */
const FAILED_MAX = 1_000

async function failedWork({ registry }: ActionPorts, { metadata }: Work): Promise<readonly Work[]> {
  const options = { namespace: metadata.namespace ?? '', fieldSelector: 'status.phase=Failed', limit: FAILED_MAX }
  const { items } = await registry.list(resourceFor(registry, workKind), options)
  // The registry keeps nothing that does not fit the kind's schema.
  return items as readonly Work[]
}

async function dependenciesOf({ registry }: ActionPorts, work: Work): Promise<readonly Work[]> {
  const namespace = work.metadata.namespace ?? ''
  const found = (work.spec.dependsOn ?? []).map((name) => findObject(registry, workKind, { namespace, name }))
  return (await Promise.all(found)).filter((one) => one !== undefined)
}
