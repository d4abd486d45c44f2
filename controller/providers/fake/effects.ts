/** Pure: what create, start, stop and destroy do to the fake world, with the refusals that a real provider gives. */
import { ProviderError, type Machine, type MachineExit, type MachineRef, type MachineSpec } from '../machines.ts'
import { sameStamp } from '../owner-stamp.ts'
import { holdsName, type FakeRecord, type FakeWorld } from './fake-world.ts'

/** The machine of this ref while it holds its name; a ref with another tenant finds nothing. */
export function findMachine(world: FakeWorld, ref: MachineRef): FakeRecord | undefined {
  const record = world.records.get(ref.id)
  return record?.tenant === ref.tenant && holdsName(record.machine.state) ? record : undefined
}

/** Makes the machine, or adopts the one of the same name and stamp (MP1). */
export function createOrAdopt(world: FakeWorld, spec: MachineSpec): Machine {
  const existing = world.byName(spec.owner.tenant, spec.name)
  if (!existing) return world.add(spec).machine
  if (sameStamp(existing.machine.owner, spec.owner)) return existing.machine
  throw new ProviderError('NameConflict', `Machine name "${spec.name}" is taken by "${existing.machine.id}", not ours`)
}

/** Starts it; NotReady from a state that must pass first, as Fly's 412 (MP4). */
export function startMachine(world: FakeWorld, record: FakeRecord | undefined, ref: MachineRef): void {
  const state = record?.machine.state
  if (!record || state === 'destroying') throw notFound('start', ref)
  if (state === 'started' || state === 'starting') return
  if (state !== 'stopped' && state !== 'suspended' && state !== 'failed') throw notReady('start', ref, state)
  world.move(record, { via: 'starting', to: 'started' })
}

/** Stops it: stopped, or destroyed with autoDestroy (MP4). */
export function stopMachine(
  world: FakeWorld,
  record: FakeRecord | undefined,
  at: { readonly ref: MachineRef; readonly nowMs: number },
): void {
  if (!record) throw notFound('stop', at.ref)
  const state = record.machine.state
  if (state === 'stopped' || state === 'stopping' || state === 'destroying' || state === 'failed') return
  if (state === 'created' || state === 'creating' || state === 'replacing') throw notReady('stop', at.ref, state)
  const exit: MachineExit = { atMs: at.nowMs, code: 0, requested: true }
  world.move(record, { via: 'stopping', to: record.autoDestroy ? 'destroyed' : 'stopped', exit })
}

/** Destroys it from any state; of an unknown machine a success (MP4). */
export function destroyMachine(world: FakeWorld, record: FakeRecord | undefined): void {
  if (!record || record.machine.state === 'destroying') return
  world.move(record, { via: 'destroying', to: 'destroyed' })
}

const notFound = (verb: string, ref: MachineRef): ProviderError =>
  new ProviderError('NotFound', `Cannot ${verb} machine "${ref.id}": it does not exist`)

const notReady = (verb: string, ref: MachineRef, state: string | undefined): ProviderError =>
  new ProviderError('NotReady', `Cannot ${verb} machine "${ref.id}" from state "${state}": try again shortly`)
