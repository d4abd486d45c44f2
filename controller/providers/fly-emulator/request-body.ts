/** Pure: reads and checks the bodies of the emulator's requests; a refusal has Fly's words. */
import { z } from 'zod'
import { refusalAnswer, type Answer } from './wire.ts'
import { configSchema } from './machine-config.ts'
import { NEAREST } from './regions.ts'

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$|^[a-z0-9]$/, 'invalid machine name')
  .optional()

const launchFields = {
  config: configSchema,
  skip_launch: z.boolean().default(false),
  skip_secrets: z.boolean().default(false),
  min_secrets_version: z.int().min(0).optional(),
  /** In seconds; the machine is then born held. */
  lease_ttl: z.int().min(0).max(3_600).optional(),
}

/** Absent is the nearest. */
export const regionField = z
  .string()
  .max(256)
  .nullish()
  .transform((list) => list || NEAREST)

/** Body of the create call. */
export const createSchema = z.object({ name, region: regionField, ...launchFields })

/** Body of the update call. */
export const updateSchema = z.object({
  name,
  region: z.string().max(256).optional(),
  current_version: z.string().optional(),
  ...launchFields,
})

/** Body of the call that makes an app; docs and clients differ on the name of the name. */
export const createAppSchema = z
  .object({
    name: z.string().optional(),
    app_name: z.string().optional(),
    org_slug: z.string().min(1),
    network: z.string().max(256).nullish(),
    idempotency_key: z.string().max(256).optional(),
  })
  .transform((body) => ({
    name: body.name ?? body.app_name ?? '',
    orgSlug: body.org_slug,
    network: body.network ?? undefined,
    idempotencyKey: body.idempotency_key,
  }))

/** Signals that an API stop takes. */
const STOP_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const
const SIGNALS = [...STOP_SIGNALS, 'SIGABRT', 'SIGALRM', 'SIGFPE', 'SIGILL', 'SIGPIPE', 'SIGSEGV', 'SIGTRAP'] as const

/** Body of stop; absent fields are the machine’s own. */
export const stopSchema = z.object({ signal: z.enum(STOP_SIGNALS).optional(), timeout: z.string().optional() })

const NUMBERED: ReadonlyMap<number, (typeof SIGNALS)[number]> = new Map([
  [1, 'SIGHUP'],
  [2, 'SIGINT'],
  [3, 'SIGQUIT'],
  [9, 'SIGKILL'],
  [10, 'SIGUSR1'],
  [12, 'SIGUSR2'],
  [15, 'SIGTERM'],
])

/** Body of signal; Fly's own client sends a number. */
export const signalSchema = z.object({
  signal: z.preprocess((value) => (typeof value === 'number' ? NUMBERED.get(value) : value), z.enum(SIGNALS)),
})
/** Body of a lease; `ttl` in seconds. */
export const holdSchema = z.object({ ttl: z.coerce.number().optional(), description: z.string().max(1_000).optional() })
/** Body of one metadata key. */
export const valueSchema = z.object({ value: z.string().max(65_536) })
/** Body of a metadata patch; null removes. */
export const metadataSchema = z.object({
  metadata: z.record(z.string().max(512), z.string().max(65_536).nullable()),
  machine_version: z.string().optional(),
})
/** Body of an exec. */
export const execSchema = z
  .object({ command: z.array(z.string()).optional(), cmd: z.string().optional() })
  .refine((body) => (body.command?.length ?? 0) > 0 || (body.cmd ?? '') !== '', 'command or cmd is required')

/** The body as the schema reads it, or Fly's 400. */
export function readBody<T>(
  schema: z.ZodType<T>,
  body: unknown,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Answer } {
  const parsed = schema.safeParse(body ?? {})
  if (parsed.success) return { ok: true, value: parsed.data }
  const issue = parsed.error.issues[0]
  const words = `invalid_argument: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid body'}`
  return { ok: false, refusal: refusalAnswer(400, words) }
}
