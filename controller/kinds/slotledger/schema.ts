/** SlotLedger: which sprites of a tenant may have a running machine, and who waits. One object a tenant. Pure. */
import { z } from 'zod'
import { defineKind, type ObjectOf, type StatusOf } from '../../api/define-kind.ts'
import { countField, observedGenerationField, timeField } from '../fields.ts'

const holder = z.object({
  uid: z.string().max(36).describe('Uid of the sprite: a sprite created anew under the same name is another one.'),
  sprite: z.string().max(253).describe('Name of the sprite.'),
  since: timeField('When it got the slot.'),
  revoke: z
    .enum(['LimitLowered', 'Yield'])
    .optional()
    .describe('Why the slot is asked back: the limit was lowered, or it idles while others wait.'),
  orphanSince: timeField(
    'Since when no sprite of this uid exists; the slot is freed when no machine of it is left.',
  ).optional(),
})

const waiting = z.object({
  uid: z.string().max(36).describe('Uid of the sprite.'),
  sprite: z.string().max(253).describe('Name of the sprite.'),
  since: timeField('Since when it waits.'),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  limit: countField('Machines that the tenant may run at once; null is unlimited.').nullable().optional(),
  heldText: z.string().max(32).optional().describe('Slots held of the limit, as in 2/2.'),
  waitingText: z.string().max(32).optional().describe('How many sprites wait.'),
  holders: z
    .array(holder)
    .max(10000)
    .optional()
    .describe('Sprites that may have a running machine.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['uid'] }),
  spawned: z
    .object({
      month: z.string().max(7).describe('Calendar month (UTC), YYYY-MM.'),
      count: countField('Slots granted in the month.'),
    })
    .optional()
    .describe('How many sprites were given a slot in the month.'),
  shardEpoch: countField(
    'Epoch of the tenant’s shard under which this was written, where several processes share the tenants: an older one writes no more.',
  ).optional(),
  queue: z
    .array(waiting)
    .max(10000)
    .optional()
    .describe('Sprites that wait for a slot, next first.')
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
})

export const slotLedgerKind = defineKind({
  kind: 'SlotLedger',
  plural: 'slotledgers',
  singular: 'slotledger',
  shortNames: ['slots'],
  scope: 'Namespaced',
  description:
    'Which sprites of a tenant may have a running machine, and which wait. Written by the control plane alone, by compare-and-swap.',
  spec: z.object({}).describe('Nothing is declared: the control plane keeps this object.'),
  status,
  columns: [
    {
      name: 'Held',
      type: 'string',
      jsonPath: '.status.heldText',
      description: 'Slots held of the limit.',
    },
    { name: 'Waiting', type: 'string', jsonPath: '.status.waitingText', description: 'How many sprites wait.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  reasons: {},
})

/** Name of the one ledger in each tenant's namespace. */
export const SLOT_LEDGER_NAME = 'slots'

export type SlotLedger = ObjectOf<typeof slotLedgerKind>
export type SlotLedgerStatus = StatusOf<typeof slotLedgerKind>
/** A sprite that holds a slot. */
export type SlotHolder = NonNullable<SlotLedgerStatus['holders']>[number]
/** A sprite that waits for a slot. */
export type SlotWaiter = NonNullable<SlotLedgerStatus['queue']>[number]
