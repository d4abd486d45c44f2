/** A store as a place to move from and to: records as they are, Secrets in plain between decryption and encryption. */
import { resourceName } from '../../api/define-kind.ts'
import type { JsonObject } from '../../api/object.ts'
import { RESOURCES } from '../../kinds/index.ts'
import { tenantKind } from '../../kinds/tenant/schema.ts'
import { periodOf, type Ledger } from '../../ledger/ledger.ts'
import { CORE_RESOURCES, leaseResource, namespaceResource } from '../../registry/core.ts'
import { StoreError, type ListPage, type Store, type StoreKey, type StoreRecord } from '../../store/store.ts'
import type { Clock } from '../../../system/clock.ts'
import {
  formOf,
  metadataOf,
  titleOf,
  TransferError,
  type Carried,
  type PutOutcome,
  type Spent,
  type Target,
} from './carried.ts'

/** What a store's place is made from. */
export type StorePlacePorts = {
  /** In words, for a person. */
  readonly name: string
  /** With Secrets in plain. */
  readonly store: Store
  /** The same as it lies there: what is in it but not in `store` is unreadable. */
  readonly storeAtRest: Store
  readonly ledger: Ledger
  readonly clock: Clock
  /** All of it is read as it was when reading began, though others write meanwhile. */
  readonly isSnapshot?: boolean
  readonly close: () => Promise<void>
}

/** Records that one read asks for. */
const PAGE_RECORDS = 500
/** Somebody else wrote what was just read. */
const OVERTAKEN: ReadonlySet<string> = new Set(['Conflict', 'AlreadyExists', 'NotFound'])
/** Longer than any call to the model: what is put as spent is settled at once. */
const EXPIRES_AFTER_MS = 60_000

/** Collections in the order in which they move: namespaces and owners first. */
export const MOVED_COLLECTIONS: readonly string[] = [
  namespaceResource,
  ...RESOURCES,
  ...CORE_RESOURCES.filter((resource) => resource !== namespaceResource && resource !== leaseResource),
].map(resourceName)

/** The place of a store. */
export function storePlace(ports: StorePlacePorts): Target {
  const { name, store, ledger, clock } = ports

  let at: Promise<number> | undefined
  const instant = async (): Promise<number | undefined> =>
    ports.isSnapshot === true ? await (at ??= store.revision()) : undefined

  async function put(carried: Carried, { mayReplace }: { readonly mayReplace: boolean }): Promise<PutOutcome> {
    const { collection, namespace, object } = carried
    const key = { collection, namespace, name: carried.name }
    const present = await store.read(key)
    if (present !== undefined && formOf(objectIn(present)) === formOf(object)) return 'Same'
    if (present !== undefined && !mayReplace) return 'Differs'
    const value = (revision: number): string => JSON.stringify(atRevision(object, revision))
    await store.commit([{ type: 'Put', key, expectedRevision: present?.revision ?? 0, value }])
    return 'Written'
  }

  /** Another move into the same place may have been faster: what it put is looked at once more. */
  async function putAgainst(others: () => Promise<PutOutcome>): Promise<PutOutcome> {
    try {
      return await others()
    } catch (error) {
      if (!(error instanceof StoreError) || !OVERTAKEN.has(error.reason)) throw error
      return await others()
    }
  }

  return {
    name,
    objects: () => objectsOf(ports, instant),
    spent: () => spentOf(ledger, clock, tenantsIn(store)),
    put: (carried, options) => inWords(() => putAgainst(() => put(carried, options)), carried),
    remove: (key) => inWords(() => remove(store, key), key),
    setSpent: (spent) => setSpentIn(ledger, spent),
    seal: () => Promise.resolve(),
    close: ports.close,
  }
}

async function remove(store: Store, { collection, namespace, name }: StoreKey): Promise<void> {
  const key = { collection, namespace, name }
  const present = await store.read(key)
  if (present === undefined) return
  const value = (revision: number): string => JSON.stringify(atRevision(objectIn(present), revision))
  await store.commit([{ type: 'Delete', key, expectedRevision: present.revision, value }])
}

async function* objectsOf(
  ports: StorePlacePorts,
  instant: () => Promise<number | undefined>,
): AsyncGenerator<Carried, void, undefined> {
  const chosen = await instant()
  for (const collection of MOVED_COLLECTIONS) {
    const { storeAtRest, store } = ports
    // Read twice at one revision: somebody may write meanwhile, and only what is unreadable may make a difference.
    const at = chosen ?? (await storeAtRest.list(collection, { limit: 1 })).revision
    const [all, readable] = [storeAtRest, store].map((one) => recordsOf(one, collection, at))
    if (all === undefined || readable === undefined) continue
    for await (const atRest of all) {
      const { done, value: record } = await readable.next()
      if (done === true || record.name !== atRest.name || record.namespace !== atRest.namespace)
        throw new TransferError(
          `Cannot read ${titleOf(atRest)} in ${ports.name}: add the key that it was encrypted with to SECRETS_ENCRYPTION_KEYS, set MASTER_KEY, or delete it`,
        )
      const { namespace, name } = record
      yield { collection, namespace, name, object: objectIn(record) }
    }
  }
}

async function* recordsOf(store: Store, collection: string, at?: number): AsyncGenerator<StoreRecord, void, undefined> {
  let after: ListPage['next']
  do {
    const page: ListPage = await store.list(collection, {
      limit: PAGE_RECORDS,
      ...(after === undefined ? {} : { after }),
      ...(at === undefined ? {} : { at }),
    })
    yield* page.records
    after = page.next
  } while (after !== undefined)
}

async function* tenantsIn(store: Store): AsyncGenerator<string, void, undefined> {
  for await (const { name } of recordsOf(store, resourceName(tenantKind))) yield name
}

/** Of this month and the last one: what is older limits nobody. */
export async function* spentOf(
  ledger: Ledger,
  clock: Clock,
  tenants: AsyncIterable<string>,
): AsyncGenerator<Spent, void, undefined> {
  for await (const tenant of tenants)
    for (const period of periods(clock.now())) {
      const { spent, reserved } = await ledger.read(tenant, period)
      // What is reserved when nobody runs will never be settled: it counts as spent.
      if (spent + reserved > 0) yield { tenant, period, spent: spent + reserved }
    }
}

/** Counts what was spent elsewhere; what is counted already is not counted again. */
export async function setSpentIn(ledger: Ledger, { tenant, period, spent }: Spent): Promise<void> {
  const missing = spent - (await ledger.read(tenant, period)).spent
  if (missing <= 0) return
  // The id says what is put, so that a second run adds nothing.
  const id = `moved-${period}-${spent}`
  await ledger.reserve({ tenant, period, id, tokens: missing, limit: null, expiresAfterMs: EXPIRES_AFTER_MS })
  await ledger.settle(tenant, id, missing)
}

function periods(nowMs: number): readonly string[] {
  const now = periodOf(nowMs)
  const [year = 0, month = 0] = now.split('-').map(Number)
  const before = month === 1 ? `${year - 1}-12` : `${year}-${String(month - 1).padStart(2, '0')}`
  return [before, now]
}

/** A record's value is an object's JSON text: the store's contract. */
const objectIn = (record: StoreRecord): JsonObject => JSON.parse(record.value) as JsonObject

const atRevision = (object: JsonObject, revision: number): JsonObject => ({
  ...object,
  metadata: { ...metadataOf(object), resourceVersion: String(revision) },
})

async function inWords<T>(run: () => Promise<T>, carried: StoreKey): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new TransferError(`Cannot put ${titleOf(carried)}: ${error.message}`, { cause: error })
  }
}
