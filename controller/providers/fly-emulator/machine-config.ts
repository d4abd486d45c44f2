/** Pure: a machine's config as it is sent, and as the API gives it back. */
import { z } from 'zod'
import { durationMs } from './durations.ts'
import type { EmulatedConfig } from './model.ts'

const texts = z.record(z.string().max(512), z.string().max(65_536))

const guestSchema = z.looseObject({
  cpu_kind: z.enum(['shared', 'performance']).default('shared'),
  cpus: z.int().default(1),
  memory_mb: z.int().default(256),
})

const mountSchema = z.looseObject({ volume: z.string().optional(), path: z.string().optional() })
const serviceSchema = z.looseObject({ autostop: z.union([z.boolean(), z.enum(['off', 'stop', 'suspend'])]).optional() })
const processSchema = z.looseObject({
  env: texts.optional(),
  ignore_app_secrets: z.boolean().optional(),
  secrets: z.array(z.looseObject({ env_var: z.string(), name: z.string().optional() })).optional(),
})

/** A config as it is sent; fields that we do not know pass. */
export const configSchema = z.looseObject({
  image: z.string().min(1).max(4_096),
  env: texts.nullish().transform((value) => value ?? {}),
  metadata: texts.nullish().transform((value) => value ?? {}),
  size: z.string().optional(),
  guest: guestSchema.nullish(),
  auto_destroy: z.boolean().default(false),
  stop_config: z
    .looseObject({ signal: z.string().default('SIGINT'), timeout: z.string().default('5s') })
    .nullish()
    .transform((value) => value ?? { signal: 'SIGINT', timeout: '5s' }),
  restart: z
    .looseObject({
      policy: z.enum(['no', 'on-failure', 'always']).optional(),
      max_retries: z.int().min(0).max(1_000_000).optional(),
    })
    .optional(),
  init: z
    .looseObject({
      swap_size_mb: z
        .int()
        .min(0)
        .nullish()
        .transform((value) => value ?? undefined),
    })
    .optional(),
  schedule: z.enum(['hourly', 'daily', 'weekly', 'monthly']).optional(),
  mounts: z.array(mountSchema).max(1).optional(),
  services: z.array(serviceSchema).max(100).optional(),
  processes: z.array(processSchema).max(100).optional(),
})
/** A config as it is sent. */
export type SentConfig = z.infer<typeof configSchema>

/** The longest time between a stop's signal and the kill. */
export const STOP_TIMEOUT_MS_MAX = 300_000

/** The config as the API gives it back, or why Fly would not run it. */
export function normalConfig(sent: SentConfig): EmulatedConfig | { readonly refused: string } {
  const { size, guest: given, services, init, ...config } = sent
  if (size !== undefined && given) return { refused: 'config.size and config.guest are exclusive' }
  const guest = given ?? (size === undefined ? DEFAULT_GUEST : guestOfSize(size))
  if (!guest) return { refused: `unknown config.size "${size ?? ''}"` }
  const problem = guestProblem(guest)
  if (problem !== undefined) return { refused: problem }
  const timeoutMs = durationMs(config.stop_config.timeout)
  if (timeoutMs === undefined || timeoutMs > STOP_TIMEOUT_MS_MAX)
    return { refused: 'invalid config.stop_config.timeout, must be a duration of at most 5m' }
  return {
    ...config,
    guest,
    dns: config['dns'] ?? {},
    init: init ?? {},
    ...(services
      ? { services: services.map((service) => ({ ...service, ...answeredAutostop(service.autostop) })) }
      : {}),
  }
}

type Guest = { readonly cpu_kind: 'shared' | 'performance'; readonly cpus: number; readonly memory_mb: number }

const DEFAULT_GUEST: Guest = { cpu_kind: 'shared', cpus: 1, memory_mb: 256 }

/** The guest of a size such as shared-cpu-2x. */
function guestOfSize(size: string): Guest | undefined {
  const found = /^(shared-cpu|performance)-(\d{1,3})x$/.exec(size)
  if (!found) return undefined
  const cpus = Number(found[2])
  return found[1] === 'performance'
    ? { cpu_kind: 'performance', cpus, memory_mb: cpus * 2_048 }
    : { cpu_kind: 'shared', cpus, memory_mb: cpus * 256 }
}

function guestProblem({ cpu_kind: kind, cpus, memory_mb: memoryMb }: Guest): string | undefined {
  const step = kind === 'shared' ? 256 : 1_024
  const minMb = kind === 'shared' ? 256 : 2_048
  const maxMb = cpus * (kind === 'shared' ? 2_048 : 8_192)
  const allowed = kind === 'shared' ? [1, 2, 4, 6, 8] : [1, 2, 4, 6, 8, 10, 12, 14, 16, 32, 64, 128]
  if (!allowed.includes(cpus)) return `invalid config.guest.cpus, must be one of ${allowed.join(', ')}`
  if (memoryMb < minMb) return `invalid config.guest.memory_mb, minimum required ${minMb} MiB`
  if (memoryMb > maxMb) return `invalid config.guest.memory_mb, maximum allowed ${maxMb} MiB`
  if (memoryMb % step !== 0) return `invalid config.guest.memory_mb, must be a multiple of ${step} MiB`
  return undefined
}

/** The API answers with booleans where there is one. */
const answeredAutostop = (value: boolean | string | undefined): { readonly autostop?: boolean | string } =>
  value === undefined ? {} : { autostop: value === 'off' ? false : value === 'stop' ? true : value }
