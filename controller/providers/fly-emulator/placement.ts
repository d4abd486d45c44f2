/** Pure: where a new machine is put, and every way in which there is no place for it, as data. */
import { z } from 'zod'
import { refuse, type Refusal } from './moves.ts'

const NO_CANDIDATE = 'insufficient resources to create new machine: could not find a candidate host'

/**
 * The refusals that the live service is known for. `regional`: the next region of an ordered list is tried.
 * `at`: which calls meet it.
 */
const SHAPES = {
  region422: { at: 'create', regional: true, status: 422, text: NO_CANDIDATE, code: 'insufficient_capacity' },
  region409: { at: 'create', regional: true, status: 409, text: 'aborted: no capacity', code: undefined },
  region503: { at: 'create', regional: true, status: 503, text: NO_CANDIDATE, code: 'insufficient_capacity' },
  quota403: {
    at: 'create',
    regional: true,
    status: 403,
    text: 'failed to launch VM: organization is over the allowed quota for memory in region {region}',
    code: undefined,
  },
  limit422: {
    at: 'create',
    regional: false,
    status: 422,
    text: 'Your organization has reached its machine limit. Please contact billing@fly.io to increase the limit',
    code: undefined,
  },
  manifest400: {
    at: 'create',
    regional: false,
    status: 400,
    text: 'failed to get manifest {image}: MANIFEST_UNKNOWN: manifest unknown',
    code: undefined,
  },
  guest400: {
    at: 'create',
    regional: false,
    status: 400,
    text: 'invalid_argument: invalid config.guest.memory_mb, minimum required 512 MiB',
    code: undefined,
  },
  volume400: { at: 'volume', regional: false, status: 400, text: 'no capacity in {region}', code: undefined },
  volume412: {
    at: 'create',
    regional: false,
    status: 412,
    text: 'failed_precondition: the host of the volume has not enough room',
    code: 'volume_placement_capacity',
  },
  host409: {
    at: 'start',
    regional: false,
    status: 409,
    text: 'aborted: insufficient CPUs available to fulfill request on the current host',
    code: undefined,
  },
} as const

/** How a lack of room is told. */
export type PlacementShape = keyof typeof SHAPES

const shapes = Object.keys(SHAPES) as [PlacementShape, ...PlacementShape[]] // The keys of a constant.

/** One line about room: where and for whom there is only so much of it. */
export const placementRuleSchema = z.strictObject({
  shape: z.enum(shapes),
  region: z.string().max(64).optional(),
  app: z.string().max(64).optional(),
  /** The beginning of an image. */
  image: z.string().max(1_000).optional(),
  /** So many machines that are not gone have room, counted in the rule's region and app; default 0. */
  room: z.int().min(0).max(10_000_000).default(0),
  /** How many calls meet it; without end when absent. */
  times: z.int().min(1).max(1_000_000).optional(),
  probability: z.number().min(0).max(1).optional(),
})
/** One line about room. */
export type PlacementRule = Readonly<z.infer<typeof placementRuleSchema>>

/** Who asks for room. */
export type PlacementSubject = { readonly app: string; readonly region: string; readonly image: string }

/** The rules about room. */
export interface Placement {
  add(rule: PlacementRule): void
  clear(): void
  rules(): readonly PlacementRule[]
  /** The region that a create gets of its ordered list, or the refusal of the last one tried. */
  place(ask: Omit<PlacementSubject, 'region'> & { readonly regions: readonly string[] }): string | Refusal
  /** The refusal of a start or of a volume; undefined where there is room. */
  refusal(at: 'start' | 'volume', ask: PlacementSubject): Refusal | undefined
  /** How many machines a region still takes for anyone; undefined where nothing limits it. */
  roomIn(region: string): number | undefined
}

/** Counts machines that are not gone, in a region and an app, or in all. */
export type CountMachines = (scope: {
  readonly region?: string | undefined
  readonly app?: string | undefined
}) => number

/** Rules that start so; `random` gives numbers in [0, 1). */
export function createPlacement(
  rules: readonly PlacementRule[],
  random: () => number,
  count: CountMachines,
): Placement {
  type Line = { readonly rule: PlacementRule; left: number }
  const lineOf = (rule: PlacementRule): Line => ({ rule, left: rule.times ?? Infinity })
  let lines = rules.map(lineOf)
  const meets = (line: Line, ask: PlacementSubject): boolean => {
    const { rule } = line
    if (line.left <= 0 || !fits(rule, ask) || count(rule) < rule.room) return false
    if (rule.probability !== undefined && random() >= rule.probability) return false
    line.left--
    lines = lines.filter((other) => other.left > 0)
    return true
  }
  const refusal = (at: string, ask: PlacementSubject): PlacementRule | undefined =>
    lines.find((line) => SHAPES[line.rule.shape].at === at && meets(line, ask))?.rule
  return {
    add: (rule) => {
      lines.push(lineOf(rule))
    },
    clear: () => {
      lines = []
    },
    rules: () => lines.map((line) => line.rule),
    place: ({ regions, ...ask }) => {
      let last: Refusal | undefined
      for (const region of regions) {
        const rule = refusal('create', { ...ask, region })
        if (!rule) return region
        last = toRefusal(rule, { ...ask, region })
        if (!SHAPES[rule.shape].regional) return last
      }
      return last ?? refuse(400, 'invalid_argument: no region')
    },
    refusal: (at, ask) => {
      const rule = refusal(at, ask)
      return rule && toRefusal(rule, ask)
    },
    roomIn: (region) => {
      const limits = lines.filter(({ rule }) => rule.app === undefined && (rule.region ?? region) === region)
      const rooms = limits.map(({ rule }) => Math.max(0, rule.room - count(rule)))
      return rooms.length === 0 ? undefined : Math.min(...rooms)
    },
  }
}

const fits = (rule: PlacementRule, ask: PlacementSubject): boolean =>
  (rule.region === undefined || rule.region === ask.region) &&
  (rule.app === undefined || rule.app === ask.app) &&
  (rule.image === undefined || ask.image.startsWith(rule.image))

function toRefusal(rule: PlacementRule, ask: PlacementSubject): Refusal {
  const { status, text, code } = SHAPES[rule.shape]
  return refuse(status, text.replace('{region}', ask.region).replace('{image}', ask.image), code)
}
