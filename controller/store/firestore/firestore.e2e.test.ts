/** The store on Firestore keeps the Store contract, on the emulator. */
import { afterAll, beforeAll, describe } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import {
  emulatorAbsence,
  startFirestoreEmulator,
  type FirestoreEmulator,
} from '../../../test/e2e/firestore-emulator.ts'
import { storeContract } from '../contract.ts'
import { openFirestoreStore } from './firestore.ts'

const absence = emulatorAbsence()

describe.skipIf(absence !== undefined)(
  `on the emulator${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let emulator: FirestoreEmulator
    beforeAll(async () => {
      emulator = await startFirestoreEmulator()
    })
    afterAll(() => emulator.stop())

    storeContract(
      'firestore',
      async ({ window } = {}) => {
        const store = await openFirestoreStore({
          project: emulator.project(),
          database: '(default)',
          collections: ['sprites', 'plans'],
          clock: realClock,
          entropy: realEntropy,
          log: silentLog,
          ...(window === undefined ? {} : { window }),
          settings: { emulatorHost: emulator.host },
        })
        return { store, dispose: () => store.close() }
      },
      'Times',
    )
  },
)
