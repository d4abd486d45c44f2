/** Adds the controllers to a manager, with what wakes them from outside the objects: machines, sprites, the emulator. */
import { tenantKind } from '../kinds/tenant/schema.ts'
import { createMachineFeed, type MachineFeed } from '../providers/machine-feed.ts'
import { openAnthropicKeys } from './anthropic-keys.ts'
import type { ApiParts } from './apis.ts'
import { addControllers } from './controllers.ts'
import { freezing, type Freeze } from './freeze.ts'
import { pinnedImages } from './image-pins.ts'

/** Between two looks at a tenant's machines, in ms: seldom where the emulator tells by itself. */
const FEED_INTERVAL_MS = { emulated: 5_000, fly: 5_000 } as const

/** Adds the controllers and what wakes them: the machines' feed, sprites that come and go, the emulator's own word. */
export function wireControllers(
  parts: ApiParts & { readonly freeze: Freeze },
  coordinatorUrl: () => string,
): MachineFeed {
  const { clock, log, manager, machines, environment, presence, freeze, share } = parts
  const feed = createMachineFeed({
    provider: machines.provider,
    clock,
    log,
    tenants: () => manager.cache.list(tenantKind).flatMap(({ metadata: { name } }) => (share.owns(name) ? [name] : [])),
    intervalMs: machines.isEmulated ? FEED_INTERVAL_MS.emulated : FEED_INTERVAL_MS.fly,
    onChange: (tenant, machine, previous) => {
      const sprite = (machine ?? previous)?.owner?.sprite
      if (sprite !== undefined) manager.trigger('sprite', { namespace: tenant, name: sprite })
      // Not ours, or ours no more: the tenant says so.
      else manager.trigger('tenant', { namespace: '', name: tenant })
      if (machine === undefined) manager.trigger('slots', { namespace: '', name: tenant })
    },
  })
  addControllers(manager, {
    ...parts,
    provider: freezing(pinnedImages(machines.provider, parts), freeze.frozenBy),
    frozenBy: freeze.frozenBy,
    isDryRun: environment.COLLECT_DRY_RUN === 'true',
    feed,
    shards: share,
    defaults: { image: environment.SPRITE_IMAGE, regions: environment.FLY_REGIONS.split(',') },
    controlPlaneId: parts.identity.controlPlaneId,
    stopTimeoutSeconds: machines.stopTimeoutSeconds,
    coordinatorUrl,
    lookForAnthropicKey: openAnthropicKeys(parts.registry, environment).look,
  })
  presence.onChange((tenant, sprite) => manager.trigger('sprite', { namespace: tenant, name: sprite }))
  machines.onMove((app) => forTenantsOf(parts, app, (tenant) => void feed.refresh(tenant)))
  machines.provider.onStanding?.((app) =>
    forTenantsOf(parts, app, (tenant) => manager.trigger('tenant', { namespace: '', name: tenant })),
  )
  return feed
}

/** Does it for the tenant whose app it is, or for all who share it. */
function forTenantsOf(
  { manager, environment }: Pick<ApiParts, 'manager' | 'environment'>,
  app: string,
  act: (tenant: string) => void,
): void {
  const tenants = manager.isSynced ? manager.cache.list(tenantKind).map((tenant) => tenant.metadata.name) : []
  for (const tenant of tenants) if (environment.FLY_APP.replace('{tenant}', tenant) === app) act(tenant)
}
