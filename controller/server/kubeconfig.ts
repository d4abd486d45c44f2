/** Writes and reads the kubeconfig by which kubectl and spritectl find the server, its CA and the token. */
import { readFile } from 'node:fs/promises'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { writeFileAtomically } from './write-file.ts'

/** What we read of a kubeconfig. */
export type Kubeconfig = {
  /** The https URL of the API. */
  readonly server: string
  /** PEM; absent when the file trusts the system's authorities. */
  readonly caCert?: string
  readonly token: string
  /** The namespace of the context; absent is kubectl's default. */
  readonly namespace?: string
}

/** Why a kubeconfig cannot be used. */
export type KubeconfigErrorReason = 'NotFound' | 'Unreadable' | 'Invalid'

/** A kubeconfig that cannot be used; `reason` is what callers switch on. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError'
  readonly reason: KubeconfigErrorReason

  constructor(reason: KubeconfigErrorReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

const NAME = 'sprites'
const FILE_CHARS_MAX = 1024 * 1024

/** What its entries are called; all of them "sprites" unless said otherwise. */
export type KubeconfigNames = {
  /** Of cluster and context. */
  readonly name?: string
  readonly user?: string
}

/** The text of a kubeconfig with one context. Pure. */
export function kubeconfigText(config: Kubeconfig, { name = NAME, user = name }: KubeconfigNames = {}): string {
  const cluster = {
    server: config.server,
    ...(config.caCert === undefined
      ? {}
      : { 'certificate-authority-data': Buffer.from(config.caCert).toString('base64') }),
  }
  const context = { cluster: name, user, ...(config.namespace === undefined ? {} : { namespace: config.namespace }) }
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      clusters: [{ name, cluster }],
      contexts: [{ name, context }],
      users: [{ name: user, user: { token: config.token } }],
    },
    { lineWidth: 0 },
  )
}

/** Writes the file with mode 0600, as a whole or not at all. Rejects with node's error. */
export const writeKubeconfig = (file: string, config: Kubeconfig): Promise<void> =>
  writeFileAtomically(file, kubeconfigText(config), { mode: 0o600 })

const named = <T extends z.ZodType, K extends string>(key: K, value: T) =>
  z.array(z.object({ name: z.string() }).and(z.object({ [key]: value } as Record<K, T>))).default([])

const fileSchema = z.object({
  'current-context': z.string().default(''),
  clusters: named('cluster', z.object({ server: z.url(), 'certificate-authority-data': z.base64().optional() })),
  contexts: named('context', z.object({ cluster: z.string(), user: z.string(), namespace: z.string().optional() })),
  users: named('user', z.object({ token: z.string().optional() })),
})

/** Reads the current context of a kubeconfig that holds a token. Rejects with KubeconfigError. */
export async function readKubeconfig(file: string): Promise<Kubeconfig> {
  const text = await readText(file)
  const config = fileSchema.safeParse(parsed(text, file))
  if (!config.success) throw invalid(file, config.error.issues[0]?.message ?? 'it has another form')
  const { contexts, clusters, users } = config.data
  const context = contexts.find(({ name }) => name === config.data['current-context'])?.context
  if (context === undefined) throw invalid(file, 'its current-context names no context')
  const cluster = clusters.find(({ name }) => name === context.cluster)?.cluster
  const token = users.find(({ name }) => name === context.user)?.user.token
  if (cluster === undefined) throw invalid(file, `the cluster "${context.cluster}" is missing`)
  if (token === undefined) throw invalid(file, `the user "${context.user}" has no token`)
  const ca = cluster['certificate-authority-data']
  return {
    server: cluster.server,
    token,
    ...(ca === undefined ? {} : { caCert: Buffer.from(ca, 'base64').toString('utf8') }),
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new KubeconfigError('NotFound', `Find no kubeconfig at "${file}"; start the control plane first`, { cause })
    throw new KubeconfigError('Unreadable', `Cannot read the kubeconfig "${file}"; check its owner and mode`, { cause })
  }
}

function parsed(text: string, file: string): unknown {
  if (text.length > FILE_CHARS_MAX) throw invalid(file, 'it is larger than 1 MiB')
  try {
    // A kubeconfig needs no aliases.
    return parse(text, { maxAliasCount: 0 })
  } catch (cause) {
    throw invalid(file, 'it is not YAML', cause)
  }
}

const invalid = (file: string, why: string, cause?: unknown): KubeconfigError =>
  new KubeconfigError('Invalid', `Cannot use the kubeconfig "${file}": ${why}`, { cause })
