/**
 * Bounds how many objects of a kind a namespace may hold, as ResourceQuota does, and how many bytes all of them: whoever
 * may write must not fill the store, which is in memory as a whole.
 *
 * Rules (tests in quota.test.ts; QT6 and QT7, of the numbers, in controller/kinds/object-limits.ts):
 *  QT1 The object past the limit is refused with Forbidden; the message has what was requested, used and limited.
 *  QT2 Everybody is bound but the control plane itself: what it makes is bounded by what declares it.
 *  QT3 Other namespaces, kinds without a limit, updates and deletions are not counted; a deletion makes room.
 *  QT4 A dry run is judged alike and takes no room.
 *  QT8 A write that makes the namespace's objects larger in all than they may be is refused likewise; one that makes them
 *      smaller, or leaves them so, never is. Bytes are those of the stored texts, of all kinds with a limit.
 *  QT5 However many come at once, no more are let in than there is room for.
 */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { resourceName } from '../api/define-kind.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Store } from '../store/store.ts'
import { createKeyedLock } from './keyed-lock.ts'
import { forbidden } from './refusals.ts'
import type { WriteContext } from './registry.ts'
import { fromStore } from './store-errors.ts'

/** Gives back what was taken, once the object is stored or refused. */
export type GiveBack = () => void

/** Asked before an object is created. Throws Forbidden when there are as many as there may be. */
export type Quota = {
  readonly take: (
    resource: ResourceDefinition,
    at: { readonly namespace: string; readonly name: string },
    context: Pick<WriteContext, 'actor' | 'dryRun'>,
  ) => Promise<GiveBack>
  /** Asked before a write is stored. Throws Forbidden when there is no room for so many bytes more. */
  readonly grow: (
    resource: ResourceDefinition,
    at: { readonly namespace: string; readonly name: string },
    by: { readonly bytes: number; readonly actor: WriteContext['actor'] },
  ) => Promise<void>
}

/** What a quota is made from; `limits` is by the resource's name, such as `sprites.sprites.highera.com`. */
export type QuotaOptions = {
  readonly store: Pick<Store, 'list'>
  readonly limits: ReadonlyMap<string, number>
  /** Of all objects of a namespace together; absent: as many as they like. */
  readonly bytesMax?: number
}

/** Objects that are let in on one count: it costs a look at the whole namespace. */
const TICKETS_MAX = 100
/** Namespaces and kinds that a count is kept of; past that all are counted anew. */
const COUNTS_MAX = 10_000

/** What is known of one kind in one namespace: how many more may come before it is counted again, and how many are on their way. */
type Room = { tickets: number; underWay: number }

const nothing: GiveBack = () => undefined

/** The quota of namespaces of one store. It counts, and lets in what there is room for before it counts again. */
export function createQuota({ store, limits, bytesMax = Infinity }: QuotaOptions): Quota {
  const rooms = new Map<string, Room>()
  const lock = createKeyedLock()

  function roomOf(key: string): Room {
    const known = rooms.get(key)
    if (known !== undefined) return known
    if (rooms.size >= COUNTS_MAX) for (const [other, { underWay }] of rooms) if (underWay === 0) rooms.delete(other)
    const room = { tickets: 0, underWay: 0 }
    rooms.set(key, room)
    return room
  }

  /** At least as many as there are: what is under way may be counted twice, but nothing is missed. */
  async function countAtMost(resource: ResourceDefinition, namespace: string, room: Room): Promise<number> {
    const { underWay } = room
    const collection = resourceName(resource)
    // Without a record none is decrypted, which might fail. Another process's newest ones are counted the next time.
    const page = await fromStore(resource, '', () => store.list(collection, { namespace, limit: 0, mayLag: true }))
    return underWay + page.records.length + page.remaining
  }

  return {
    grow: createGrowth({ store, limits, bytesMax }),
    take: async (resource, { namespace, name }, { actor, dryRun }) => {
      const limit = resource.scope === 'Cluster' ? undefined : limits.get(resourceName(resource))
      if (limit === undefined || actor.name === CONTROLLER_ACTOR.name) return nothing
      const key = `${resourceName(resource)}/${namespace}`
      const enter = (room: Room): GiveBack => {
        if (dryRun === true) return nothing
        room.tickets -= 1
        room.underWay += 1
        return () => {
          room.underWay -= 1
        }
      }
      const known = roomOf(key)
      if (known.tickets > 0) return enter(known)
      return lock(key, async () => {
        const room = roomOf(key)
        // Somebody before us has counted meanwhile.
        if (room.tickets > 0) return enter(room)
        const used = await countAtMost(resource, namespace, room)
        if (used >= limit) throw exceeded(resource, name, { used, limit })
        room.tickets = Math.min(TICKETS_MAX, limit - used)
        return enter(room)
      })
    },
  }
}

/** Of all bytes that may be, the share that is let in on one count. */
const CREDIT_SHARE = 0.05

function createGrowth({ store, limits, bytesMax }: Required<QuotaOptions>): Quota['grow'] {
  /** Bytes by namespace that may come before they are counted again. */
  const credits = new Map<string, number>()
  const lock = createKeyedLock()

  async function bytesIn(resource: ResourceDefinition, namespace: string): Promise<number> {
    let bytes = 0
    for (const collection of limits.keys()) {
      const { records } = await fromStore(resource, '', () => store.list(collection, { namespace, mayLag: true }))
      for (const { value } of records) bytes += value.length
    }
    return bytes
  }

  return async (resource, { namespace, name }, { bytes, actor }) => {
    const isBound = resource.scope === 'Namespaced' && limits.has(resourceName(resource)) && bytesMax < Infinity
    if (!isBound || bytes <= 0 || actor.name === CONTROLLER_ACTOR.name) return
    await lock(namespace, async () => {
      const credit = credits.get(namespace) ?? 0
      if (credit >= bytes) {
        credits.set(namespace, credit - bytes)
        return
      }
      const used = await bytesIn(resource, namespace)
      if (used + bytes > bytesMax) throw tooMuch(resource, name, { bytes, used, bytesMax })
      if (credits.size >= COUNTS_MAX) credits.clear()
      credits.set(namespace, Math.max(0, Math.min(bytesMax * CREDIT_SHARE, bytesMax - used) - bytes))
    })
  }
}

function tooMuch(
  resource: ResourceDefinition,
  name: string,
  { bytes, used, bytesMax }: { readonly bytes: number; readonly used: number; readonly bytesMax: number },
) {
  const message = `exceeded quota: objects, requested: bytes=${bytes}, used: bytes=${used}, limited: bytes=${bytesMax}; delete what is no longer needed`
  return forbidden(resource, name, [{ reason: 'FieldValueForbidden', message }])
}

/** In the words of ResourceQuota, and what would help. */
function exceeded(
  resource: ResourceDefinition,
  name: string,
  { used, limit }: { readonly used: number; readonly limit: number },
) {
  const what = `count/${resourceName(resource)}`
  const message = `exceeded quota: objects, requested: ${what}=1, used: ${what}=${used}, limited: ${what}=${limit}; delete some that are no longer needed`
  return forbidden(resource, name, [{ reason: 'FieldValueForbidden', message }])
}
