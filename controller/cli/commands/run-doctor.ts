/** Runs `spritectl doctor`. */
import { ConfigError, readEnvironment, type Environment } from '../../config.ts'
import type { Check } from '../../providers/check.ts'
import { check } from '../../providers/check.ts'
import { imageCheck } from '../../providers/fly/image-check.ts'
import { flyPreflight } from '../../providers/fly/preflight.ts'
import type { CliContext } from '../context.ts'
import { addressChecks } from '../doctor/address-checks.ts'
import { firestoreCheck } from '../doctor/firestore-checks.ts'
import { controlPlaneCheck } from '../doctor/control-plane-check.ts'
import { folderChecks } from '../doctor/folder-checks.ts'
import { redisChecks } from '../doctor/redis-checks.ts'
import { CliFailure } from '../failure.ts'
import { jsonText } from '../output.ts'
import { clean, counted, pad } from '../text.ts'
import type { DoctorFlags } from './doctor.ts'

/** Runs `spritectl doctor`. */
export async function runDoctor(context: CliContext, flags: DoctorFlags): Promise<void> {
  const { stdout, env } = context.process
  const [settings, environment] = settingsCheck(env)
  const local = await folderChecks(flags.data, context.clock, environment)
  const running = await controlPlaneCheck(flags)
  const remote = environment === undefined ? [] : await remoteChecks(context, environment, running.plannedSprites)
  const url = environment?.REDIS_URL
  const redis = url === undefined ? [] : await redisChecks(url)
  const addresses = environment === undefined ? [] : addressChecks(environment)
  const firestore = environment?.STORE === 'firestore' ? [await firestoreCheck(environment)] : []
  const checks = [settings, ...local, ...firestore, ...running.checks, ...addresses, ...redis, ...remote]
  if (flags.output === 'json') stdout.write(jsonText({ checks }))
  else for (const line of linesOf(checks)) stdout.write(`${line}\n`)
  const failed = checks.filter(({ level }) => level === 'fail').length
  if (failed > 0) throw new CliFailure('Environment', `${counted(failed, 'check')} failed: see above what to do`)
}

function settingsCheck(env: CliContext['process']['env']): [Check, Environment | undefined] {
  try {
    return [check('settings', 'ok', 'can be used'), readEnvironment(env)]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [check('settings', 'fail', error.message, 'correct the variable'), undefined]
  }
}

async function remoteChecks(
  { clock }: CliContext,
  environment: Environment,
  plannedSprites: number | undefined,
): Promise<readonly Check[]> {
  const token = environment.FLY_API_TOKEN
  if (token === undefined) return [check('fly', 'ok', 'no FLY_API_TOKEN: machines are processes here, on the emulator')]
  const [fly, image] = await Promise.all([
    flyPreflight({
      baseUrl: environment.FLY_FLAPS_BASE_URL,
      token,
      orgSlug: environment.FLY_ORG,
      appTemplate: environment.FLY_APP,
      regions: environment.FLY_REGIONS.split(','),
      clock,
      plannedSprites,
    }),
    imageCheck(environment.SPRITE_IMAGE, { clock, flyToken: token }),
  ])
  return [...fly, image]
}

function linesOf(checks: readonly Check[]): readonly string[] {
  const width = Math.max(...checks.map(({ name }) => name.length))
  return checks.map(({ name, level, text, fix }) => {
    const advice = fix === undefined ? '' : `: ${clean(fix)}`
    return `${pad(level, 4)}  ${pad(name, width)}  ${clean(text)}${advice}`
  })
}
