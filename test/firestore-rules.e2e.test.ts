/** Holds firestore.rules, on the emulator: without credentials nothing can be read, listed, created, changed or deleted. */
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { emulatorAbsence, startFirestoreEmulator, type FirestoreEmulator } from './e2e/firestore-emulator.ts'
import { ROOT } from './source-tree.ts'

const absence = emulatorAbsence()
const PATHS = ['tenants/acme', 'tenants/acme/sprites/anna', 'tenants/acme/secrets/key', 'leases/shard-1', 'other/x']
const BODY = JSON.stringify({ fields: { kind: { stringValue: 'Sprite' } } })
/** What the emulator takes for the credentials of the project. */
const OWNER = { authorization: 'Bearer owner' }

describe.skipIf(absence !== undefined)(
  `Rules of Firestore${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let emulator: FirestoreEmulator
    let documents = ''

    beforeAll(async () => {
      emulator = await startFirestoreEmulator({ rules: path.join(ROOT, 'firestore/firestore.rules') })
      documents = `http://${emulator.host}/v1/projects/${emulator.project()}/databases/(default)/documents`
      for (const at of PATHS) {
        const response = await fetch(`${documents}/${at}`, { method: 'PATCH', headers: OWNER, body: BODY })
        expect(response.status).toBe(200)
      }
    })

    afterAll(async () => {
      await emulator?.stop()
    })

    /** A token as a signed-in user of a web app would send it; the emulator checks no signature. */
    const signedIn = (): Record<string, string> => {
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
      return { authorization: `Bearer ${part({ alg: 'none' })}.${part({ sub: 'someone', user_id: 'someone' })}.` }
    }

    test('FDR1 with the project’s credentials a document can be read', async () => {
      const response = await fetch(`${documents}/${PATHS[0] ?? ''}`, { headers: OWNER })
      expect(response.status).toBe(200)
    })

    test.each(PATHS)('FDR1 %s is refused to everybody else', async (at) => {
      const parent = at.split('/').slice(0, -1).join('/')
      const calls: readonly (readonly [string, RequestInit])[] = [
        [at, { method: 'GET' }],
        [parent, { method: 'GET' }],
        [`${parent}?documentId=new`, { method: 'POST', body: BODY }],
        [at, { method: 'PATCH', body: BODY }],
        [at, { method: 'DELETE' }],
      ]
      for (const headers of [{}, signedIn()]) {
        for (const [target, init] of calls) {
          const response = await fetch(`${documents}/${target}`, { ...init, headers })
          expect([target, init.method, response.status]).toEqual([target, init.method, 403])
        }
      }
    })

    test('FDR1 a query over all tenants is refused', async () => {
      const from = [{ collectionId: 'sprites', allDescendants: true }]
      const body = JSON.stringify({ structuredQuery: { from } })
      const response = await fetch(`${documents}:runQuery`, { method: 'POST', body })
      expect(response.status).toBe(403)
    })
  },
)
