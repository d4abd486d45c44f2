/** Opens the places that are named on the command line: a data folder, Firestore, a backup file. */
import { existsSync } from 'node:fs'
import { CONTROLLER_ACTOR } from '../../api/admission.ts'
import { kubeClientOver } from '../../client/kube.ts'
import { createKubeRegistry } from '../../client/kube-registry.ts'
import { createKubeWire } from '../../client/kube-wire.ts'
import { createLocalClient } from '../../client/local.ts'
import { RESOURCES } from '../../kinds/index.ts'
import { createEmbeddedLedger } from '../../ledger/embedded.ts'
import type { Environment } from '../../config.ts'
import { CORE_RESOURCES } from '../../registry/core.ts'
import { createRegistry } from '../../registry/create-registry.ts'
import { openDatabase } from '../../store/database.ts'
import { openEmbeddedStore } from '../../store/embedded.ts'
import type { SealingKey } from '../../store/envelope.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import {
  dataPaths,
  openDataFolder,
  readIdentity,
  writeIdentity,
  type DataPaths,
  type Identity,
} from '../data-folder.ts'
import { encryptSecrets, sealingKeysOf } from '../secrets-at-rest.ts'
import { lateRecount, openFirestore, openRedisLedger } from '../backends.ts'
import { clusterSource } from '../cluster-source.ts'
import { isHeldBy } from '../store-identity.ts'
import { createUndo, type Undo } from '../undo.ts'
import { refuseAtWork } from './at-work.ts'
import { backupHeader, backupSource, backupTarget } from './backup-file.ts'
import { TransferError, type Source, type Target } from './carried.ts'
import { registryPlace } from './registry-place.ts'
import { storePlace } from './store-place.ts'

/** What opening a place needs of the process. */
export type PlacePorts = {
  readonly environment: Environment
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
}

/** A place as it is named: `embedded:DIR`, `firestore`, `cluster` or `file:PATH`. */
export type Address =
  | { readonly at: 'embedded'; readonly folder: string }
  | { readonly at: 'firestore' }
  | { readonly at: 'cluster' }
  | { readonly at: 'file'; readonly path: string }

/** The address in a text. Throws TransferError. Pure. */
export function addressOf(text: string): Address {
  const colon = text.indexOf(':')
  const [form, rest] = colon === -1 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  if (form === 'firestore' && rest === '') return { at: 'firestore' }
  if (form === 'cluster' && rest === '') return { at: 'cluster' }
  if (form === 'embedded' && rest !== '') return { at: 'embedded', folder: rest }
  if (form === 'file' && rest !== '') return { at: 'file', path: rest }
  throw new TransferError(
    `Cannot read the place "${text}": give embedded:FOLDER, firestore (FIRESTORE_PROJECT says which), cluster (KUBECONFIG says which) or file:PATH`,
  )
}

/** Both ends of a move, open. */
export type Ends = {
  readonly source: Source
  readonly target: Target
  readonly identity: Identity
  readonly close: () => Promise<void>
}

/** Opens both ends; one control plane is what they hold. Rejects with TransferError, StoreError, DataFolderError. */
export async function openEnds(ports: PlacePorts, from: Address, to: Address): Promise<Ends> {
  const undo = createUndo()
  try {
    const identity = await identityOf(ports, from, to)
    // A file is of one instant; what is moved elsewhere must not change meanwhile.
    const source = await openSource(ports, from, { identity, isSnapshot: to.at === 'file' })
    undo.add(() => source.close())
    const target = await openTarget(ports, to, identity)
    undo.add(() => target.close())
    return { source, target, identity, close: undo.run }
  } catch (error) {
    await undo.run()
    throw error
  }
}

/** Of the settings, else of the data folder that is left: its key opens the Secrets, its id is on the machines. */
async function identityOf({ environment, entropy }: PlacePorts, from: Address, to: Address): Promise<Identity> {
  const { CONTROL_PLANE_ID: controlPlaneId, MASTER_KEY: masterKey } = environment
  if (controlPlaneId !== undefined && masterKey !== undefined) return { controlPlaneId, masterKey }
  for (const end of [from, to])
    if (end.at === 'embedded' && existsSync(dataPaths(end.folder).identity))
      return await readIdentity(dataPaths(end.folder), entropy)
  const hint = from.at === 'file' ? `: the backup is of ${(await backupHeader(from.path)).controlPlaneId}` : ''
  throw new TransferError(
    `Set CONTROL_PLANE_ID and MASTER_KEY, as they are in the identity.json of the data folder that it came from${hint}`,
  )
}

async function openSource(
  ports: PlacePorts,
  address: Address,
  { identity, isSnapshot }: { readonly identity: Identity; readonly isSnapshot: boolean },
): Promise<Source> {
  if (address.at !== 'file') return await openStorePlace(ports, address, identity, { isSnapshot })
  const header = await backupHeader(address.path)
  if (header.controlPlaneId !== identity.controlPlaneId)
    throw otherControlPlane(address.path, header.controlPlaneId, identity)
  return backupSource({
    ...ports,
    path: address.path,
    keys: sealingKeys(ports, identity),
    controlPlaneId: identity.controlPlaneId,
  })
}

