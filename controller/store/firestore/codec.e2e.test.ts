/** Sends what the codec encodes to a Firestore emulator and decodes what comes back. */
import { Firestore } from '@google-cloud/firestore'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  emulatorAbsence,
  startFirestoreEmulator,
  type FirestoreEmulator,
} from '../../../test/e2e/firestore-emulator.ts'
import { decodeDocument, encodeDocument } from './codec.ts'
import { DOCUMENT_BYTES_MAX, isTooLarge, sizeOf } from './limits.ts'

const absence = emulatorAbsence()
const PATH = 'tenants/acme/work/one'
const metadata = { name: 'one', namespace: 'acme', uid: 'u', creationTimestamp: '2027-01-01T00:00:00Z' }
const work = (rest: object): object => ({ apiVersion: 'sprites.highera.com/v1alpha1', kind: 'Work', metadata, ...rest })

describe.skipIf(absence !== undefined)(
  `The codec on Firestore${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let emulator: FirestoreEmulator
    let firestore: Firestore

    beforeAll(async () => {
      emulator = await startFirestoreEmulator()
      firestore = new Firestore({ projectId: emulator.project(), host: emulator.host, ssl: false })
    })

    afterAll(async () => {
      await firestore?.terminate()
      await emulator?.stop()
    })

    const stored = async (text: string): Promise<unknown> => {
      await firestore.doc(PATH).set({ ...encodeDocument(text) })
      const decoded = decodeDocument((await firestore.doc(PATH).get()).data(), 7)
      if (!decoded.ok) throw new Error(decoded.fault)
      return JSON.parse(decoded.value)
    }

    test('FDC1 FDC2 any JSON is taken and comes back', async () => {
      const key = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 4 }),
        fc.constantFrom(
          '$json',
          '_text',
          '__proto__',
          'constructor',
          'toProto',
          'a.b',
          '',
          '.',
          '`',
          '__a__',
          'k'.repeat(1400),
          'ä'.repeat(700),
          '`\\'.repeat(300),
        ),
      )
      const { json } = fc.letrec((tie) => ({
        json: fc.oneof(
          { depthSize: 'large', withCrossShrink: true },
          fc.oneof(
            fc.string({ unit: 'binary' }),
            fc.double({ noNaN: true }),
            fc.maxSafeInteger(),
            fc.constant(null),
            fc.boolean(),
          ),
          fc.array(tie('json'), { maxLength: 4 }),
          fc.dictionary(key, tie('json'), { maxKeys: 4 }),
        ),
      }))
      await fc.assert(
        fc.asyncProperty(fc.dictionary(key, json, { maxKeys: 5 }), async (spec) => {
          const text = JSON.stringify(work({ spec }))
          const { metadata: _meta, ...rest } = JSON.parse(text)
          expect(await stored(text)).toMatchObject({ metadata: { resourceVersion: '7' } })
          const { metadata: _back, ...back } = (await stored(text)) as { metadata: unknown }
          expect(back).toEqual(rest)
        }),
        { numRuns: 100 },
      )
    }, 60_000)

    test.each([
      ['60 levels of maps', `${'{"a":'.repeat(60)}1${'}'.repeat(60)}`],
      ['60 levels of maps and arrays', `${'{"a":['.repeat(30)}1${']}'.repeat(30)}`],
      ['-0 and numbers beyond doubles', '{"a":[-0,1e999,-1e999,[-0,1e999]]}'],
    ])('FDC2 %s are taken and come back', async (_name, json) => {
      const text = JSON.stringify(work({})).replace(/\}$/, `,"spec":${json}}`)
      expect(((await stored(text)) as { spec: unknown }).spec).toEqual(JSON.parse(json))
    })

    test('FDC3 a sealed text comes back', async () => {
      await firestore.doc(PATH).set({ ...encodeDocument('aes256gcm.v1:a:AA=='), expireAt: new Date(0) })
      const data = (await firestore.doc(PATH).get()).data()
      expect(decodeDocument(data, 7)).toEqual({ ok: true, value: 'aes256gcm.v1:a:AA==' })
    })

    test('FDL1 FDL3 what is within the measured size is taken, and what is far over it is refused', async () => {
      const fields = (chars: number): Record<string, unknown> =>
        encodeDocument(JSON.stringify(work({ spec: { a: 'x'.repeat(500_000) }, status: { b: 'x'.repeat(chars) } })))
      const roomBytes = DOCUMENT_BYTES_MAX - sizeOf(fields(0), PATH)
      expect(isTooLarge(fields(roomBytes), PATH)).toBe(false)
      await firestore.doc(PATH).set(fields(roomBytes))
      expect(isTooLarge(fields(roomBytes + 200), PATH)).toBe(true)
      await expect(firestore.doc(PATH).set(fields(roomBytes + 200))).rejects.toMatchObject({ code: 3 })
    })
  },
)
