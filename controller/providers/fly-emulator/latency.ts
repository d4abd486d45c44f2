/** Pure: how long everything takes in an emulator, as data: profiles by name, and the schema of one's own. */
import { z } from 'zod'

const DAY_MS = 86_400_000

const rangeSchema = z
  .strictObject({ min: z.int().min(0).max(DAY_MS), max: z.int().min(0).max(DAY_MS) })
  .refine((range) => range.min <= range.max, { message: 'min must not be above max' })

/** A time in ms, drawn evenly between `min` and `max`. */
export type Range = z.infer<typeof rangeSchema>

const NONE: Range = { min: 0, max: 0 }
const range = rangeSchema.default(NONE)

/** A pace of one's own; what is left out takes no time. */
export const latencySchema = z.strictObject({
  /** From created to starting: space, image. With skip_launch: from created to stopped. */
  launch: range,
  /** From starting to started. */
  boot: range,
  /** From suspended to started. */
  resume: range,
  /** From suspending to suspended. */
  suspend: range,
  /** From the end of the old process to the start of the new one, in an update. */
  update: range,
  /** Between an exit and the start that the restart policy, a restart or a migration makes. */
  restart: range,
  /** Every request waits so long before it takes effect: the way there. */
  request: range,
  /** How far what is read lags behind what is so. */
  readLag: range,
  /** For so long after it was made, an app is not known everywhere. */
  appUnseen: range,
  /** For so long after a change, a boot that names no version may get the secrets before it. */
  secretsLag: range,
  /** Read lag of single regions. */
  regions: z.record(z.string().max(32), z.strictObject({ readLag: rangeSchema })).default({}),
  /** How long a destroyed machine can still be read. */
  destroyedReadableMs: z.int().min(0).max(DAY_MS).default(30_000),
  /** For so long after a stop, start is refused ("machine still active"). */
  startRefusedMs: z.int().min(0).max(DAY_MS).default(0),
  /** The share of resumes that turn out to be cold boots. */
  coldResumes: z.number().min(0).max(1).default(0),
})

/** A pace, complete. */
export type Latency = z.infer<typeof latencySchema>
/** A pace as it is written: what is left out takes no time. */
export type LatencyInput = z.input<typeof latencySchema>
/** The times that are drawn when a machine goes on. */
export type Phase = 'launch' | 'boot' | 'resume' | 'suspend' | 'update' | 'restart'

/** Everything at once: the embedded default. */
const INSTANT: Latency = latencySchema.parse({})

/** What the live service's machines show: seconds in created, under a second to start, start refused after a stop. */
const FLY: Latency = latencySchema.parse({
  launch: { min: 1_000, max: 6_000 },
  boot: { min: 200, max: 900 },
  resume: { min: 200, max: 600 },
  suspend: { min: 1_000, max: 15_000 },
  update: { min: 5_000, max: 20_000 },
  restart: { min: 500, max: 2_000 },
  destroyedReadableMs: 60_000,
  startRefusedMs: 3_000,
})

/** The same behind a network and a store that gossips: round trips, reads that lag, apps that are not known at once. */
const FLY_LAGGING: Latency = {
  ...FLY,
  request: { min: 20, max: 50 },
  readLag: { min: 100, max: 1_200 },
  appUnseen: { min: 0, max: 2_000 },
  secretsLag: { min: 0, max: 2_000 },
  startRefusedMs: 8_000,
  coldResumes: 0.05,
}

/** Paces by name. */
export const LATENCIES = { instant: INSTANT, fly: FLY, 'fly-lagging': FLY_LAGGING } as const
/** A pace’s name. */
export type LatencyProfile = keyof typeof LATENCIES

/** What a file may say: a pace, or changes to a named one. */
export const latencyFileSchema = z.union([
  z
    .looseObject({ extends: z.enum(['instant', 'fly', 'fly-lagging']) })
    .transform(({ extends: base, ...rest }, context) => {
      const read = latencySchema.safeParse({ ...LATENCIES[base], ...rest })
      if (read.success) return read.data
      context.addIssue({ code: 'custom', message: read.error.issues[0]?.message ?? 'not a latency profile' })
      return z.NEVER
    }),
  latencySchema,
])

/** A time of the range; `draw` gives a number in [0, 1) and is asked only where there is something to draw. */
export const drawnMs = ({ min, max }: Range, draw: () => number): number =>
  min === max ? min : min + Math.floor(draw() * (max - min + 1))

/** How far the reads of a machine in this region lag. */
export const readLagOf = (latency: Latency, region: string): Range =>
  (Object.hasOwn(latency.regions, region) ? latency.regions[region]?.readLag : undefined) ?? latency.readLag
