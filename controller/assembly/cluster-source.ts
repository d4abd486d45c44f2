/** Decides which cluster this process speaks to. */
import { accessSync, constants } from 'node:fs'
import { ConfigError, type Environment } from '../config.ts'
import type { KubeConfigSource } from '../client/kube-wire.ts'

/** The kubeconfig that is named, else the service account of the pod. Throws ConfigError; `why` ends its message. */
export function clusterSource(
  { KUBECONFIG: path, KUBERNETES_SERVICE_HOST: host }: Pick<Environment, 'KUBECONFIG' | 'KUBERNETES_SERVICE_HOST'>,
  why: string,
): KubeConfigSource {
  if (path !== undefined) return fileAt(path)
  if (host !== undefined) return { from: 'Cluster' }
  throw new ConfigError(`Set KUBECONFIG to the file of the cluster, or run in a pod: ${why}`)
}

/** Told now: the client would say that the server refused something. */
function fileAt(path: string): KubeConfigSource {
  try {
    accessSync(path, constants.R_OK)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new ConfigError(`Check KUBECONFIG: cannot read "${path}" (${code})`, { cause })
  }
  return { from: 'File', path }
}
