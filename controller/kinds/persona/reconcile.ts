/** The shell of the Persona: digests its text, reads its tenant's plan and the personas around it. */
import { createHash } from 'node:crypto'
import { keyOf, type Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions } from '../../engine/types.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { moved } from '../changes.ts'
import { planKind } from '../plan/schema.ts'
import { publishStatus, SMALL_KIND, type KindPorts } from '../publish.ts'
import { limitsInForce } from '../tenant/limits.ts'
import { tenantKind } from '../tenant/schema.ts'
import { decidePersona, type PersonaWorld } from './decide.ts'
import { personaKind } from './schema.ts'

/** What the Persona's controller needs of the process. */
export type PersonaPorts = KindPorts & {
  /** Agent types that have a built-in persona. */
  readonly builtinAgentTypes: ReadonlySet<string>
}

/** The controller `persona`. */
export function personaController(ports: PersonaPorts): ControllerOptions {
  const personasOf = (namespace: string | undefined): readonly Key[] =>
    ports.cache.list(personaKind, namespace ?? '').map(keyOf)
  return {
    name: 'persona',
    kind: personaKind,
    watches: [
      // Another persona that comes or goes may be what this one hands off to.
      watchOf(personaKind, (persona, previous) =>
        moved(persona, previous, () => undefined) ? personasOf(persona.metadata.namespace) : [],
      ),
      watchOf(tenantKind, (tenant, previous) =>
        moved(tenant, previous, (one) => one.spec.plan) ? personasOf(tenant.metadata.name) : [],
      ),
      watchOf(planKind, (plan, previous) =>
        moved(plan, previous, (one) => one.spec.customPersonas)
          ? ports.cache
              .list(tenantKind)
              .filter((tenant) => tenant.spec.plan === plan.metadata.name)
              .flatMap((tenant) => personasOf(tenant.metadata.name))
          : [],
      ),
    ],
    reconcile: async (key, signal) => {
      const world = observePersona(ports, key)
      if (world === undefined) return DONE
      await publishStatus(ports, personaKind, world.persona, { ...decidePersona(world), signal })
      return DONE
    },
    ...SMALL_KIND,
  }
}

function observePersona(ports: PersonaPorts, key: Key): PersonaWorld | undefined {
  const { cache } = ports
  const persona = cache.get(personaKind, key)
  if (persona === undefined) return undefined
  const tenant = cache.get(tenantKind, { namespace: '', name: key.namespace })
  const plan = tenant && cache.get(planKind, { namespace: '', name: tenant.spec.plan })
  const names = cache.list(personaKind, key.namespace).map((one) => one.metadata.name)
  return {
    persona,
    now: timestamp(ports.clock.now()),
    digest: createHash('sha256').update(canonicalJson(persona.spec)).digest('hex'),
    isPlanned: tenant === undefined ? undefined : limitsInForce(tenant, plan)?.customPersonas,
    agentTypes: new Set([...ports.builtinAgentTypes, ...names]),
  }
}

/** JSON with sorted keys: the same spec has the same digest however its keys were sent. */
const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