async function openTarget(ports: PlacePorts, address: Address, identity: Identity): Promise<Target> {
  if (address.at !== 'file') return await openStorePlace(ports, address, identity, { mayMake: true })
  return backupTarget({
    ...ports,
    path: address.path,
    keys: sealingKeys(ports, identity),
    controlPlaneId: identity.controlPlaneId,
  })
}

const sealingKeys = ({ environment }: PlacePorts, identity: Identity): readonly [SealingKey, ...SealingKey[]] =>
  sealingKeysOf(environment, Buffer.from(identity.masterKey, 'hex'))

const otherControlPlane = (where: string, id: string, identity: Identity): TransferError =>
  new TransferError(
    `Cannot use "${where}" for ${identity.controlPlaneId}: it is of ${id}, whose machines would be strangers; set CONTROL_PLANE_ID and MASTER_KEY to those of ${id}`,
  )

async function openStorePlace(
  ports: PlacePorts,
  address: Exclude<Address, { readonly at: 'file' }>,
  identity: Identity,
  { mayMake = false, isSnapshot = false }: { readonly mayMake?: boolean; readonly isSnapshot?: boolean },
): Promise<Target> {
  const undo = createUndo()
  const parts = { ...ports, ...identity, undo, isSnapshot }
  try {
    if (address.at === 'embedded') return await embeddedPlace(parts, { ...address, identity, mayMake })
    return address.at === 'firestore' ? await firestorePlace(parts) : await clusterPlace(parts)
  } catch (error) {
    await undo.run()
    throw error
  }
}

type PlaceParts = PlacePorts & Identity & { readonly undo: Undo; readonly isSnapshot: boolean }

async function firestorePlace(parts: PlaceParts): Promise<Target> {
  const { clock, entropy, undo } = parts
  const storeAtRest = await openFirestore(parts, undo)
  const masterKey = Buffer.from(parts.masterKey, 'hex')
  const store = encryptSecrets(storeAtRest, { ...parts, masterKey })
  const recount = lateRecount()
  const registry = createRegistry({
    store,
    resources: [...CORE_RESOURCES, ...RESOURCES],
    clock,
    entropy,
    builtinAgentTypes: new Set(),
  })
  recount.use(createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'spritectl-migrate' }))
  // A store that is another control plane's is neither overwritten nor copied under our name.
  await isHeldBy(registry, parts)
  if (!parts.isSnapshot) await refuseAtWork(registry, 'Firestore', clock)
  const ledger = await openRedisLedger({ ...parts, recount }, undo)
  const { isSnapshot } = parts
  return storePlace({ name: 'Firestore', store, storeAtRest, ledger, clock, isSnapshot, close: undo.run })
}

async function clusterPlace(parts: PlaceParts): Promise<Target> {
  const { clock, entropy, environment, undo } = parts
  const wire = createKubeWire(clusterSource(environment, 'a place is "cluster"'), clock)
  undo.add(() => wire.close())
  const how = { fieldManager: 'spritectl-migrate', clock, entropy }
  const registry = createKubeRegistry({ wire, resources: [...CORE_RESOURCES, ...RESOURCES], ...how })
  const recount = lateRecount()
  recount.use(kubeClientOver(wire, how))
  const ledger = await openRedisLedger({ ...parts, recount }, undo)
  return registryPlace({ name: 'the cluster', registry, ledger, clock, close: undo.run })
}

async function embeddedPlace(
  { clock, entropy, log, environment, masterKey, undo }: PlaceParts,
  at: { readonly folder: string; readonly identity: Identity; readonly mayMake: boolean },
): Promise<Target> {
  const paths = dataPaths(at.folder)
  if (!existsSync(paths.store) && !at.mayMake)
    throw new TransferError(`Find no control plane in "${at.folder}": name its data folder`)
  await openDataFolder(at.folder)
  const database = openDatabase(paths.store)
  undo.add(() => database.close())
  await holdIdentity(paths, at.identity, entropy)
  const storeAtRest = openEmbeddedStore({ database, log })
  undo.add(() => storeAtRest.close())
  const store = encryptSecrets(storeAtRest, { environment, masterKey: Buffer.from(masterKey, 'hex'), entropy, log })
  const ledger = createEmbeddedLedger({ database, clock })
  return storePlace({ name: `"${at.folder}"`, store, storeAtRest, ledger, clock, close: undo.run })
}

/** A new folder takes the identity of what comes to it; another control plane's is left alone. */
async function holdIdentity(paths: DataPaths, identity: Identity, entropy: Entropy): Promise<void> {
  if (!existsSync(paths.identity)) {
    await writeIdentity(paths, { controlPlaneId: identity.controlPlaneId, masterKey: identity.masterKey })
    return
  }
  const present = await readIdentity(paths, entropy)
  if (present.controlPlaneId !== identity.controlPlaneId)
    throw otherControlPlane(paths.folder, present.controlPlaneId, identity)
}
