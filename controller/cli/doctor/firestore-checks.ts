/** Looks at the Firestore of the settings before a control plane does: whether it answers us, and whose it is. */
import { identityFault, STORE_IDENTITY_KEY, type Given } from '../../assembly/store-identity.ts'
import { resourceName } from '../../api/define-kind.ts'
import type { Environment } from '../../config.ts'
import { check, type Check } from '../../providers/check.ts'
import { configMapResource } from '../../registry/config-maps.ts'
import { CallFailure } from '../../store/firestore/calls.ts'
import { entryOf, type Entry } from '../../store/firestore/document.ts'
import { storeErrorOf } from '../../store/firestore/failures.ts'
import { collectionGroupOf, documentPath } from '../../store/firestore/paths.ts'
import { connectFirestore } from '../../store/firestore/sdk.ts'
import { assert } from '../../../system/assert.ts'

const ANSWER_TIMEOUT_MS = 5_000
const NAME = 'firestore'

/** What is looked at of the settings. */
export type FirestoreSettings = Pick<
  Environment,
  'FIRESTORE_PROJECT' | 'FIRESTORE_DATABASE' | 'FIRESTORE_EMULATOR_HOST' | 'CONTROL_PLANE_ID' | 'MASTER_KEY'
>

/** One line; reads one document, changes nothing. Never rejects. */
export async function firestoreCheck(settings: FirestoreSettings): Promise<Check> {
  const {
    FIRESTORE_PROJECT: project = '',
    FIRESTORE_DATABASE: database,
    FIRESTORE_EMULATOR_HOST: emulatorHost,
    CONTROL_PLANE_ID: controlPlaneId = '',
    MASTER_KEY: masterKey = '',
  } = settings
  const emulated = emulatorHost === undefined ? '' : ` on the emulator at "${emulatorHost}"`
  const where = `"${project}", database "${database}"${emulated}`
  try {
    const found = await identityDocument({ project, database, ...(emulatorHost === undefined ? {} : { emulatorHost }) })
    return ownerCheck(where, found, { controlPlaneId, masterKey })
  } catch (error) {
    const fix = 'look at FIRESTORE_PROJECT, FIRESTORE_DATABASE, the credentials and the network'
    const why = error instanceof CallFailure ? storeErrorOf(error, `read ${where}`).message : String(error)
    return check(NAME, 'fail', why, fix)
  }
}

const COLLECTION = resourceName(configMapResource)

/** The document as the store reads it; undefined where there is none. Throws CallFailure. */
async function identityDocument(at: Parameters<typeof connectFirestore>[0]): Promise<Entry | undefined> {
  const path = documentPath({ collection: COLLECTION, ...STORE_IDENTITY_KEY })
  const group = collectionGroupOf(COLLECTION)
  assert(path.ok && group !== undefined, 'The key of the ConfigMap can be one in Firestore')
  const calls = await connectFirestore(at)
  try {
    const { documents } = await calls.get([path.path], ANSWER_TIMEOUT_MS)
    const document = documents.get(path.path)
    return document === undefined ? undefined : entryOf(document, { collection: COLLECTION, group })
  } finally {
    await calls.close()
  }
}

function ownerCheck(where: string, entry: Entry | undefined, identity: Given): Check {
  if (entry?.type === 'Malformed')
    return check(NAME, 'fail', `document ${entry.path} of ${where} is malformed: ${entry.fault}`)
  if (entry?.type !== 'Live') return check(NAME, 'ok', `${where} answers, and is nobody’s yet`)
  const fault = identityFault(JSON.parse(entry.record.value), identity)
  if (fault !== undefined) return check(NAME, 'fail', fault)
  return check(NAME, 'ok', `${where} answers, and is of "${identity.controlPlaneId}"`)
}
