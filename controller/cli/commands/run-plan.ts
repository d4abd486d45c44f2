/** Runs `spritectl plan`. */
import type { KubeObject } from '../../api/object.ts'
import { RESOURCES } from '../../kinds/index.ts'
import { loadPersonas } from '../../persona-folder.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient } from '../api/objects.ts'
import { admitBatch } from '../admit-batch.ts'
import { batchOf, identityOf } from '../batch.ts'
import { candidateFrom } from '../candidate.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { builtinPlanObjects, currentFrom } from '../offline.ts'
import { jsonText } from '../output.ts'
import { planFleet, type FleetPlan } from '../plan-fleet.ts'
import { readSources } from '../sources.ts'
import { counted, problemLine, table } from '../text.ts'
import { builtinPersonasFolder } from '../version.ts'
import type { PlanFlags } from './plan.ts'

/** Runs `spritectl plan`. */
export async function runPlan(context: CliContext, flags: PlanFlags, ...paths: string[]): Promise<void> {
  const { stdout, stderr } = context.process
  const before = flags.offline ? builtinPlanObjects() : await currentObjects(flags)
  const batch = batchOf(await readSources(paths, { readStdin: context.readStdin }), { namespace: flags.namespace })
  const builtinAgentTypes = new Set((await loadPersonas(builtinPersonasFolder)).keys())
  const nowMs = context.clock.now()
  const identity = ({ kind, metadata }: KubeObject): string => `${kind}|${metadata.namespace ?? ''}/${metadata.name}`
  const byName = new Map(before.map((object) => [identity(object), object]))
  const candidates = batch.items.map((item) => {
    const { kind } = item.resource
    const candidate = candidateFrom(item, byName.get(`${kind}|${item.key.namespace}/${item.key.name}`))
    return candidate.old === undefined
      ? { ...candidate, object: newObject(candidate.object, timestamp(nowMs)) }
      : candidate
  })
  const current = currentFrom(before)
  const problems = [...batch.problems, ...(await admitBatch(candidates, { current, builtinAgentTypes, nowMs }))]
  if (problems.length > 0) {
    for (const problem of problems) stderr.write(problemLine(problem))
    throw new CliFailure('BadInput', `Nothing to plan: ${counted(problems.length, 'problem')}`)
  }
  const mine = new Map(candidates.map(({ item, object }) => [identityOf(item), object]))
  const after = [...before.filter((object) => !mine.has(keyText(object))), ...mine.values()]
  const plan = planFleet({ before, after, builtinAgentTypes, nowMs, now: timestamp(nowMs) })
  const changes = candidates.map(({ item, old, patch }) => ({
    action: old === undefined ? 'create' : Object.keys(patch ?? {}).length === 0 ? 'none' : 'change',
    kind: item.resource.kind,
    ...(item.key.namespace === '' ? {} : { namespace: item.key.namespace }),
    name: item.key.name,
  }))
  stdout.write(flags.output === 'json' ? jsonText({ changes, ...plan }) : planText(changes, plan))
}

const keyText = ({ kind, metadata }: KubeObject): string =>
  metadata.namespace === undefined ? `${kind}|${metadata.name}` : `${kind}|${metadata.namespace}/${metadata.name}`

/** What does not exist yet has no uid: one is made of its name, so that slots can tell sprites apart. */
const newObject = (object: KubeObject, now: string): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, uid: `new:${keyText(object)}`, creationTimestamp: now },
})

async function currentObjects(flags: PlanFlags): Promise<readonly KubeObject[]> {
  const client = createObjectClient(await connectionFrom(flags))
  try {
    const lists = await Promise.all(RESOURCES.map((resource) => client.list(resource)))
    return lists.flat()
  } finally {
    client.close()
  }
}

type ObjectChange = {
  readonly action: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

function planText(changes: readonly ObjectChange[], { machines, objects, notes }: FleetPlan): string {
  const changed = changes.filter(({ action }) => action !== 'none')
  const moved = machines.filter(({ action }) => action !== 'none')
  const queued = moved.filter(({ action }) => action === 'queue').length
  const resting = machines.length - moved.length
  const lines = [
    ...notes,
    ...titled('Objects', [
      ...changed.map(({ action, kind, namespace = '', name }) => [action, kind, namespace, name, 'it is in the files']),
      ...objects.map(({ action, kind, tenant, name, why }) => [action, kind, tenant, name, why]),
    ]),
    ...titled(
      'Machines',
      moved.map(({ action, tenant, sprite, agentType, position, why }) => [
        position === undefined ? action : `${action} (position ${position})`,
        tenant,
        sprite,
        agentType,
        why,
      ]),
    ),
    `${counted(changed.length + objects.length, 'object')} and ${counted(moved.length - queued, 'machine')} would change, ${counted(queued, 'sprite')} would wait, ${resting} would stay as they are. Nothing was done.`,
  ]
  return `${lines.join('\n')}\n`
}

const titled = (title: string, rows: readonly (readonly string[])[]): string[] =>
  rows.length === 0 ? [] : [`${title}:`, ...table(rows).map((line) => `  ${line}`), '']
