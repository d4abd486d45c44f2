/** Runs every check of the tree side by side, one line each with its time; fails when any of them does. */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import { parseArgs, stripVTControlCharacters } from 'node:util'
import PQueue from 'p-queue'

type Check = { readonly name: string; readonly args: readonly string[] }

const ROOT = path.resolve(import.meta.dirname, '..')
const VITEST = 'node_modules/vitest/vitest.mjs'

/** What is checked; each is a script that this Node runs. The longest comes first. */
const CHECKS: readonly Check[] = [
  { name: 'types', args: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  { name: 'lint', args: ['node_modules/oxlint/bin/oxlint', '--type-aware', '--quiet'] },
  {
    name: 'architecture',
    args: [VITEST, 'run', '--project', 'unit', '--no-color', 'test/architecture.test.ts', 'test/tidy.test.ts'],
  },
  { name: 'format', args: ['node_modules/oxfmt/bin/oxfmt', '--check'] },
  { name: 'generated', args: ['scripts/generate.ts', '--check'] },
]

/** A check that says more than that has said enough. */
const OUTPUT_CHARACTERS_MAX = 60_000

type Result = { readonly isOk: boolean; readonly output: string; readonly tookMs: number }

function run(check: Check): Promise<Result> {
  const startMs = performance.now()
  const { FORCE_COLOR: _none, ...env }: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  return new Promise((resolve) => {
    let output = ''
    const hear = (chunk: Buffer): void => {
      if (output.length < OUTPUT_CHARACTERS_MAX) output += chunk.toString('utf8')
    }
    const end = (isOk: boolean): void => resolve({ isOk, output, tookMs: performance.now() - startMs })
    const child = spawn(process.execPath, check.args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('error', (error) => {
      output += `Cannot run ${check.name}: ${error.message}\n`
      end(false)
    })
    child.once('close', (code) => end(code === 0))
  })
}

function show(check: Check, result: Result): void {
  const seconds = `${(result.tookMs / 1000).toFixed(1)} s`
  console.log(`${result.isOk ? 'ok    ' : 'failed'}  ${check.name.padEnd(14)}${seconds.padStart(8)}`)
  if (!result.isOk) console.log(`${stripVTControlCharacters(result.output).trim()}\n`)
}

/** Runs the checks of these names, or all; true when all passed. */
async function checkAll(names: readonly string[]): Promise<boolean> {
  const unknown = names.filter((name) => !CHECKS.some((check) => check.name === name))
  if (unknown.length > 0) {
    console.error(`Cannot check "${unknown.join(', ')}": choose from ${CHECKS.map(({ name }) => name).join(', ')}`)
    return false
  }
  const chosen = CHECKS.filter((check) => names.length === 0 || names.includes(check.name))
  const queue = new PQueue({ concurrency: Math.max(2, availableParallelism()) })
  const runOne = async (check: Check): Promise<boolean> => {
    const result = await run(check)
    show(check, result)
    return result.isOk
  }
  const results = await Promise.all(chosen.map((check) => queue.add(() => runOne(check))))
  const passed = results.filter(Boolean).length
  console.log(`${passed} checks passed, ${results.length - passed} failed`)
  return passed === results.length
}

const { positionals } = parseArgs({ allowPositionals: true })
if (!(await checkAll(positionals))) process.exitCode = 1
