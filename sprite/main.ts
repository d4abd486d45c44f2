/** The sprite's process: reads its environment, wires the ports, maps signals to a drain and the end to an exit code. */
import { bootSchema, SPRITE_EXIT, type BootEnv } from '../protocol/boot.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { createLog } from '../system/log.ts'
import { createAnthropicLlm } from './anthropic.ts'
import { withBus } from './bus-inbox.ts'
import { createCoordinatorClient } from './coordinator-client.ts'
import { createHttp } from './http.ts'
import { redisOpener } from './redis-connection.ts'
import { Sprite } from './sprite.ts'
import { doTask } from './task.ts'
import { SPRITE_VERSION } from './version.ts'

function readBoot(): BootEnv {
  const parsed = bootSchema.safeParse(process.env)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  process.stderr.write(`Set the sprite’s environment: ${problems.join('; ')}\n`)
  process.exit(SPRITE_EXIT.badBoot)
}

/** What the SDK would read by itself must not reach it: the gateway is the only way to a model. */
function dropSdkEnvironment(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('ANTHROPIC_')) delete process.env[name]
}

async function main(): Promise<number> {
  const boot = readBoot()
  dropSdkEnvironment()
  const log = createLog({ level: boot.SPRITE_LOG_LEVEL }).child({
    tenant: boot.SPRITE_TENANT,
    sprite: boot.SPRITE_NAME,
    incarnation: boot.SPRITE_INCARNATION,
  })
  const onCrash = (error: unknown): void => {
    log.error({ message: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'crashed')
    process.exit(SPRITE_EXIT.crashed)
  }
  process.on('uncaughtException', onCrash).on('unhandledRejection', onCrash)
  const system = { clock: realClock, entropy: realEntropy, log }
  const token = boot.SPRITE_TOKEN
  const http = createHttp({ baseUrl: boot.SPRITE_COORDINATOR_URL, token, clock: realClock })
  const llm = createAnthropicLlm(system, { coordinatorUrl: boot.SPRITE_COORDINATOR_URL, token })
  const coordinator = withBus(createCoordinatorClient({ ...system, http }), {
    ...system,
    open: redisOpener(system),
    identity: { uid: boot.SPRITE_UID, incarnation: boot.SPRITE_INCARNATION },
  })
  const sprite = new Sprite(
    {
      ...system,
      coordinator,
      doTask: (task, signal, onProgress) => doTask({ llm, clock: realClock, onProgress }, task, signal),
    },
    { boot, version: SPRITE_VERSION, startedAtMs: Math.round(realClock.now() - process.uptime() * 1_000) },
  )
  const stop = (): void => sprite.stop()
  process.on('SIGTERM', stop).on('SIGINT', stop)
  sprite.start()
  const code = await sprite.done
  http.close()
  return code
}

process.exit(await main())
