/** Answers the registry's forecast port from the manager's cache; silent while that is not synced. */
import type { Manager } from '../engine/manager.ts'
import type { Cache } from '../engine/types.ts'
import type { Environment } from '../config.ts'
import { GROUP } from '../api/define-kind.ts'
import { forecastIn, isForetold } from '../kinds/forecasts.ts'
import type { ForecastWorld } from '../kinds/forecast-world.ts'
import { personaKind } from '../kinds/persona/schema.ts'
import { planKind } from '../kinds/plan/schema.ts'
import { projectKind } from '../kinds/project/schema.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../kinds/slotledger/schema.ts'
import type { MachineDefaults } from '../kinds/sprite/machine-spec.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { userKind } from '../kinds/user/schema.ts'
import { workKind } from '../kinds/work/schema.ts'
import { namespaceResource } from '../registry/core.ts'
import type { Forecast } from '../registry/forecast.ts'
import type { Clock } from '../../system/clock.ts'
import { timestamp } from '../../system/timestamp.ts'

/** What a forecast is made from; `manager` is asked for late, since it is made after the registry. */
export type ForecastPorts = {
  readonly manager: () => Pick<Manager, 'cache' | 'isSynced'>
  readonly clock: Clock
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly defaults: MachineDefaults
  /** Who has frozen everything, in words; undefined when nobody has. */
  readonly frozenBy: () => string | undefined
}

/** What sprites' machines are made from where they say nothing. */
export const machineDefaults = (environment: Environment): MachineDefaults => ({
  image: environment.SPRITE_IMAGE,
  regions: environment.FLY_REGIONS.split(','),
})

/** The forecast over what was last seen of all objects. */
export function createForecast(ports: ForecastPorts): Forecast {
  return ({ resource, ...change }) => {
    if ((resource.group !== GROUP && resource !== namespaceResource) || !isForetold(resource.kind)) return []
    const manager = ports.manager()
    return manager.isSynced ? forecastIn(worldOf(ports, manager.cache), change) : []
  }
}

function worldOf({ clock, builtinAgentTypes, defaults, frozenBy }: ForecastPorts, cache: Cache): ForecastWorld {
  const nowMs = clock.now()
  return {
    nowMs,
    now: timestamp(nowMs),
    builtinAgentTypes,
    defaults,
    frozenBy: frozenBy(),
    tenants: cache.list(tenantKind),
    plans: cache.list(planKind),
    inside: (namespace) => ({
      sprites: cache.list(spriteKind, namespace),
      projects: cache.list(projectKind, namespace),
      work: cache.list(workKind, namespace),
      personas: cache.list(personaKind, namespace),
      users: cache.list(userKind, namespace),
      ledger: cache.get(slotLedgerKind, { namespace, name: SLOT_LEDGER_NAME })?.status ?? {},
    }),
  }
}
