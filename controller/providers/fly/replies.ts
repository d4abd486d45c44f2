/** Pure: reads the Machines API's replies tolerantly (zod at the edge) and makes Machines of them. */
import { z } from 'zod'
import { parseTimestamp } from '../../../system/timestamp.ts'
import { MACHINE_STATES, type Machine, type MachineExit, type MachineState } from '../machines.ts'
import { provenStamp, readStamp } from './machine-config.ts'

const texts = z.record(z.string(), z.string())

const configSchema = z.object({
  image: z.string().optional(),
  env: texts.nullish(),
  metadata: texts.nullish(),
})

const exitSchema = z.object({
  exit_code: z.number().nullish(),
  oom_killed: z.boolean().nullish(),
  requested_stop: z.boolean().nullish(),
})

const eventSchema = z.object({
  type: z.string().optional(),
  timestamp: z.number(),
  request: z
    .object({
      exit_event: exitSchema.nullish(),
      MonitorEvent: z.object({ exit_event: exitSchema.nullish() }).nullish(),
    })
    .nullish(),
})

/** A machine; only id and name are required, all else may be missing or new. */
export const machineSchema = z.object({
  id: z.string().min(1).max(64),
  name: z.string().max(255),
  state: z.string().catch('unknown'),
  region: z.string().catch(''),
  created_at: z.string().optional().catch(undefined),
  updated_at: z.string().optional().catch(undefined),
  host_status: z.string().nullish().catch(undefined),
  image_ref: z.object({ digest: z.string().nullish() }).nullish().catch(undefined),
  config: configSchema.nullish().catch(undefined),
  incomplete_config: configSchema.nullish().catch(undefined),
  events: z.array(z.unknown()).nullish().catch(undefined),
})
/** A machine as the API tells it. */
export type FlyMachine = z.infer<typeof machineSchema>

/** The list of an app's machines; rows are read one by one, so that a bad one costs only itself. */
export const listSchema = z.array(z.unknown())

/** A page of the organization's feed. The document calls the time of the last change by one name, answers by two. */
export const fleetSchema = z.object({
  machines: z.array(z.unknown()).nullish(),
  next_cursor: z.string().nullish().catch(undefined),
  last_updated_at: z.string().nullish().catch(undefined),
  error_regions: z.array(z.unknown()).nullish(),
})

/** What of a row tells whose it is. */
export const fleetRowSchema = z.object({ app_name: z.string() })

/** An app; only its name is required. */
export const appSchema = z.object({
  name: z.string(),
  network: z.string().nullish(),
  organization: z.object({ slug: z.string().nullish() }).nullish(),
})

/** The answer to a start, which may say `status: "error"` with a 200. */
export const startSchema = z.object({ status: z.string().nullish(), message: z.string().nullish() })

/** An error body; fly-go also reads `message`. */
export const errorSchema = z.object({
  error: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  status: z.string().optional().catch(undefined),
})

const KNOWN_STATES: ReadonlySet<string> = new Set(MACHINE_STATES)

/** Fly's word for a state, or `unknown` for one that is new to us. */
export const machineState = (word: string): MachineState =>
  KNOWN_STATES.has(word) ? (word as MachineState) : /* checked by the set */ 'unknown'

/** Where a machine was found. */
export type FoundAt = { readonly app: string; readonly controlPlaneId: string; readonly isShared?: boolean }

/** A Machine of the port. Its owner is given only when the complete stamp is of this control plane. */
export function toMachine(fly: FlyMachine, at: FoundAt): Machine {
  // While its host cannot be reached, config is null and incomplete_config is what is known.
  const config = fly.config ?? fly.incomplete_config
  const stamp = at.isShared === true ? provenStamp(config) : readStamp(config)
  const exit = lastExit(fly.events ?? [])
  const createdAtMs = parseTimestamp(fly.created_at) ?? 0
  return {
    id: fly.id,
    name: fly.name,
    app: at.app,
    region: fly.region,
    state: machineState(fly.state),
    ...(config?.image === undefined ? {} : { image: pinned(config.image, fly.image_ref?.digest) }),
    createdAtMs,
    updatedAtMs: parseTimestamp(fly.updated_at) ?? createdAtMs,
    ...(stamp?.controlPlane === at.controlPlaneId ? { owner: stamp } : {}),
    ...(exit ? { exit } : {}),
    hostReachable: fly.host_status !== 'unreachable',
  }
}

/** The image with the digest that Fly resolved its tag to. */
const pinned = (image: string, digest: string | null | undefined): string =>
  image.includes('@') || !/^sha256:[0-9a-f]{64}$/.test(digest ?? '') ? image : `${image}@${digest}`

/** The exit with the greatest time, whatever its place in the list; undefined when none is told. */
export function lastExit(events: readonly unknown[]): MachineExit | undefined {
  let last: MachineExit | undefined
  for (const raw of events) {
    const event = eventSchema.safeParse(raw)
    const exit = event.data?.request?.exit_event ?? event.data?.request?.MonitorEvent?.exit_event
    if (!event.success || !exit || (last && last.atMs >= event.data.timestamp)) continue
    last = {
      atMs: event.data.timestamp,
      ...(typeof exit.exit_code === 'number' ? { code: exit.exit_code } : {}),
      ...(typeof exit.oom_killed === 'boolean' ? { oomKilled: exit.oom_killed } : {}),
      ...(typeof exit.requested_stop === 'boolean' ? { requested: exit.requested_stop } : {}),
    }
  }
  return last
}

/** The value of the Authorization header: macaroons go under FlyV1, all else under Bearer; a scheme given is kept off. */
export function authorization(token: string): string {
  const bare = token.trim().replace(/^(?:FlyV1|Bearer)\s+/i, '')
  return /^fm\d[a-z]?_/.test(bare) ? `FlyV1 ${bare}` : `Bearer ${bare}`
}
