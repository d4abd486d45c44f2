/** Decides which cluster this process speaks to. */
import { ConfigError, type Environment } from '../config.ts'
import type { KubeConfigSource } from '../client/kube-wire.ts'

/** The kubeconfig that is named, else the service account of the pod. Throws ConfigError; `why` ends its message. */
export function clusterSource(
  { KUBECONFIG: path, KUBERNETES_SERVICE_HOST: host }: Pick<Environment, 'KUBECONFIG' | 'KUBERNETES_SERVICE_HOST'>,
  why: string,
): KubeConfigSource {
  if (path !== undefined) return { from: 'File', path }
  if (host !== undefined) return { from: 'Cluster' }
  throw new ConfigError(`Set KUBECONFIG to the file of the cluster, or run in a pod: ${why}`)
}
