/** Finds a Node that runs this project, installs dependencies where they are missing, and runs a file as a child. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { withInstallLock } from './install-lock.mjs'

/** The oldest Node that runs the project: node:sqlite without a warning, and type stripping. */
const NODE_MIN = [24, 15]

class LaunchError extends Error {}

/** Runs a file of a clone; gives its exit code. `cwd` is where the user stands. */
export async function launch({ root, file, args, cwd = process.cwd() }) {
  try {
    if (!isInstalled(root)) {
      await withInstallLock(root, async () => {
        if (!isInstalled(root)) await install(root)
      })
    }
    return await runFile({ node: nodeFor(root), file, args, cwd })
  } catch (error) {
    // What the file system refuses is the user's to mend; anything else is a fault of ours.
    if (!(error instanceof LaunchError) && error.code === undefined) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

/** Runs a file of an installed package, where nothing may be installed; gives its exit code. */
export async function runWithFittingNode({ root, file, args }) {
  if (!isNewEnough(process.versions.node)) {
    process.stderr.write(`Use Node ${NODE_MIN.join('.')} or newer: this is "${process.versions.node}"\n`)
    return 1
  }
  if (!existsSync(file)) {
    process.stderr.write(`Cannot find "${file}": install the package anew (${basename(root)} is incomplete)\n`)
    return 1
  }
  return runFile({ node: process.execPath, file, args, cwd: process.cwd() })
}

const isNewEnough = (version) => {
  const [major = 0, minor = 0] = String(version).split('.').map(Number)
  return major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])
}

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

const bundledNode = (root) =>
  join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

/** Whether node_modules is what the lockfile says, and there is a Node to run with. */
function isInstalled(root) {
  return isFresh(root) && (isNewEnough(process.versions.node) || hasBundledNode(root))
}

/** npm writes the hidden lockfile last: without it an install was cut short. */
function isFresh(root) {
  const wanted = join(root, 'package-lock.json')
  const present = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(present)) return false
  if (statSync(present).mtimeMs >= statSync(wanted).mtimeMs) return true
  // A checkout touches the lockfile without changing it: what counts is what it says.
  const installed = readJson(present)?.packages ?? {}
  const locked = Object.entries(readJson(wanted)?.packages ?? {}).filter(([path]) => path !== '')
  if (locked.length === 0) return false
  return locked.every(([path, { version, optional, link }]) =>
    path in installed ? installed[path].version === version : optional === true || link === true,
  )
}

function hasBundledNode(root) {
  const version = readJson(join(root, 'node_modules', 'node', 'package.json'))?.version
  return version !== undefined && isNewEnough(version) && existsSync(bundledNode(root))
}

function nodeFor(root) {
  if (isNewEnough(process.versions.node)) return process.execPath
  if (hasBundledNode(root)) return bundledNode(root)
  throw new LaunchError(
    `Cannot find Node ${NODE_MIN.join('.')} in node_modules: run "npm ci" and see whether npm blocked its install script`,
  )
}

/** `npm ci` with everything that it says kept back, unless it fails. */
async function install(root) {
  process.stderr.write('Installing dependencies (npm ci), once; this takes about half a minute …\n')
  const { command, args, shell } = npmCommand()
  const flags = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const child = spawn(command, [...args, ...flags], { cwd: root, shell, stdio: ['ignore', 'ignore', 'pipe'] })
  const said = []
  child.stderr.on('data', (chunk) => {
    // Enough to hold npm's reason.
    if (said.length < 100) said.push(chunk)
  })
  const { code, signal, error } = await ended(child)
  if (error !== undefined) throw new LaunchError(`Cannot run npm (${error.code ?? error.message}): is it on the PATH?`)
  if (code === 0 && isInstalled(root)) return
  const why = signal === null ? reasonOf(Buffer.concat(said).toString('utf8')) : `ended by ${signal}`
  throw new LaunchError(`Cannot install dependencies: ${why}; run "npm ci" to see all of it`)
}

/** npm as this process was started by it, else the one on the PATH. */
function npmCommand() {
  const own = process.env.npm_execpath
  if (own !== undefined && /npm-cli\.c?js$/.test(own) && existsSync(own))
    return { command: process.execPath, args: [own], shell: false }
  const isWindows = process.platform === 'win32'
  return { command: isWindows ? 'npm.cmd' : 'npm', args: [], shell: isWindows }
}

/** The line in which npm says why, of the many that it prints. */
function reasonOf(text) {
  const lines = text
    .split('\n')
    .filter((line) => /^npm (error|ERR!)/.test(line))
    .map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim())
    .filter((line) => line !== '' && !/^(code|errno|syscall|A complete log)/.test(line))
  return lines[0] ?? 'npm ci failed'
}

const ended = (child) =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
    child.once('close', (code, signal) => resolve({ code, signal, error: undefined }))
  })

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Runs it as a child with our terminal, passes signals on, and gives its exit code, or 128 + the signal's number. */
async function runFile({ node, file, args, cwd }) {
  // A pipe that closes when we are gone: by kill -9, too (controller/cli/end-with-launcher.ts).
  const env = { ...process.env, SPRITECTL_LAUNCHER: `${process.pid}:3` }
  const child = spawn(node, [file, ...args], { cwd, env, stdio: ['inherit', 'inherit', 'inherit', 'pipe'] })
  const stops = FORWARDED.map((name) => {
    const forward = () => {
      // A terminal sends Ctrl-C to the whole group: the child has it already, and we only wait for it.
      if (name === 'SIGINT' && process.stdin.isTTY) return
      child.kill(name)
    }
    process.on(name, forward)
    return () => process.off(name, forward)
  })
  const { code, signal, error } = await ended(child)
  for (const stop of stops) stop()
  if (error !== undefined) throw new LaunchError(`Cannot run "${node}" (${error.code ?? error.message})`)
  return signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0)
}
