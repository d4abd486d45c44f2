/** The data folder: what a control plane keeps on disk, and the secrets that it makes once. */
import { constants } from 'node:fs'
import { access, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { randomHex, type Entropy } from '../../system/entropy.ts'
import { makeFolder } from '../../system/make-folder.ts'
import type { Environment } from '../config.ts'
import { writeFileAtomically } from '../server/write-file.ts'

/** Where things lie in the data folder. */
export type DataPaths = {
  readonly folder: string
  /** Objects and token ledger: the one file of the store. */
  readonly store: string
  /** The emulator's own record of its machines. */
  readonly fly: string
  readonly machineLogs: string
  readonly certificates: string
  readonly kubeconfig: string
  readonly identity: string
  readonly log: string
  readonly auditLog: string
}

/** The paths of a data folder. Pure. */
export const dataPaths = (folder: string): DataPaths => ({
  folder,
  store: join(folder, 'control-plane.db'),
  fly: join(folder, 'fly-emulator.db'),
  machineLogs: join(folder, 'machines'),
  certificates: join(folder, 'certificates'),
  kubeconfig: join(folder, 'kubeconfig'),
  identity: join(folder, 'identity.json'),
  log: join(folder, 'control-plane.log'),
  auditLog: join(folder, 'audit.log'),
})

/** The data folder cannot be used; the message says why and what would do. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError'
}

/** Makes the folder, for the owner alone, and proves that it can be written. Throws DataFolderError. */
export async function openDataFolder(folder: string): Promise<DataPaths> {
  try {
    makeFolder(folder)
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new DataFolderError(
      `Cannot write to the data folder "${folder}" (${why}): choose another with --data, or change its owner`,
      { cause: error },
    )
  }
  return dataPaths(folder)
}

/**
 * Refuses a folder that had a store and has none: with an empty one, every machine that runs would belong to nobody and
 * be destroyed. The store is made before the identity, so that a first start that was killed is not mistaken for it.
 * Throws DataFolderError.
 */
export async function refuseLostStore(paths: DataPaths): Promise<void> {
  const sizeOf = (path: string): Promise<number> =>
    stat(path).then(
      (found) => found.size,
      () => 0,
    )
  const [identityBytes, storeBytes] = await Promise.all([sizeOf(paths.identity), sizeOf(paths.store)])
  if (identityBytes > 0 && storeBytes === 0)
    throw new DataFolderError(
      `Cannot find "${paths.store}", which was there before: restore it from a backup, or delete "${paths.folder}" to begin anew`,
    )
}

const identitySchema = z.object({
  /** Stamped on every machine: which control plane made it. */
  controlPlaneId: z.string().regex(/^cp-[0-9a-f]{12}$/),
  /** Hex of 32 bytes; sprites' tokens are derived from it. */
  masterKey: z.string().regex(/^[0-9a-f]{64}$/),
  /** Where sprites reached the Coordinator last: kept, so that those that still run find it again. */
  httpPort: z.number().int().min(1).max(65535).optional(),
})

export type Identity = Readonly<z.infer<typeof identitySchema>>

/** The identity of this control plane, made at first start. Throws DataFolderError when the file is damaged. */
export async function readIdentity(paths: DataPaths, entropy: Entropy): Promise<Identity> {
  const text = await readFile(paths.identity, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new DataFolderError(`Cannot read "${paths.identity}": ${error.message}`, { cause: error })
  })
  if (text === undefined) {
    const made = { controlPlaneId: `cp-${randomHex(entropy, 6)}`, masterKey: randomHex(entropy, 32) }
    await writeIdentity(paths, made)
    return made
  }
  const read = identitySchema.safeParse(jsonOf(text))
  if (read.success) return read.data
  throw new DataFolderError(
    `Cannot use "${paths.identity}": it is damaged; restore it from a backup, or start with another --data`,
  )
}

/**
 * The identity that all processes of a control plane are given, or that of the data folder. Throws DataFolderError when
 * they differ: machines that one of them made would be strangers to the other.
 */
export async function openIdentity(
  paths: DataPaths,
  entropy: Entropy,
  { CONTROL_PLANE_ID, MASTER_KEY }: Pick<Environment, 'CONTROL_PLANE_ID' | 'MASTER_KEY'>,
): Promise<Identity> {
  if (CONTROL_PLANE_ID === undefined && MASTER_KEY === undefined) return await readIdentity(paths, entropy)
  if (CONTROL_PLANE_ID !== undefined && MASTER_KEY !== undefined && !(await exists(paths.identity)))
    return { controlPlaneId: CONTROL_PLANE_ID, masterKey: MASTER_KEY }
  const stored = await readIdentity(paths, entropy)
  if ((CONTROL_PLANE_ID ?? stored.controlPlaneId) !== stored.controlPlaneId)
    throw foreign(paths, 'CONTROL_PLANE_ID', `control plane "${stored.controlPlaneId}"`)
  if ((MASTER_KEY ?? stored.masterKey) !== stored.masterKey) throw foreign(paths, 'MASTER_KEY', 'another master key')
  return stored
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

const foreign = ({ folder }: DataPaths, name: string, owner: string): DataFolderError =>
  new DataFolderError(
    `Cannot use the data folder "${folder}" with this ${name}: it belongs to ${owner}; choose another with --data`,
  )

/** Stores the identity of the control plane, as a whole or not at all. */
export const writeIdentity = (paths: DataPaths, identity: Identity): Promise<void> =>
  writeFileAtomically(paths.identity, `${JSON.stringify(identity, undefined, 2)}\n`, { mode: 0o600 })

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
