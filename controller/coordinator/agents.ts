/** The agent types of a tenant: who they are, which may be used, and which model each is to ask. */
import type { Persona } from '../../protocol/persona.ts'
import { isDeleting } from '../api/object.ts'
import { personaKind } from '../kinds/persona/schema.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { limitsOf } from '../kinds/tenant/limits.ts'
import type { Tenant } from '../kinds/tenant/schema.ts'
import type { CoordinatorPorts, CoordinatorSettings } from './ports.ts'
import { getCached } from './reads.ts'

/** A persona in force for a tenant. */
export type Agent = { readonly persona: Persona; readonly isCustom: boolean }

/** The agent of a type: the tenant's own persona where its limits allow them, else the built-in one. */
export async function agentOf(
  ports: CoordinatorPorts,
  tenant: Tenant,
  query: { readonly agentType: string; readonly signal: AbortSignal },
): Promise<Agent | undefined> {
  const { agentType, signal } = query
  if (limitsOf(tenant)?.customPersonas === true) {
    const key = { namespace: tenant.metadata.name, name: agentType }
    const object = await getCached(ports, { kind: personaKind, key, signal })
    if (object !== undefined) return { persona: { name: agentType, ...object.spec }, isCustom: true }
  }
  const persona = ports.personas(agentType)
  return persona === undefined ? undefined : { persona, isCustom: false }
}

/**
 * The agents that a persona may hand off to, in its order: those that the tenant may use and has a sprite for, since
 * work for any other would wait for good.
 */
export async function handOffAgents(
  ports: CoordinatorPorts,
  tenant: Tenant,
  query: { readonly persona: Persona; readonly signal: AbortSignal },
): Promise<Agent[]> {
  const enabled = tenant.spec.config.enabledAgents
  const staffed = await staffedAgentTypes(ports, tenant.metadata.name, query.signal)
  const agentTypes = query.persona.mayHandOffTo.filter(
    (agentType) => staffed.has(agentType) && (enabled?.includes(agentType) ?? true),
  )
  const agents = await Promise.all(
    agentTypes.map((agentType) => agentOf(ports, tenant, { agentType, signal: query.signal })),
  )
  return agents.filter((agent) => agent !== undefined)
}

async function staffedAgentTypes(
  ports: CoordinatorPorts,
  namespace: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const sprites =
    ports.cache?.list(spriteKind, namespace) ?? (await ports.client.list(spriteKind, { namespace }, signal)).items
  return new Set(sprites.filter((sprite) => !isDeleting(sprite)).map((sprite) => sprite.spec.agentType))
}

/** The model for an agent: its own where that may be asked for, else the default. */
export function modelFor(agent: Agent, settings: Pick<CoordinatorSettings, 'defaultModel' | 'models'>): string {
  const { model } = agent.persona
  if (model === undefined) return settings.defaultModel
  return !agent.isCustom || settings.models.includes(model) ? model : settings.defaultModel
}
