/** Finds where the API is and by which token to come in: flags first, then the kubeconfig of the data folder. */
import { join } from 'node:path'
import { KubeconfigError, readKubeconfig } from '../../server/kubeconfig.ts'
import { CliFailure } from '../failure.ts'

/** Where the API is and how to enter. */
export type Connection = {
  readonly server: string
  /** PEM; absent when the system's authorities are trusted. */
  readonly caCert?: string
  readonly token: string
  /** Namespace for objects that name none. */
  readonly namespace?: string
}

/** The flags of every command that talks to the API. */
export type ConnectionFlags = {
  readonly data: string
  readonly kubeconfig?: string | undefined
  readonly server?: string | undefined
  readonly token?: string | undefined
}

/** The kubeconfig that the flags name. Pure. */
export const kubeconfigPath = (flags: ConnectionFlags): string => flags.kubeconfig ?? join(flags.data, 'kubeconfig')

/** Rejects with CliFailure Unreachable when there is no kubeconfig, KubeconfigError when it cannot be used. */
export async function connectionFrom(flags: ConnectionFlags): Promise<Connection> {
  const { server, token } = flags
  if (server !== undefined && token !== undefined) return { server, token }
  const file = kubeconfigPath(flags)
  try {
    const config = await readKubeconfig(file)
    return { ...config, ...(server === undefined ? {} : { server }), ...(token === undefined ? {} : { token }) }
  } catch (error) {
    if (!(error instanceof KubeconfigError) || error.reason !== 'NotFound') throw error
    throw new CliFailure(
      'Unreachable',
      `Find no kubeconfig at "${file}": start a control plane with "npm start", or name its folder with --data`,
      { cause: error },
    )
  }
}
