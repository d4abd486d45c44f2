/** Finds addresses in the settings that machines at Fly.io cannot reach. Pure. */
import type { Environment } from '../../config.ts'
import { check, type Check } from '../../providers/check.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|0\.0\.0\.0|\[::\])$/

/** What is looked at of the settings. */
export type Addresses = Pick<Environment, 'FLY_API_TOKEN' | 'FLY_FLAPS_BASE_URL' | 'COORDINATOR_URL' | 'REDIS_URL'>

/** A line for each address that means another computer on each; none where the machines are on this one. */
export function addressChecks(settings: Addresses): readonly Check[] {
  if (settings.FLY_API_TOKEN === undefined || isLoopback(settings.FLY_FLAPS_BASE_URL)) return []
  const { COORDINATOR_URL: coordinator, REDIS_URL: redis } = settings
  const toMachines = 'to a machine at Fly.io this is the machine itself'
  return [
    ...(isLoopback(coordinator)
      ? [
          check(
            'coordinator',
            'fail',
            `"${coordinator}" is loopback: ${toMachines}`,
            'set COORDINATOR_URL to an address that is reached from everywhere',
          ),
        ]
      : []),
    ...(isLoopback(redis)
      ? [
          check(
            'redis address',
            'warn',
            `is loopback: ${toMachines}, so that sprites stay with the Coordinator’s stream`,
            'set REDIS_URL to an address that is reached from everywhere',
          ),
        ]
      : []),
  ]
}

const isLoopback = (url: string | undefined): boolean =>
  url !== undefined && LOOPBACK.test(URL.parse(url)?.hostname ?? '')
