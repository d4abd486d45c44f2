/** Apply sets (KEP-3659): objects that are applied together carry one label, and what left the folder is pruned by it. */
import { createHash } from 'node:crypto'
import { GROUP } from '../api/define-kind.ts'
import type { JsonObject } from '../api/object.ts'
import { RESOURCES } from '../kinds/index.ts'
import type { ObjectClient } from './api/objects.ts'
import { identityOf, printedName, type BatchItem } from './batch.ts'

/** The label that says of which apply set an object is part, as in KEP-3659. */
export const APPLY_SET_LABEL = 'applyset.kubernetes.io/part-of'

/** The id of a set: `applyset-<base64url(sha256("<name>.<namespace>.<kind>.<group>"))>-v1`; ours has no parent object. */
export function applySetId(name: string): string {
  const digest = createHash('sha256').update(`${name}..ApplySet.${GROUP}`).digest('base64url')
  return `applyset-${digest}-v1`
}

/** The label of a set's objects; none without a set. */
export const applySetLabels = (name: string | undefined): JsonObject =>
  name === undefined ? {} : { [APPLY_SET_LABEL]: applySetId(name) }

/** What pruning needs to know. */
export type Pruning = {
  readonly client: ObjectClient
  readonly applySet: string
  readonly kept: readonly BatchItem[]
  readonly dryRun?: 'none' | 'client' | 'server'
  readonly write: (text: string) => void
}

/** Deletes the objects of the set that are not kept, those that depend on others first. */
export async function pruneSet({ client, applySet, kept, dryRun = 'none', write }: Pruning): Promise<void> {
  const names = new Set(kept.map((item) => identityOf(item)))
  for (const resource of RESOURCES.toReversed()) {
    const found = await client.list(resource, { labelSelector: `${APPLY_SET_LABEL}=${applySetId(applySet)}` })
    for (const { metadata } of found) {
      const item = { resource, key: { namespace: metadata.namespace ?? '', name: metadata.name } }
      if (names.has(identityOf(item)) || metadata.deletionTimestamp !== undefined) continue
      if (dryRun !== 'client') await client.delete(resource, item.key, { isDryRun: dryRun === 'server' })
      write(`${printedName(item)} pruned${dryRun === 'none' ? '' : ' (dry run)'}\n`)
    }
  }
}
