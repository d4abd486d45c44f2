/** Opens what processes share: Firestore for objects, Redis for messages and the token ledger. Each is loaded only when it is named. */
import { resourceName } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import { ConfigError, type Environment } from '../config.ts'
import type { Bus } from '../bus/bus.ts'
import type { Client } from '../client/client.ts'
import { RESOURCES } from '../kinds/index.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Recount } from '../ledger/redis/record.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { storedJudge } from '../registry/stored.ts'
import type { FirestoreStore } from '../store/firestore/firestore.ts'
import { StoreError } from '../store/store.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { recountFromClient } from './recount.ts'
import type { Undo } from './undo.ts'

/** What opening them needs of the process. */
export type BackendPorts = {
  readonly environment: Environment
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics?: Metrics
}

/** Collections of every kind that the API stores. */
export const STORED_COLLECTIONS: readonly string[] = [...CORE_RESOURCES, ...RESOURCES].map(resourceName)
const judge = storedJudge(RESOURCES)

/** From then on it is said what a start waits for, ms. */
const SLOW_MS = 5_000

/** The store on Firestore. Rejects with ConfigError when no project is named, StoreError when it cannot be opened. */
export async function openFirestore({ environment, ...ports }: BackendPorts, undo: Undo): Promise<FirestoreStore> {
  const {
    FIRESTORE_PROJECT: project,
    FIRESTORE_DATABASE: database,
    FIRESTORE_EMULATOR_HOST: emulatorHost,
  } = environment
  if (project === undefined)
    throw new ConfigError('Set FIRESTORE_PROJECT to the Google Cloud project that has the database')
  const { openFirestoreStore } = await import('../store/firestore/firestore.ts')
  const settings = emulatorHost === undefined ? {} : { emulatorHost }
  const collections = STORED_COLLECTIONS
  const cancel = ports.clock.after(SLOW_MS, () =>
    ports.log.warn(
      { project, database, emulatorHost },
      'Firestore does not answer yet: it is waited for, a minute at most',
    ),
  )
  const opening = openFirestoreStore({ ...ports, project, database, collections, judge, settings })
  const store = await opening
    .catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error
      const where = emulatorHost === undefined ? '' : `, FIRESTORE_EMULATOR_HOST "${emulatorHost}"`
      const message = `${error.message}; FIRESTORE_PROJECT is "${project}", FIRESTORE_DATABASE "${database}"${where}`
      throw new StoreError(error.reason, message, undefined, { cause: error })
    })
    .finally(cancel)
  undo.add(() => store.close())
  return store
}

/** The bus on Redis. Rejects with ConfigError when no Redis is named; one that does not answer is waited for meanwhile. */
export async function openRedisBus(ports: BackendPorts & Identified, undo: Undo): Promise<Bus> {
  const { createRedisBus } = await import('../bus/redis/bus.ts')
  const bus = await createRedisBus({ ...ports, url: redisUrl(ports.environment), prefix: `${ports.controlPlaneId}:` })
  undo.add(() => bus.close())
  return bus
}

/** The ledger on Redis, whose other side is what `recount` reads. Rejects with ConfigError when no Redis is named. */
export async function openRedisLedger(
  ports: BackendPorts & Identified & { readonly recount: Recount },
  undo: Undo,
): Promise<Ledger> {
  const { createRedisLedger } = await import('../ledger/redis/ledger.ts')
  const ledger = await createRedisLedger({ ...ports, url: redisUrl(ports.environment), prefix: ports.controlPlaneId })
  undo.add(() => ledger.close())
  return ledger
}

/** Control planes may share a Redis: their id stands before every name. */
type Identified = { readonly controlPlaneId: string }

function redisUrl({ REDIS_URL: url }: Environment): string {
  if (url === undefined) throw new ConfigError('Set REDIS_URL to the Redis for messages and the token ledger')
  return url
}

/** The store's side of the ledger before there is a client; `use` gives it one. */
export function lateRecount(): Recount & { readonly use: (client: Client) => void } {
  const waiting = (): never => {
    throw new ApiError('ServiceUnavailable', 'The store is not open yet: try again')
  }
  let recount: Recount = { read: async () => waiting(), raise: async () => waiting() }
  return {
    use: (client) => {
      recount = recountFromClient(client)
    },
    read: (tenant, period) => recount.read(tenant, period),
    raise: (tenant, period, ceiling) => recount.raise(tenant, period, ceiling),
  }
}
