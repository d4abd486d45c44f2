/** Pure: reads and checks the bodies of the emulator's requests; a refusal has Fly's words. */
import { z } from 'zod'
import type { EmulatedConfig } from './model.ts'
import { refusalAnswer, type Answer } from './wire.ts'

const texts = z.record(z.string().max(512), z.string().max(65_536))

const guestSchema = z.object({
  cpu_kind: z.enum(['shared', 'performance']).default('shared'),
  cpus: z.int().default(1),
  memory_mb: z.int().default(256),
})

const configSchema = z.looseObject({
  image: z.string().min(1),
  env: texts.default({}),
  metadata: texts.default({}),
  guest: guestSchema.prefault({}),
  auto_destroy: z.boolean().default(false),
  stop_config: z.object({ signal: z.string().default('SIGINT'), timeout: z.string().default('5s') }).prefault({}),
})

/** Body of the create call. */
export const createSchema = z.object({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$|^[a-z0-9]$/, 'invalid machine name')
    .optional(),
  region: z.string().min(1).default('local'),
  config: configSchema,
  skip_launch: z.boolean().default(false),
})

/** Body of the call that makes an app; docs and clients differ on the name of the name. */
export const createAppSchema = z
  .object({
    name: z.string().optional(),
    app_name: z.string().optional(),
    org_slug: z.string().min(1),
    network: z.string().optional(),
  })
  .transform((body) => ({ name: body.name ?? body.app_name ?? '', orgSlug: body.org_slug, network: body.network }))

/** Body of stop; absent fields are the machine’s own. */
export const stopSchema = z.object({ signal: z.string().optional(), timeout: z.string().optional() })
/** Body of signal. */
export const signalSchema = z.object({ signal: z.string().min(1) })
/** Body of a lease; `ttl` in seconds. */
export const holdSchema = z.object({ ttl: z.coerce.number().optional(), description: z.string().optional() })
/** Body of one metadata key. */
export const valueSchema = z.object({ value: z.string().max(65_536) })
/** Body of a metadata patch; null removes. */
export const metadataSchema = z.object({
  metadata: z.record(z.string().max(512), z.string().max(65_536).nullable()),
  machine_version: z.string().optional(),
})

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

/** The config as the API gives it back, or why Fly would not run it. */
export function normalConfig(config: z.infer<typeof configSchema>): EmulatedConfig | { readonly refused: string } {
  const { cpu_kind: kind, cpus, memory_mb: memoryMb } = config.guest
  const step = kind === 'shared' ? 256 : 1_024
  const minMb = kind === 'shared' ? 256 : 2_048
  const maxMb = cpus * (kind === 'shared' ? 2_048 : 8_192)
  const allowed = kind === 'shared' ? [1, 2, 4, 6, 8] : [1, 2, 4, 6, 8, 10, 12, 14, 16, 32, 64, 128]
  if (!allowed.includes(cpus)) return { refused: `invalid config.guest.cpus, must be one of ${allowed.join(', ')}` }
  if (memoryMb < minMb) return { refused: `invalid config.guest.memory_mb, minimum required ${minMb} MiB` }
  if (memoryMb > maxMb) return { refused: `invalid config.guest.memory_mb, maximum allowed ${maxMb} MiB` }
  if (memoryMb % step !== 0) return { refused: `invalid config.guest.memory_mb, must be a multiple of ${step} MiB` }
  return { ...config, dns: config['dns'] ?? {}, init: config['init'] ?? {} }
}
