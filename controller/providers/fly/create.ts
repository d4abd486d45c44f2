/** How a machine is made at Fly: a name that is taken is adopted, a region without room is passed over. */
import { ProviderError, type Machine, type MachineSpec } from '../machines.ts'
import { sameStamp } from '../owner-stamp.ts'
import { appPath } from './apps.ts'
import { mayTakeElsewhere, nameHolderId } from './classify.ts'
import { errorWords, refusal, type FlyCall, type FlyReply } from './http.ts'
import { appName, createRequest } from './machine-config.ts'
import { getMachine } from './reads.ts'
import { isPinned, specFaults } from './spec-check.ts'
import { markFull, readMachine, remember, retold, type Bounds, type Room } from './room.ts'

/** More requests than that for one machine would use up the creates of its whole app. */
const REGIONS_TRIED_MAX = 3
const IMAGES_WARNED_MAX = 1_000

/** The machine of that name with that stamp, made or found. */
export async function createMachine(room: Room, spec: MachineSpec, bounds: Bounds): Promise<Machine> {
  const faults = specFaults(spec)
  if (faults.length > 0)
    throw new ProviderError('InvalidSpec', `Cannot create machine "${spec.name}": ${faults.join('; ')}`)
  warnOfTag(room, spec.image)
  const app = appName(room.options.appTemplate, spec.owner.tenant)
  await room.apps.ensure(app, bounds)
  const { call, reply } = await postWhereThereIsRoom(room, { spec, app, bounds })
  if (reply.status < 300) {
    const machine = readMachine(room, call, reply)
    remember(room, machine)
    return machine
  }
  const error = reply.failure ?? refusal(call, reply)
  if (reply.status === 404) room.apps.forget(app)
  if (reply.status === 404 || (reply.status === 401 && room.apps.isFresh(app))) throw retold(error, 'NotReady')
  // The id of the holder is in the words of the refusal: the only handle that is strongly consistent.
  const id = nameHolderId(errorWords(reply).text)
  if (id === undefined) throw error
  return adopt(room, { spec, id, error, bounds })
}

/** What a tag names may change under a fleet; what the provider took is recorded with its digest. */
function warnOfTag({ log, warnedOf }: Room, image: string): void {
  if (isPinned(image) || warnedOf.has(image)) return
  if (warnedOf.size >= IMAGES_WARNED_MAX) warnedOf.clear()
  warnedOf.add(image)
  log.warn({ image }, 'the image is not pinned: name it by digest, so that all machines of it are the same')
}

type Posting = { readonly spec: MachineSpec; readonly app: string; readonly bounds: Bounds }

/**
 * Fly walks an ordered list of regions by itself. What it refuses all the same for want of room, or for a quota of the
 * first region, is asked of the rest, under the same name: the refusal says that nothing was made.
 */
async function postWhereThereIsRoom(
  room: Room,
  { spec, app, bounds }: Posting,
): Promise<{ readonly call: FlyCall; readonly reply: FlyReply }> {
  const regions = roomiestFirst(room, spec.regions)
  const tries = Math.min(regions.length, REGIONS_TRIED_MAX)
  for (let tried = 1; ; tried++) {
    const call: FlyCall = {
      action: 'create',
      method: 'POST',
      path: `${appPath(app)}/machines`,
      app,
      body: createRequest({ ...spec, regions: regions.slice(tried - 1) }),
      regions: spec.regions,
      // 403 is a quota of the region, or of the token.
      tolerate: [400, 401, 403, 404, 409, 412, 422, 503],
      claimant: spec.name,
      movesOn: tried < tries,
      ...bounds,
    }
    const reply = await room.http(call)
    const mayMove = reply.failure !== undefined && mayTakeElsewhere(reply.failure.reason, reply.status)
    if (mayMove) markFull(room, regions[tried - 1] ?? '')
    if (!mayMove || tried >= tries) return { call, reply }
  }
}

/** The order given, with those last that had no room within the last minute. */
function roomiestFirst(room: Room, regions: readonly string[]): readonly string[] {
  const nowMs = room.options.clock.monotonic()
  const isFull = (region: string): boolean => (room.full.get(region) ?? -Infinity) > nowMs
  return [...regions.filter((region) => !isFull(region)), ...regions.filter(isFull)]
}

type Adoption = {
  readonly spec: MachineSpec
  readonly id: string
  readonly error: ProviderError
  readonly bounds: Bounds
}

async function adopt(room: Room, { spec, id, error, bounds }: Adoption): Promise<Machine> {
  const holder = await getMachine(room, { tenant: spec.owner.tenant, id }, bounds)
  // Reads lag behind writes: the holder of the name may not be seen yet, or may just have gone.
  if (!holder) throw retold(error, 'NotReady')
  if (holder.name === spec.name && sameStamp(holder.owner, spec.owner)) {
    remember(room, holder)
    return holder
  }
  if (!holder.hostReachable && !holder.owner) throw retold(error, 'NotReady')
  throw retold(error, 'NameConflict')
}
