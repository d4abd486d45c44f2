/** Tests of what `spritectl doctor` says of a Firestore that will not do, or that is another control plane's. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  emulatorAbsence,
  startFirestoreEmulator,
  type FirestoreEmulator,
} from '../../../test/e2e/firestore-emulator.ts'
import { realClock } from '../../../system/clock.ts'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import { STORED_COLLECTIONS } from '../../assembly/backends.ts'
import { holdStoreIdentity } from '../../assembly/store-identity.ts'
import { RESOURCES } from '../../kinds/index.ts'
import { CORE_RESOURCES, namespaceResource } from '../../registry/core.ts'
import { createRegistry } from '../../registry/create-registry.ts'
import { CONTEXT } from '../../registry/testing.ts'
import { openFirestoreStore } from '../../store/firestore/firestore.ts'
import { firestoreCheck } from './firestore-checks.ts'

const OURS = { controlPlaneId: 'cp-0123456789ab', masterKey: '5a'.repeat(32) }
const absence = emulatorAbsence()

describe.skipIf(absence !== undefined)(`doctor on a Firestore (${absence ?? 'emulator'})`, { timeout: 90_000 }, () => {
  let emulator: FirestoreEmulator
  let project: string
  beforeAll(async () => {
    emulator = await startFirestoreEmulator()
    project = emulator.project()
  }, 90_000)
  afterAll(() => emulator.stop())

  const line = async (more: object = {}): Promise<string> => {
    const { level, text } = await firestoreCheck({
      FIRESTORE_PROJECT: project,
      FIRESTORE_DATABASE: '(default)',
      FIRESTORE_EMULATOR_HOST: emulator.host,
      CONTROL_PLANE_ID: OURS.controlPlaneId,
      MASTER_KEY: OURS.masterKey,
      ...more,
    })
    return `${level} ${text}`
  }

  /** Makes the database ours, as a first process does. */
  async function begin(): Promise<void> {
    const parts = { clock: realClock, entropy: seededEntropy(1), log: silentLog }
    const at = { project, database: '(default)', collections: STORED_COLLECTIONS }
    const store = await openFirestoreStore({ ...parts, ...at, settings: { emulatorHost: emulator.host } })
    const resources = [...CORE_RESOURCES, ...RESOURCES]
    const registry = createRegistry({ ...parts, store, resources, builtinAgentTypes: new Set() })
    await registry.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
    await holdStoreIdentity(registry, OURS)
    await store.close()
  }

  it('DR11 one that nobody has begun is ok, then one that is ours; another control plane’s fails', async () => {
    expect(await line()).toMatch(/^ok .* answers, and is nobody’s yet$/)
    await begin()
    expect(await line()).toMatch(/^ok .* answers, and is of "cp-0123456789ab"$/)
    expect(await line({ CONTROL_PLANE_ID: 'cp-ffffffffffff' })).toMatch(/^fail Check CONTROL_PLANE_ID/)
    expect(await line({ MASTER_KEY: '6b'.repeat(32) })).toMatch(/^fail Check MASTER_KEY/)
  })

  it('DR11 one that does not answer fails, and is named', async () => {
    expect(await line({ FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' })).toMatch(
      /^fail Cannot read "test-.*emulator at "127\.0\.0\.1:1": Firestore does not answer/,
    )
  })
})
