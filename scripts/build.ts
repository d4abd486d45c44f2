/** Bundles sprite and controller into dist/, and starts each once to see that it does. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { rolldown, type OutputOptions } from 'rolldown'
import { SPRITE_EXIT } from '../protocol/boot.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** The sprite as one file. */
export const SPRITE_BUNDLE = 'sprite.mjs'
/** The control plane and spritectl as one file. */
export const CONTROLLER_BUNDLE = 'spritectl.mjs'
/** Flags that the images start Node with; the bundles must work under them. */
export const NODE_FLAGS = ['--disable-proto=delete']

const OUTPUT: OutputOptions = { format: 'esm', minify: true, chunkFileNames: '[name].mjs' }

/**
 * Bundles the sprite into `folder`; returns the file names. The SDK is a file apart, loaded at the first task: a start
 * took 2.5 times the time of bare Node and 60 MiB, with all in one file 3.0 times and 67 MiB, from source 8.6 times and
 * 101 MiB (bare Node 36 ms and 44 MiB; bench/sprite-start.ts measures it). A compile cache gained nothing that showed.
 */
export function buildSprite(folder: string): Promise<readonly string[]> {
  return bundle(join(ROOT, 'sprite/main.ts'), {
    ...OUTPUT,
    dir: folder,
    entryFileNames: SPRITE_BUNDLE,
    codeSplitting: { groups: [{ name: 'sdk', test: /node_modules[\\/]@anthropic-ai[\\/]/ }] },
  })
}

/** Bundles the control plane and spritectl into `folder` with all their packages; returns the file names. */
export function buildController(folder: string): Promise<readonly string[]> {
  return bundle(join(ROOT, 'controller/cli/main.ts'), { ...OUTPUT, dir: folder, entryFileNames: CONTROLLER_BUNDLE })
}

async function bundle(input: string, output: OutputOptions): Promise<readonly string[]> {
  const build = await rolldown({ input, platform: 'node', logLevel: 'warn', onLog: failOnUnresolved })
  try {
    const { output: files } = await build.write(output)
    return files.map((file) => file.fileName)
  } finally {
    await build.close()
  }
}

/** A package that is not in the bundle would be missing in the image. */
function failOnUnresolved(level: string, log: { readonly code?: string; readonly message: string }): void {
  if (log.code === 'UNRESOLVED_IMPORT') throw new Error(`Install or bundle the import: ${log.message}`)
  if (level === 'warn') process.stderr.write(`${log.message}\n`)
}

type Exit = { readonly code: number; readonly stdout: string; readonly stderr: string }

async function run(file: string, argument: readonly string[]): Promise<Exit> {
  const started = promisify(execFile)(process.execPath, [...NODE_FLAGS, file, ...argument], {
    env: {},
    timeout: 20_000,
  })
  return started.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    // execFile rejects with the exit code and what was written.
    (error: Exit) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  )
}

/** Starts the sprite's bundle without an environment: it must say so in one line and exit with its own code. */
export async function checkSprite(folder: string): Promise<void> {
  const { code, stderr } = await run(join(folder, SPRITE_BUNDLE), [])
  if (code !== SPRITE_EXIT.badBoot || !stderr.includes('SPRITE_TOKEN'))
    throw new Error(`Look at the sprite’s bundle: it exited with "${code}" and said "${stderr.slice(0, 500)}"`)
}

/** Asks the controller's bundle for its help. */
export async function checkController(folder: string): Promise<void> {
  const { code, stdout, stderr } = await run(join(folder, CONTROLLER_BUNDLE), ['--help'])
  if (code !== 0 || stdout === '')
    throw new Error(`Look at the controller’s bundle: it exited with "${code}" and said "${stderr.slice(0, 500)}"`)
}

async function main(): Promise<void> {
  const dist = join(ROOT, 'dist')
  await rm(dist, { recursive: true, force: true })
  const sprite = join(dist, 'sprite')
  process.stdout.write(`dist/sprite: ${(await buildSprite(sprite)).join(', ')}\n`)
  await checkSprite(sprite)
  const controller = join(dist, 'controller')
  process.stdout.write(`dist/controller: ${(await buildController(controller)).join(', ')}\n`)
  await checkController(controller)
}

if (process.argv[1] !== undefined && existsSync(process.argv[1]) && import.meta.filename === process.argv[1])
  await main()
