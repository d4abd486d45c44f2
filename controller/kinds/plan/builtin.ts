/** The three plans that are there at first start, and how they get there. */
import { GROUP } from '../../api/define-kind.ts'
import { hasReason } from '../../api/errors.ts'
import type { Client } from '../../client/client.ts'
import { planKind, type PlanSpec } from './schema.ts'

const guest = { cpuKind: 'shared', cpus: 1, memoryMb: 512 } as const

/** The plans by name, as resources.md sells them. */
export const BUILTIN_PLANS: ReadonlyMap<string, PlanSpec> = new Map<string, PlanSpec>([
  [
    'starter',
    {
      concurrentSprites: 2,
      agentTypes: 3,
      monthlyTokens: 1_000_000,
      spriteIdleTimeoutSeconds: 60,
      priorityRouting: false,
      priority: 1,
      customPersonas: false,
      sso: false,
      stoppedMachineRetentionSeconds: 0,
      workRetentionDays: 30,
      guest,
      perTenantAnthropicKey: false,
      whenLedgerUnavailable: 'Refuse',
    },
  ],
  [
    'growth',
    {
      concurrentSprites: 4,
      agentTypes: null,
      monthlyTokens: 10_000_000,
      spriteIdleTimeoutSeconds: 300,
      priorityRouting: true,
      priority: 4,
      customPersonas: false,
      sso: false,
      stoppedMachineRetentionSeconds: 3600,
      workRetentionDays: 90,
      guest,
      perTenantAnthropicKey: false,
      whenLedgerUnavailable: 'Refuse',
    },
  ],
  [
    'enterprise',
    {
      concurrentSprites: 10,
      agentTypes: null,
      monthlyTokens: null,
      spriteIdleTimeoutSeconds: 3600,
      priorityRouting: true,
      priority: 10,
      customPersonas: true,
      sso: true,
      stoppedMachineRetentionSeconds: 86_400,
      workRetentionDays: 365,
      guest,
      perTenantAnthropicKey: true,
      whenLedgerUnavailable: 'Refuse',
    },
  ],
])

/** Annotation of the first plan made while the others are not there yet: a first start that died goes on from it. */
export const FIRST_START_ANNOTATION = `${GROUP}/first-start`

/**
 * Stores the built-in plans at first start, which is known by there being no Plan at all: an edited plan is never
 * overwritten, and a deleted one does not come back while any plan is left. A first start that died midway is known
 * by the annotation that it left, and completed. Returns the names that were created.
 */
export async function ensureBuiltinPlans(
  client: Pick<Client, 'list' | 'create' | 'patchMetadata'>,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const { items } = await client.list(planKind, {}, signal)
  const isFirstStart = items.length === 0
  const unfinished = items.find((plan) => plan.metadata.annotations?.[FIRST_START_ANNOTATION] !== undefined)
  if (!isFirstStart && unfinished === undefined) return []
  const present = new Set(items.map((plan) => plan.metadata.name))
  const missing = [...BUILTIN_PLANS].filter(([name]) => !present.has(name))
  const marked = unfinished?.metadata.name ?? missing[0]?.[0]
  const created: string[] = []
  for (const [name, spec] of missing) {
    const annotations = name === marked ? { annotations: { [FIRST_START_ANNOTATION]: 'unfinished' } } : {}
    try {
      await client.create(planKind, { metadata: { name, ...annotations }, spec }, signal)
      created.push(name)
    } catch (error) {
      // Another process has the same first start.
      if (!hasReason(error, 'AlreadyExists')) throw error
    }
  }
  if (marked !== undefined) {
    const done = { annotations: { [FIRST_START_ANNOTATION]: null } }
    await client.patchMetadata(planKind, { namespace: '', name: marked }, done, {}, signal)
  }
  return created
}
