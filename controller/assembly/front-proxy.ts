/** Reads by what a cluster's front proxy is known, from files or from the cluster, and goes on reading. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createKubeRegistry } from '../client/kube-registry.ts'
import { createKubeWire } from '../client/kube-wire.ts'
import { ConfigError, type Environment } from '../config.ts'
import { configMapResource } from '../registry/config-maps.ts'
import type { Registry } from '../registry/registry.ts'
import type { FrontProxySource, FrontProxyTrust } from '../server/front-proxy-tls.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { clusterSource } from './cluster-source.ts'
import type { Undo } from './undo.ts'

/** What of the settings says by what a front proxy is known. */
export type FrontProxySettings = Pick<
  Environment,
  | 'REQUESTHEADER_CLIENT_CA_FILE'
  | 'REQUESTHEADER_ALLOWED_NAMES'
  | 'REQUESTHEADER_FROM_CLUSTER'
  | 'KUBECONFIG'
  | 'KUBERNETES_SERVICE_HOST'
>

/** What reading it needs of the process. */
export type FrontProxyPorts = {
  readonly environment: FrontProxySettings
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
}

/** Between two looks, as kube-apiserver's own clients have it. */
const LOOK_MS = 60_000
const CONFIG_MAP = { namespace: 'kube-system', name: 'extension-apiserver-authentication' }
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The front proxy that the settings name; undefined when they name none. Throws ConfigError when it cannot be known. */
export async function openFrontProxy(ports: FrontProxyPorts, undo: Undo): Promise<FrontProxySource | undefined> {
  const read = readerOf(ports, undo)
  return read === undefined ? undefined : await followTrust(read, ports, undo)
}

function readerOf(ports: FrontProxyPorts, undo: Undo): (() => Promise<FrontProxyTrust>) | undefined {
  const { environment, clock, entropy } = ports
  const { REQUESTHEADER_CLIENT_CA_FILE: file, REQUESTHEADER_ALLOWED_NAMES: names } = environment
  if (environment.REQUESTHEADER_FROM_CLUSTER === 'true') {
    const wire = createKubeWire(clusterSource(environment, 'REQUESTHEADER_FROM_CLUSTER is "true"'), clock)
    undo.add(() => wire.close())
    const resources = [configMapResource]
    const registry = createKubeRegistry({ wire, resources, fieldManager: 'sprites', clock, entropy })
    return () => trustOfCluster(registry)
  }
  return file === undefined ? undefined : () => trustOfFile(file, names)
}

/** Follows what is read; a look that fails leaves the last one in force. */
export async function followTrust(
  read: () => Promise<FrontProxyTrust>,
  { clock, log }: Pick<FrontProxyPorts, 'clock' | 'log'>,
  undo: Pick<Undo, 'add'>,
): Promise<FrontProxySource> {
  const listeners = new Set<() => void>()
  const closing = new AbortController()
  let current = await read()
  const look = async (): Promise<void> => {
    try {
      const next = await read()
      if (isSame(next, current)) return
      current = next
      log.info({ names: [...(next.allowedNames ?? [])] }, 'the front proxy is known by other authorities or names now')
      for (const listener of listeners) listener()
    } catch (error) {
      log.warn({ error: String(error) }, 'cannot read by what the front proxy is known: what was read last stays')
    }
  }
  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await clock.sleep(LOOK_MS, closing.signal).catch(() => {})
      if (!closing.signal.aborted) await look()
    }
  }
  const running = run()
  undo.add(async () => {
    closing.abort()
    await running
  })
  return {
    current: () => current,
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const isSame = (one: FrontProxyTrust, other: FrontProxyTrust): boolean =>
  one.ca === other.ca &&
  [...(one.allowedNames ?? ['*'])].sort().join(',') === [...(other.allowedNames ?? ['*'])].sort().join(',')

async function trustOfFile(file: string, names: string): Promise<FrontProxyTrust> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it cannot be read'
    throw new ConfigError(`Check REQUESTHEADER_CLIENT_CA_FILE: cannot read "${file}" (${why})`, { cause })
  })
  const listed = names.split(',').flatMap((name) => name.trim() || [])
  return trustOf(text, listed.includes('*') ? [] : listed, `REQUESTHEADER_CLIENT_CA_FILE: "${file}"`)
}

/** What the cluster's own API server publishes for those that stand behind it. Throws ConfigError and ApiError. */
export async function trustOfCluster(registry: Pick<Registry, 'get'>): Promise<FrontProxyTrust> {
  const map: object = await registry.get(configMapResource, CONFIG_MAP)
  const data = new Map(Object.entries('data' in map && typeof map.data === 'object' ? (map.data ?? {}) : {}))
  const where = `ConfigMap ${CONFIG_MAP.namespace}/${CONFIG_MAP.name}: it`
  const users = namesIn(data.get('requestheader-username-headers'))
  if (!users.some((name) => name.toLowerCase() === 'x-remote-user'))
    throw new ConfigError(
      `Start kube-apiserver with --requestheader-username-headers=X-Remote-User: ${where} lists others`,
    )
  const ca: unknown = data.get('requestheader-client-ca-file')
  return trustOf(typeof ca === 'string' ? ca : '', namesIn(data.get('requestheader-allowed-names')), where)
}

/** A list in JSON, as kube-apiserver writes it. Throws ConfigError for what is none: an empty one would let in more. */
function namesIn(value: unknown): readonly string[] {
  if (value === undefined) return []
  try {
    const list: unknown = typeof value === 'string' ? JSON.parse(value) : undefined
    if (Array.isArray(list) && list.every((name) => typeof name === 'string')) return list
  } catch {
    // Said below.
  }
  throw new ConfigError(`Check ConfigMap ${CONFIG_MAP.namespace}/${CONFIG_MAP.name}: a list of names is no JSON`)
}

function trustOf(text: string, names: readonly string[], where: string): FrontProxyTrust {
  const blocks = text.match(CERTIFICATE) ?? []
  try {
    for (const block of blocks) void new X509Certificate(block)
  } catch (cause) {
    throw new ConfigError(`Check ${where} holds a certificate that cannot be read`, { cause })
  }
  if (blocks.length === 0) throw new ConfigError(`Check ${where} holds no PEM of a certificate`)
  return { ca: `${blocks.join('\n')}\n`, ...(names.length === 0 ? {} : { allowedNames: new Set(names) }) }
}
