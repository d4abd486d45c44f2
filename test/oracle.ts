/** Starts a genuine apiextensions-apiserver for tests where it is present, and stops all of it by process id. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { KindDefinition } from '../controller/api/define-kind.ts'
import { crdOf, resourceOf } from '../controller/api/resource-of.ts'
import { realClock } from '../system/clock.ts'

/** Where the oracle lies, relative to the repository; ORACLE_DIR says otherwise. */
const FOLDER = process.env['ORACLE_DIR'] ?? path.resolve(import.meta.dirname, '../../shared/oracle')
/** Where the oracle answers over plain http. */
export const ORACLE_URL = process.env['ORACLE_URL'] ?? 'http://127.0.0.1:8102'

export type Reply = { readonly code: number; readonly body: OracleBody; readonly warnings: readonly string[] }

/** What tests read of an answer: an object, or a Status with causes. */
export type OracleBody = {
  readonly message?: string
  readonly reason?: string
  readonly metadata?: { readonly resourceVersion?: string }
  readonly spec?: unknown
  readonly status?: unknown
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly field?: string; readonly message?: string }[]
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export type Oracle = {
  /** `contentType`: application/json unless it is a patch. */
  send(method: Method, url: string, body?: unknown, contentType?: string): Promise<Reply>
  stop(): Promise<void>
}

/** Why the oracle cannot be started here; undefined when it can. */
export function oracleAbsence(): string | undefined {
  if (!existsSync(path.join(FOLDER, 'run-oracle.sh'))) return `no oracle at ${FOLDER}; set ORACLE_DIR`
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  const missing = ['etcd', 'openssl', 'xz', 'curl'].find(
    (tool) => !folders.some((folder) => existsSync(path.join(folder, tool))),
  )
  return missing === undefined ? undefined : `no ${missing} on PATH; Debian has etcd in etcd-server`
}

/** Whoever holds this port holds those of the oracle; a process that dies lets go of it. */
const TURN_PORT = 18_442
const TURN_LOOK_MS = 200

/** Waits until no other test uses the oracle's ports; the result gives them free. */
async function turn(): Promise<() => Promise<void>> {
  for (;;) {
    const server = createServer()
    const isOurs = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(TURN_PORT, '127.0.0.1', () => resolve(true))
    })
    if (isOurs) return () => new Promise((resolve) => void server.close(() => resolve()))
    await realClock.sleep(TURN_LOOK_MS)
  }
}

/**
 * Starts the oracle on its fixed ports, one at a time on this machine, with its data in a temporary folder. Throws when
 * it does not come up.
 */
export async function startOracle(): Promise<Oracle> {
  const endTurn = await turn()
  try {
    const oracle = await start()
    const stop = async (): Promise<void> => {
      try {
        await oracle.stop()
      } finally {
        await endTurn()
      }
    }
    return { ...oracle, stop }
  } catch (error) {
    await endTurn()
    throw error
  }
}

async function start(): Promise<Oracle> {
  const folder = await mkdtemp(path.join(tmpdir(), 'oracle-'))
  const stop = async (): Promise<void> => {
    await stopAll(folder)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const script = spawn('bash', [path.join(FOLDER, 'run-oracle.sh'), folder], { stdio: 'ignore' })
  const code = await new Promise<number | null>((resolve) => script.once('close', resolve))
  if (code === 0 && (await isAlive(folder))) return { send, stop }
  await stop()
  throw new Error(`Cannot start the oracle: its script ended with "${code}"; are ports 8102, 18443 and 22379 free?`)
}

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const LOOK_MS = 50
const LOOKS_MAX = 600

/** Makes the oracle serve these kinds, with namespaced ones in acme. Throws when it refuses one. */
export async function installKinds(oracle: Oracle, kinds: readonly KindDefinition[]): Promise<void> {
  for (const kind of kinds) {
    const { code, body } = await oracle.send('POST', CRDS, crdOf(resourceOf(kind), kind.reasons))
    if (code !== 201) throw new Error(`The oracle refuses the CRD of ${kind.kind}: ${body.message}`)
  }
  for (const kind of kinds) await served(oracle, kind)
}

/** A CRD is established a moment before its endpoint is served. */
async function served(oracle: Oracle, kind: KindDefinition): Promise<void> {
  const where = kind.scope === 'Namespaced' ? 'namespaces/acme/' : ''
  for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
    if ((await oracle.send('GET', `/apis/${kind.apiVersion}/${where}${kind.plural}`)).code === 200) return
    await realClock.sleep(LOOK_MS)
  }
  throw new Error(`The oracle does not serve ${kind.kind}`)
}

/** Whether all of it runs: something else on its ports would answer the script too. */
async function isAlive(folder: string): Promise<boolean> {
  const pids = await pidsIn(folder)
  return pids.length === 3 && pids.every(isRunning)
}

async function stopAll(folder: string): Promise<void> {
  const pids = await pidsIn(folder)
  for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  // A killed process is gone when nobody can signal it any more; init reaps it. Bounded: a zombie is harmless.
  for (let tries = 0; tries < 100 && pids.some(isRunning); tries += 1) await nextTick()
}

const pidsIn = async (folder: string): Promise<number[]> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.pid'))
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')))
  return texts.map(Number).filter((pid) => Number.isInteger(pid) && pid > 1)
}

const nextTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** What is not served yet is answered in plain text. */
function bodyOf(text: string): OracleBody {
  // The oracle answers with JSON objects; tests look at no more than OracleBody says.
  return text.startsWith('{') ? (JSON.parse(text) as OracleBody) : { message: text }
}

async function send(method: string, url: string, body?: unknown, contentType = 'application/json'): Promise<Reply> {
  const response = await fetch(ORACLE_URL + url, {
    method,
    headers: { 'content-type': contentType, 'user-agent': 'fuzz/1' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const warnings = [...(response.headers.get('warning') ?? '').matchAll(/unknown field \\"([^"]*)\\"/gu)]
  return {
    code: response.status,
    body: bodyOf(await response.text()),
    warnings: warnings.flatMap((match) => match[1] ?? []).sort(),
  }
}
