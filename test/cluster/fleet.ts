/** Starts the controllers over a cluster with real sprite processes, and gives them the example tenants. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import { startClusterControllers } from '../../controller/assembly/cluster.ts'
import type { ControlPlane } from '../../controller/assembly/control-plane.ts'
import { readEnvironment } from '../../controller/config.ts'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { silentLog, type Log } from '../../system/log.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** Controllers over a cluster, and the folder that they keep their ledger in. */
export type Fleet = {
  readonly plane: ControlPlane
  readonly folder: string
  /** How often the lease was lost. */
  readonly losses: () => number
  /** Ends them, their sprites too, and removes the folder. */
  readonly stop: () => Promise<void>
}

/** Starts controllers; resolves when they lead. */
export async function startFleet(options: {
  readonly kubeconfig: string
  readonly signal?: AbortSignal
  readonly log?: Log
  /** Told before the wait for the lease begins. */
  readonly variables?: Readonly<Record<string, string>>
}): Promise<Fleet> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cluster-fleet-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 })
  const file = path.join(folder, 'cluster.kubeconfig')
  await writeFile(file, options.kubeconfig)
  let losses = 0
  try {
    const plane = await startClusterControllers({
      // Machines run on the emulator of this process, which the settings of production do not allow here.
      environment: { ...readEnvironment(options.variables ?? {}), STORE: 'cluster', KUBECONFIG: file },
      dataFolder: folder,
      personasFolder: path.join(ROOT, 'personas'),
      host: '127.0.0.1',
      httpsPort: 0,
      httpPort: 0,
      clock: realClock,
      entropy: realEntropy,
      log: options.log ?? silentLog,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onLost: () => (losses += 1),
    })
    const stop = async (): Promise<void> => {
      await plane.stop()
      await remove()
    }
    return { plane, folder, losses: () => losses, stop }
  } catch (error) {
    await remove()
    throw error
  }
}

/** A manifest as it is sent. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

/** The manifests of an example tenant. */
export async function exampleOf(tenant: string): Promise<readonly Manifest[]> {
  const folder = path.join(ROOT, 'examples', tenant)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort()
  const texts = await Promise.all(names.map((name) => readFile(path.join(folder, name), 'utf8')))
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest))
}
