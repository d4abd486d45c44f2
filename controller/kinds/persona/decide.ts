/** Decides the status of a Persona. Pure. */
import { mergeConditions, ready, reconciling, stalled, type ConditionPatch } from '../../api/conditions.ts'
import { nameList } from '../names.ts'
import type { PersonaObject, PersonaStatus } from './schema.ts'

/** How many characters of the digest name a revision. */
const REVISION_CHARS = 12

/** What a Persona's status is decided from. */
export type PersonaWorld = {
  readonly persona: PersonaObject
  /** Timestamp of now. */
  readonly now: string
  /** SHA-256 of the spec, in hex. */
  readonly digest: string
  /** Whether the tenant's plan has custom personas; undefined while tenant or plan are not there. */
  readonly isPlanned: boolean | undefined
  /** Built-in agent types and the tenant's personas. */
  readonly agentTypes: ReadonlySet<string>
}

/** A persona is in force when the plan has custom personas and all that it may hand off to exists. */
export function decidePersona(world: PersonaWorld): { readonly status: PersonaStatus } {
  const { persona, now, digest } = world
  const { generation } = persona.metadata
  const conditions = mergeConditions(persona.status?.conditions, judge(world), { generation, now })
  return { status: { observedGeneration: generation, revision: digest.slice(0, REVISION_CHARS), conditions } }
}

function judge({ persona, isPlanned, agentTypes }: PersonaWorld): readonly ConditionPatch[] {
  if (isPlanned === undefined) return reconciling('TenantNotReady', 'Waits for its tenant and the plan of its tenant')
  if (!isPlanned) return stalled('PlanForbids', 'The plan of the tenant has no custom personas: take a larger plan')
  const unknown = persona.spec.mayHandOffTo.filter((agentType) => !agentTypes.has(agentType))
  if (unknown.length === 0) return ready('InForce', 'Sprites of this agent type use it from their next task on')
  const message = `It may hand off to ${nameList(unknown)}, which no persona is: declare one or change mayHandOffTo`
  return stalled('UnknownHandOff', message)
}
