/** Runs `spritectl fly-emulator` until a signal stops it; its machines end with it. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { randomHex, seededEntropy, type Entropy } from '../../../system/entropy.ts'
import { makeFolder } from '../../../system/make-folder.ts'
import { emulatorScriptSchema, type EmulatorScript } from '../../providers/fly-emulator/emulator-script.ts'
import { createFlyEmulator, type FlyEmulator } from '../../providers/fly-emulator/fly-emulator.ts'
import { createIdleRunner } from '../../providers/fly-emulator/idle-runner.ts'
import { LATENCIES, latencyFileSchema, type Latency } from '../../providers/fly-emulator/latency.ts'
import { createProcessRunner } from '../../providers/fly-emulator/process-runner.ts'
import { FLY_RATES } from '../../providers/fly-emulator/rate-limits.ts'
import type { MachineRunner } from '../../providers/fly-emulator/runner.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import type { FlyEmulatorFlags } from './fly-emulator.ts'

/** Runs `spritectl fly-emulator`. */
export async function runFlyEmulator(context: CliContext, flags: FlyEmulatorFlags): Promise<void> {
  const script = flags.faults === undefined ? emulatorScriptSchema.parse({}) : scriptIn(flags.faults)
  const latency = latencyOf(flags.latency)
  const token = flags.token ?? `emulator-${randomHex(context.entropy, 16)}`
  const controlToken = `control-${randomHex(context.entropy, 16)}`
  const emulator = open(context, flags, {
    script,
    latency,
    tokens: [{ token, orgSlug: flags.org }],
    controlToken,
    ...(flags.rateLimits ? { rateLimits: script.rates ?? FLY_RATES } : {}),
  })
  const stopped = new Promise<void>((done) => {
    const end = context.onStop(() => {
      end()
      done()
    })
  })
  try {
    const url = await listen(emulator, flags)
    context.process.stdout.write(greeting(flags, { url, token, controlToken }))
    await stopped
  } finally {
    await emulator.close({ kill: true })
  }
}

type Settings = Pick<Parameters<typeof createFlyEmulator>[0], 'tokens' | 'controlToken' | 'rateLimits'> & {
  readonly script: EmulatorScript
  readonly latency: Latency
}

function open(context: CliContext, flags: FlyEmulatorFlags, settings: Settings): FlyEmulator {
  const { clock } = context
  const folder = flags.data === undefined ? undefined : resolve(flags.data)
  if (folder === undefined && flags.run !== undefined)
    throw new CliFailure('Usage', 'Name a folder with --data: the output of --run goes there')
  if (folder !== undefined) makeData(folder)
  const entropy: Entropy = settings.script.seed === undefined ? context.entropy : seededEntropy(settings.script.seed)
  try {
    return createFlyEmulator({
      ...settings,
      clock,
      entropy,
      orgSlug: flags.org,
      runner: runnerOf(context, flags.run, folder),
      ...(folder === undefined ? {} : { databasePath: join(folder, 'fly-emulator.db') }),
      ...(folder === undefined || flags.run === undefined ? {} : { socketFolder: join(folder, 'api') }),
    })
  } catch (error) {
    if (error instanceof CliFailure) throw error
    throw new CliFailure('Environment', messageOf(error), { cause: error })
  }
}

function makeData(folder: string): void {
  try {
    makeFolder(folder)
  } catch (error) {
    const message = `Cannot make the folder "${folder}" (${messageOf(error)}): choose another with --data`
    throw new CliFailure('Environment', message, { cause: error })
  }
}

function runnerOf(context: CliContext, command: string | undefined, folder: string | undefined): MachineRunner {
  if (command === undefined || folder === undefined) return createIdleRunner()
  return createProcessRunner({
    command: () => ({ file: '/bin/sh', args: ['-c', command] }),
    logFolder: join(folder, 'machines'),
    // The command is the person's own: it finds programs and files where they would.
    homeFolder: process.cwd(),
    ...(context.process.env['PATH'] === undefined ? {} : { path: context.process.env['PATH'] }),
    clock: context.clock,
  })
}

async function listen(emulator: FlyEmulator, { port, host }: FlyEmulatorFlags): Promise<string> {
  try {
    return await emulator.listen(port, host)
  } catch (error) {
    const message = `Cannot listen on ${host}:${port} (${messageOf(error)}): choose another with --port, 0 takes a free one`
    throw new CliFailure('Environment', message, { cause: error })
  }
}

type Found = { readonly url: string; readonly token: string; readonly controlToken: string }

/** Where it is: lines that a shell can read, or one of JSON. */
function greeting(flags: FlyEmulatorFlags, { url, token, controlToken }: Found): string {
  if (flags.output === 'json') return `${JSON.stringify({ url, token, controlToken })}\n`
  return [
    `export FLY_FLAPS_BASE_URL=${url}`,
    `export FLY_API_TOKEN=${token}`,
    `# Control API: ${url}/_emulator/ with the token ${controlToken}`,
    '',
  ].join('\n')
}

function scriptIn(file: string): EmulatorScript {
  return read(file, emulatorScriptSchema, 'faults')
}

function latencyOf(word: string): Latency {
  const known = new Map<string, Latency>(Object.entries(LATENCIES)).get(word)
  return known ?? read(word, latencyFileSchema, 'latency')
}

function read<T>(file: string, schema: z.ZodType<T>, what: string): T {
  const parsed = schema.safeParse(jsonIn(file, what))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const place = issue?.path.join('.') || 'the document'
  throw new CliFailure(
    'BadInput',
    `Cannot use "${file}" for --${what}: ${place}: ${issue?.message ?? 'not as it should be'}`,
  )
}

function jsonIn(file: string, what: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown
  } catch (error) {
    throw new CliFailure('BadInput', `Cannot read "${file}" for --${what} (${messageOf(error)})`, { cause: error })
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
