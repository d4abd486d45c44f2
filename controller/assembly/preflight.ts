/** Checks Fly and the image when a control plane starts, and says in the log what is not as it should be. */
import type { Environment } from '../config.ts'
import type { Check } from '../providers/check.ts'
import { imageCheck } from '../providers/fly/image-check.ts'
import { flyPreflight } from '../providers/fly/preflight.ts'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'

/** Resolves when all is said; never rejects, and nothing waits for it: what fails here fails again, and louder, in use. */
export async function logPreflight(
  environment: Environment,
  { clock, log, fetch }: { readonly clock: Clock; readonly log: Log; readonly fetch?: typeof globalThis.fetch },
): Promise<void> {
  const token = environment.FLY_API_TOKEN
  if (token === undefined) return
  const ports = { clock, ...(fetch === undefined ? {} : { fetch }) }
  const [fly, image] = await Promise.all([
    flyPreflight({
      ...ports,
      token,
      baseUrl: environment.FLY_FLAPS_BASE_URL,
      orgSlug: environment.FLY_ORG,
      appTemplate: environment.FLY_APP,
      regions: environment.FLY_REGIONS.split(','),
    }),
    imageCheck(environment.SPRITE_IMAGE, { ...ports, flyToken: token }),
  ])
  for (const found of [...fly, image]) say(log, found)
}

function say(log: Log, { name, level, text, fix }: Check): void {
  const fields = { check: name, ...(fix === undefined ? {} : { fix }) }
  if (level === 'fail') log.error(fields, `preflight: ${text}`)
  else if (level === 'warn') log.warn(fields, `preflight: ${text}`)
  else log.info(fields, `preflight: ${text}`)
}
