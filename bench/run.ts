/** `npm run bench`: every figure is a ratio against a floor that is measured in the same run on the same machine. */
import { benchConverge } from './converge.ts'
import { benchCreates } from './creates.ts'
import { benchFirestoreCost } from './firestore-cost.ts'
import { benchFirestoreStore } from './firestore-store.ts'
import { benchFleetStart } from './fleet-start.ts'
import { benchLedger } from './ledger.ts'
import { benchMemory } from './memory.ts'
import { benchRecovery } from './recovery.ts'
import { benchRedisBus } from './redis-bus.ts'
import { benchResync } from './resync.ts'
import { measureSpriteStart } from './sprite-start.ts'
import { benchStore } from './store.ts'
import { formatRows, type Row } from './table.ts'
import { benchWire } from './wire.ts'

async function benchSpriteStart(): Promise<Row[]> {
  const { spawnToReadyMs, bareNodeMs, rssMb, bareRssMb } = await measureSpriteStart()
  return [
    {
      what: 'sprite spawn -> ready',
      ours: `${Math.round(spawnToReadyMs)} ms`,
      divisor: `bare Node process ${Math.round(bareNodeMs)} ms`,
      ratio: spawnToReadyMs / bareNodeMs,
      aim: { ratio: 2, atMost: true },
    },
    {
      what: 'sprite resident memory at ready',
      ours: `${Math.round(rssMb)} MiB`,
      divisor: `bare Node process ${Math.round(bareRssMb)} MiB`,
      ratio: rssMb / bareRssMb,
      aim: { ratio: 1.35, atMost: true },
    },
  ]
}

const parts = [
  benchSpriteStart,
  benchStore,
  benchConverge,
  benchFleetStart,
  benchResync,
  benchRecovery,
  benchFirestoreCost,
  benchFirestoreStore,
  benchRedisBus,
  benchWire,
  benchCreates,
  benchMemory,
  benchLedger,
]
const rows: Row[] = []
for (const part of parts) rows.push(...(await part()))
process.stdout.write(`${formatRows(rows)}\n`)
