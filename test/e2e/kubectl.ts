/** Finds the kubectls that are installed, and runs one with a kubeconfig. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'

/** What a command printed and how it ended; 255 when it was cut off. */
export type Run = { readonly code: number; readonly out: string; readonly err: string }

/** Every kubectl there is: the versions that the Google Cloud SDK brings, else the one on PATH. Oldest first. */
export function kubectls(): readonly string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/lib/google-cloud-sdk/bin']
  const versioned = folders
    .filter((folder) => folder.includes('google-cloud-sdk') && existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => /^kubectl\.1\.\d+$/.test(name))
        .map((name) => join(folder, name)),
    )
  if (versioned.length > 0) return [...new Set(versioned)].sort((one, other) => minorOf(one) - minorOf(other))
  const onPath = folders.map((folder) => join(folder, 'kubectl')).find((file) => existsSync(file))
  return onPath === undefined ? [] : [onPath]
}

const minorOf = (kubectl: string): number => Number(kubectl.split('.').at(-1))

/** The oldest, the newest and one between them; all of them with KUBECTL_VERSIONS=all. */
export function matrix(): readonly string[] {
  const all = kubectls()
  if (process.env['KUBECTL_VERSIONS'] === 'all') return all
  return [...new Set([...all.slice(0, 1), ...all.slice(all.length >> 1, (all.length >> 1) + 1), ...all.slice(-1)])]
}

/** The oldest and the newest: what a feature is shown with, where the whole matrix would take too long. */
export function oldestAndNewest(): readonly string[] {
  const all = kubectls()
  return [...new Set([...all.slice(0, 1), ...all.slice(-1)])]
}

/** A kubectl's name for a test's title, such as `kubectl.1.33`. */
export const nameOf = (kubectl: string): string => basename(kubectl)

/** Runs a command with a kubeconfig and nothing else of this process's environment; `input` goes to standard input. */
export function runWith(
  command: string,
  args: readonly string[],
  options: {
    readonly kubeconfig: string
    readonly home: string
    readonly input?: string
    readonly cwd?: string
    readonly env?: Readonly<Record<string, string>>
    readonly timeoutMs?: number
  },
): Promise<Run> {
  const { kubeconfig, home, input, cwd, timeoutMs = 30_000 } = options
  const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig, KUBECTL_KUBERC: 'false', ...options.env }
  return new Promise((resolve) => {
    const child = execFile(command, [...args], { env, cwd, timeout: timeoutMs }, (error, out, err) => {
      // A number is the command's own exit status; anything else is ours, such as the time limit.
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 255 : 0, out, err })
    })
    child.stdin?.end(input ?? '')
  })
}
