/** Holds all machines as they are while somebody has frozen them: a tenant's by its annotation, everything by ours or by FREEZE. */
import { resourceName } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Environment } from '../config.ts'
import type { Manager } from '../engine/manager.ts'
import { FROZEN_ANNOTATION, isFrozen } from '../kinds/marks.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { ProviderError, type MachineProvider } from '../providers/machines.ts'
import { namespaceResource } from '../registry/core.ts'
import type { Registry } from '../registry/registry.ts'
import type { Log } from '../../system/log.ts'
import type { ChangeSource } from './change-source.ts'

/** Who has frozen what. */
export type Freeze = {
  /** Who has frozen the tenant's machines, in words; undefined when nobody has. */
  readonly frozenBy: (tenant: string) => string | undefined
  /** Reads whether everything is frozen, and goes on watching; before that only FREEZE and tenants count. */
  readonly load: () => Promise<void>
  readonly close: () => void
}

/** Who has frozen everything, as it was last seen: for those that are made before the freeze is watched. */
export type FreezeWord = {
  readonly frozenBy: () => string | undefined
  /** Whether our namespace has the annotation. */
  readonly annotated: (isFrozen: boolean) => void
}

const BY_ANNOTATION = `the annotation ${FROZEN_ANNOTATION} of namespace "${SYSTEM_NAMESPACE}"`
const BY_TENANT = `the annotation ${FROZEN_ANNOTATION} of its tenant`

/** The word of one control plane; before anything was seen only FREEZE counts. */
export function createFreezeWord({ FREEZE }: Pick<Environment, 'FREEZE'>): FreezeWord {
  let isAnnotated = false
  return {
    frozenBy: () => (FREEZE === 'true' ? 'the setting FREEZE' : isAnnotated ? BY_ANNOTATION : undefined),
    annotated: (isFrozenNow) => {
      isAnnotated = isFrozenNow
    },
  }
}

/** Who has frozen a tenant's machines, asked of the registry at each call: for answers that must not be a moment behind. */
export function askFreeze(
  registry: Pick<Registry, 'get' | 'resources'>,
  environment: Pick<Environment, 'FREEZE'>,
): (tenant: string) => Promise<string | undefined> {
  const tenants = registry.resources.find(({ kind }) => kind === tenantKind.kind)
  const isMarked = async (resource: ResourceDefinition, name: string): Promise<boolean> => {
    try {
      return isFrozen(await registry.get(resource, { namespace: '', name }))
    } catch (error) {
      if (hasReason(error, 'NotFound')) return false
      throw error
    }
  }
  return async (tenant) => {
    if (environment.FREEZE === 'true') return 'the setting FREEZE'
    if (await isMarked(namespaceResource, SYSTEM_NAMESPACE)) return BY_ANNOTATION
    return tenants !== undefined && (await isMarked(tenants, tenant)) ? BY_TENANT : undefined
  }
}

/** What the freeze is read from. */
export type FreezePorts = {
  readonly environment: Pick<Environment, 'FREEZE'>
  readonly registry: Pick<Registry, 'get'>
  readonly store: ChangeSource
  readonly manager: Pick<Manager, 'cache' | 'trigger'>
  readonly log: Log
  /** Where it is noted besides. */
  readonly freezeWord?: FreezeWord
}

/** The freeze of a control plane; a change of it wakes every tenant and sprite that it is about. */
export function openFreeze(ports: FreezePorts): Freeze {
  const { environment, registry, store, manager, log } = ports
  const word = ports.freezeWord ?? createFreezeWord(environment)
  const namespaces = resourceName(namespaceResource)
  let isAllFrozen = false
  const read = async (): Promise<void> => {
    const before = isAllFrozen
    isAllFrozen = isFrozen(await registry.get(namespaceResource, { namespace: '', name: SYSTEM_NAMESPACE }))
    word.annotated(isAllFrozen)
    if (isAllFrozen === before) return
    log.warn({ frozen: isAllFrozen }, isAllFrozen ? 'all machines are frozen' : 'machines are frozen no more')
    for (const { metadata } of manager.cache.list(tenantKind))
      manager.trigger('tenant', { namespace: '', name: metadata.name })
    for (const { metadata } of manager.cache.list(spriteKind))
      manager.trigger('sprite', { namespace: metadata.namespace ?? '', name: metadata.name })
  }
  const close = store.subscribe((changes) => {
    const isOurs = changes.some(({ record }) => record.collection === namespaces && record.name === SYSTEM_NAMESPACE)
    if (isOurs) void read().catch((error: unknown) => log.warn({ error: String(error) }, 'cannot read the freeze'))
  })
  return {
    load: read,
    close,
    frozenBy: (name) => {
      const tenant = manager.cache.get(tenantKind, { namespace: '', name })
      return word.frozenBy() ?? (tenant !== undefined && isFrozen(tenant) ? BY_TENANT : undefined)
    },
  }
}

const noFleet = (): Promise<never> =>
  Promise.reject(new ProviderError('NotFound', 'The provider has no feed of the fleet'))

/** The provider, past which nothing gets that a freeze forbids, whoever decided it a moment before. */
export function freezing(provider: MachineProvider, frozenBy: Freeze['frozenBy']): MachineProvider {
  const assertThawed = (tenant: string): void => {
    const by = frozenBy(tenant)
    if (by !== undefined) throw new ProviderError('Frozen', `Did nothing to machines of "${tenant}": frozen by ${by}`)
  }
  return {
    list: (...ask) => provider.list(...ask),
    get: (...ask) => provider.get(...ask),
    ...(provider.fleetIsOneList === undefined ? {} : { fleetIsOneList: provider.fleetIsOneList }),
    ...(provider.listFleet === undefined ? {} : { listFleet: (...ask) => provider.listFleet?.(...ask) ?? noFleet() }),
    create: async (spec, ...how) => {
      assertThawed(spec.owner.tenant)
      return await provider.create(spec, ...how)
    },
    start: async (ref, ...how) => {
      assertThawed(ref.tenant)
      await provider.start(ref, ...how)
    },
    stop: async (ref, ...how) => {
      assertThawed(ref.tenant)
      await provider.stop(ref, ...how)
    },
    destroy: async (ref, ...how) => {
      assertThawed(ref.tenant)
      await provider.destroy(ref, ...how)
    },
    removeTenant: async (tenant, signal) => {
      assertThawed(tenant)
      return await provider.removeTenant(tenant, signal)
    },
    ...placeOf(provider, assertThawed),
  }
}

/** What of it a provider has: an app is not made while frozen, how it stands can be asked. */
function placeOf(
  provider: MachineProvider,
  assertThawed: (tenant: string) => void,
): Pick<MachineProvider, 'ensureTenant' | 'standing' | 'onStanding'> {
  const unknown = { app: '', isShared: true, paused: [] }
  return {
    ...(provider.ensureTenant === undefined
      ? {}
      : {
          ensureTenant: async (tenant, ...how) => {
            assertThawed(tenant)
            await provider.ensureTenant?.(tenant, ...how)
          },
        }),
    ...(provider.standing === undefined ? {} : { standing: (tenant) => provider.standing?.(tenant) ?? unknown }),
    ...(provider.onStanding === undefined ? {} : { onStanding: (listener) => provider.onStanding?.(listener) }),
  }
}
