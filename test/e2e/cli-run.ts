/** Runs spritectl in a process of its own, for end-to-end tests: to its end, or until the test ends it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** How a run of spritectl ended. */
export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

/** A run under way. */
export type Running = { readonly child: ChildProcess; readonly ended: Promise<Ran> }

/** Starts spritectl with these settings and no others of this process. */
export function beginSpritectl(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'controller/cli/main.ts', ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
  return { child, ended }
}

/** Runs spritectl to its end. */
export const spritectl = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  beginSpritectl(args, env).ended
