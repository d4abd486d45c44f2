/** Runs command lines in this process against a real API server over a memory store, for the tests of this room. */
import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import type { JsonObject, KubeObject } from '../api/object.ts'
import { productSubresources } from '../assembly/subresources.ts'
import { createLocalClient } from '../client/local.ts'
import type { Client } from '../client/client.ts'
import { RESOURCES } from '../kinds/index.ts'
import { ensureBuiltinPlans } from '../kinds/plan/builtin.ts'
import { CORE_RESOURCES, namespaceResource } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import type { Registry } from '../registry/registry.ts'
import { createApiServer, type ApiServerOptions } from '../server/server.ts'
import { createTokenSet, mintToken } from '../server/tokens.ts'
import { createMemoryStore } from '../store/memory.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import type { Clock } from '../../system/clock.ts'
import { runCli } from './app.ts'
import type { CliContext } from './context.ts'

export type Ran = { readonly code: number; readonly out: string; readonly err: string }

export type RunOptions = {
  readonly stdin?: string
  readonly clock?: Clock
  /** Called with what stops the command, as Ctrl-C does. */
  readonly onStart?: (stop: () => void) => void
  /** Called with each text that is written to standard output. */
  readonly onOut?: (text: string) => void
}

/** A clock whose sleeps are over at once: time passes as fast as it is waited for. */
export function hastyClock(clock = new TestClock()): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (delayMs, fire) => clock.after(delayMs, fire),
    sleep: (delayMs) => clock.advance(delayMs),
  }
}

/** Runs one command line. */
export async function runLine(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  let out = ''
  let err = ''
  const context: CliContext = {
    process: {
      stdout: {
        write: (text) => {
          out += text
          options.onOut?.(text)
        },
      },
      stderr: { write: (text) => void (err += text) },
      env: { STRICLI_NO_COLOR: '1' },
    },
    readStdin: () => Promise.resolve(options.stdin ?? ''),
    clock: options.clock ?? hastyClock(),
    entropy: seededEntropy(7),
    onStop: (stop) => {
      options.onStart?.(stop)
      return () => {}
    },
    exit: () => {},
  }
  const code = await runCli(args, context)
  return { code, out, err }
}

export type CliWorld = {
  readonly url: string
  readonly token: string
  readonly registry: Registry
  readonly client: Client
  /** Runs a command line with --server and --token. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<Ran>
  /** Creates an object as the control plane does, past admission; its status with it. */
  readonly put: (object: KubeObject | JsonObject) => Promise<void>
  /** Moves with every write, of whatever kind. */
  readonly revision: () => Promise<string>
  readonly close: () => Promise<void>
}

const AGENT_TYPES = ['director', 'strategist', 'copywriter', 'editor', 'researcher', 'social-media-manager']

/** A server without controllers: what they would do, a test does itself. */
export async function cliWorld(over: Partial<ApiServerOptions> = {}): Promise<CliWorld> {
  const clock = new TestClock()
  const entropy = seededEntropy(2)
  const registry = createRegistry({
    store: createMemoryStore(),
    resources: [...CORE_RESOURCES, ...RESOURCES],
    clock,
    entropy,
    builtinAgentTypes: new Set(AGENT_TYPES),
  })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'test' })
  await ensureBuiltinPlans(client)
  const { token, record } = mintToken({ name: 'admin', groups: ['system:masters'] }, entropy)
  const server = createApiServer({
    registry,
    authenticate: createTokenSet([record]).authenticate,
    subresources: productSubresources({ registry, clock }),
    log: silentLog,
    metrics: createMetrics(),
    clock,
    entropy,
    ...over,
  })
  const { httpPort = 0 } = await server.listen({ http: { host: '127.0.0.1', port: 0 } })
  const url = `http://127.0.0.1:${httpPort}`
  return {
    url,
    token,
    registry,
    client,
    run: (args, options) => runLine([...args, '--server', url, '--token', token], options),
    put: (object) => putObject(registry, object as KubeObject),
    revision: async () => (await registry.list(namespaceResource)).resourceVersion,
    close: () => server.close(),
  }
}

async function putObject(registry: Registry, object: KubeObject): Promise<void> {
  const resource = [...RESOURCES, namespaceResource].find(({ kind }) => kind === object.kind)
  if (resource === undefined) throw new Error(`No resource of kind "${object.kind}"`)
  const context = { actor: CONTROLLER_ACTOR, fieldManager: 'test' }
  const namespace = object.metadata.namespace ?? ''
  const { resourceVersion: _theirs, ...metadata } = object.metadata
  await registry.create(resource, namespace, { ...object, metadata }, context)
  if (object.status === undefined) return
  const key = { namespace, name: object.metadata.name }
  const patch = { type: 'merge', body: { status: object.status } } as const
  await registry.patch(resource, key, patch, { ...context, subresource: 'status' })
}

/** Writes files into a temporary folder; `remove` takes it away. */
export async function folderWith(
  files: Readonly<Record<string, string>>,
): Promise<{ readonly path: string; readonly remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'spritectl-'))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
