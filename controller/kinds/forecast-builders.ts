/** What tests of forecasts share: an active tenant, sprites that are up, and writes. */
import type { KubeObject } from '../api/object.ts'
import type { ForecastWorld, Foretold } from './forecast-world.ts'
import { planOf, spriteOf, TEST_AGENT_TYPES, TEST_NOW, TEST_NOW_MS, tenantOf, workOf } from './object-builders.ts'
import type { Plan } from './plan/schema.ts'
import type { Sprite } from './sprite/schema.ts'
import { limitsInForce } from './tenant/limits.ts'
import type { TenantObjects } from './tenant/scene.ts'
import type { Tenant } from './tenant/schema.ts'

/** Two plans. */
export const starter = planOf('starter')
/** The larger of them. */
export const growth = planOf('growth')

/** An active tenant on a plan. */
export function activeTenant(plan: Plan, over: Parameters<typeof tenantOf>[0] = {}): Tenant {
  const tenant = tenantOf({ ...over, spec: { plan: plan.metadata.name, ...over.spec } })
  const limits = limitsInForce(tenant, plan)
  return { ...tenant, status: { ...(limits === undefined ? {} : { limits }), ...over.status } }
}

const NOTHING: TenantObjects = { sprites: [], projects: [], work: [], personas: [], users: [], ledger: {} }

/** What forecasts look at: one tenant and what lies in its namespace. */
export function worldOf(inside: Partial<TenantObjects> = {}, tenant = activeTenant(starter)): ForecastWorld {
  return {
    nowMs: TEST_NOW_MS,
    now: TEST_NOW,
    tenants: [tenant],
    plans: [starter, growth],
    inside: () => ({ ...NOTHING, ...inside }),
    builtinAgentTypes: TEST_AGENT_TYPES,
    defaults: { image: 'image', regions: ['ams'] },
  }
}

/** A sprite whose machine is up. */
export const upSprite = (name: string, over: Parameters<typeof spriteOf>[1] = {}): Sprite =>
  spriteOf(name, {
    ...over,
    status: {
      phase: 'Idle',
      idleSince: TEST_NOW,
      machine: {
        name: `${name}-m-1`,
        id: `id-${name}`,
        incarnation: 1,
        specHash: 'h',
        since: TEST_NOW,
        intent: 'Run',
        state: 'started',
        readyTime: TEST_NOW,
      },
      ...over.status,
    },
  })

/** A ledger in which they hold slots. */
export const holding = (...sprites: readonly Sprite[]): TenantObjects['ledger'] => ({
  limit: 2,
  holders: sprites.map(({ metadata }) => ({ uid: metadata.uid, sprite: metadata.name, since: TEST_NOW })),
})

/** Work that a sprite is at. */
export const doing = (name: string, sprite: string) =>
  workOf(name, { status: { phase: 'InProgress', assignedSprite: sprite, incarnation: 1, assignedTime: TEST_NOW } })

/** The writes. */
export const created = (object: KubeObject): Foretold => ({ operation: 'CREATE', object })
/** A delete. */
export const deleted = (object: KubeObject): Foretold => ({ operation: 'DELETE', object, old: object })
/** A change of the spec. */
export const changed = (old: KubeObject, spec: object): Foretold => ({
  operation: 'UPDATE',
  // Stored objects have a spec that is an object.
  object: { ...old, spec: { ...(old.spec as object), ...spec } },
  old,
})
