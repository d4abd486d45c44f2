/** Starts a Firestore emulator for tests where one is installed, gives each test a project of its own, and stops it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { realClock } from '../../system/clock.ts'

const SDK_FOLDER = '/usr/lib/google-cloud-sdk'
const JAR = 'platform/cloud-firestore-emulator/cloud-firestore-emulator.jar'
const MAIN_CLASS = 'com.google.cloud.datastore.emulator.firestore.CloudFirestore'
const HOST = '127.0.0.1'
const LOOK_MS = 50
const START_MS = 60_000
/** How long it may take to end by itself before it is killed, in ms. */
const STOP_MS = 2000
/** Tries with another port when somebody else was faster. */
const STARTS_MAX = 3

export type FirestoreEmulator = {
  /** `127.0.0.1:PORT`: the value of FIRESTORE_EMULATOR_HOST. */
  readonly host: string
  readonly port: number
  readonly pid: number
  /** A project id that no test has used: its databases are empty. */
  project(): string
  /** Stops answering without closing a connection, as SIGSTOP does. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

/** Why no emulator can be started here; undefined when it can. */
export function emulatorAbsence(): string | undefined {
  if (jarPath() === undefined)
    return 'no Firestore emulator; install google-cloud-cli-firestore-emulator or set FIRESTORE_EMULATOR_JAR'
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.some((folder) => existsSync(join(folder, 'java'))) ? undefined : 'no java on PATH'
}

function jarPath(): string | undefined {
  const roots = [process.env['CLOUDSDK_ROOT_DIR'] ?? SDK_FOLDER, '/usr/local/google-cloud-sdk']
  const jars = [process.env['FIRESTORE_EMULATOR_JAR'], ...roots.map((root) => join(root, JAR))]
  return jars.find((jar) => jar !== undefined && existsSync(jar))
}

/**
 * Starts an emulator on a free port and waits until it answers. Throws when it does not. `rules` is the path of a file
 * that it holds requests without credentials against; `heapMb` is for large fleets.
 */
export async function startFirestoreEmulator({
  rules,
  heapMb = 512,
}: { readonly rules?: string; readonly heapMb?: number } = {}): Promise<FirestoreEmulator> {
  // Otherwise the client asks for the metadata server of Google Cloud, which costs seconds.
  process.env['METADATA_SERVER_DETECTION'] = 'none'
  let output = ''
  for (let start = 0; start < STARTS_MAX; start++) {
    const port = await freePort()
    const child = launch(port, heapMb, rules === undefined ? [] : ['--rules', rules])
    output = ''
    const take = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4000)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    if (await answers(child, port)) return running(child, port)
    await end(child)
  }
  throw new Error(`The Firestore emulator did not start:\n${output}`)
}

function launch(port: number, heapMb: number, more: readonly string[]): ChildProcess {
  const args = [`-Xmx${heapMb}m`, '-Duser.language=en', '-cp', jarPath() ?? '', MAIN_CLASS]
  return spawn('java', [...args, 'start', '--host', HOST, '--port', String(port), ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function running(child: ChildProcess, port: number): FirestoreEmulator {
  const host = `${HOST}:${port}`
  const onExit = (): void => void child.kill('SIGKILL')
  process.once('exit', onExit)
  let projects = 0
  return {
    host,
    port,
    pid: child.pid ?? 0,
    project: () => `test-${process.pid}-${port}-${++projects}`,
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: async () => {
      process.off('exit', onExit)
      await end(child)
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  const cancel = realClock.after(STOP_MS, () => void child.kill('SIGKILL'))
  await gone
  cancel()
}

async function answers(child: ChildProcess, port: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < START_MS; waitedMs += LOOK_MS) {
    if (child.exitCode !== null) return false
    if (await accepts(port)) {
      const response = await fetch(`http://${HOST}:${port}/`).catch(() => undefined)
      if (response?.ok === true && child.exitCode === null) return true
    }
    await realClock.sleep(LOOK_MS)
  }
  return false
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, HOST)
    const tell = (isOpen: boolean) => (): void => {
      socket.destroy()
      resolve(isOpen)
    }
    socket.once('connect', tell(true))
    socket.once('error', tell(false))
  })

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, HOST, () => {
      const address = server.address()
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('No free port')),
      )
    })
  })
