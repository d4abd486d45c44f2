/** The Secrets by which Argo CD and Flux know a cluster. Pure. */
import type { Connection } from './api/connection.ts'

/**
 * The declarative cluster of Argo CD (operator-manual/declarative-setup, "Clusters"). With a namespace it looks at that
 * alone, as the token of one tenant may.
 */
export const argoSecret = (connection: Connection, name: string, namespace?: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'argocd', labels: { 'argocd.argoproj.io/secret-type': 'cluster' } },
  type: 'Opaque',
  stringData: {
    name,
    server: connection.server,
    ...(namespace === undefined ? {} : { namespaces: namespace, clusterResources: 'false' }),
    config: JSON.stringify(
      {
        bearerToken: connection.token,
        tlsClientConfig: {
          insecure: false,
          ...(connection.caCert === undefined ? {} : { caData: Buffer.from(connection.caCert).toString('base64') }),
        },
      },
      undefined,
      2,
    ),
  },
})

/** The Secret that `spec.kubeConfig.secretRef` of a Flux Kustomization or HelmRelease names; its key is `value`. */
export const fluxSecret = (kubeconfig: string, name: string): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'flux-system' },
  type: 'Opaque',
  stringData: { value: kubeconfig },
})
