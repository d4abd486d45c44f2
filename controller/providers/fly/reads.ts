/** How machines are read at Fly: one by its id, or a tenant's as a list. */
import type { Machine, MachineList, MachineRef } from '../machines.ts'
import { appPath } from './apps.ts'
import { flyError, isAbsent, type FlyCall } from './http.ts'
import { appName, isSharedApp, stampFilter } from './machine-config.ts'
import { listSchema, machineSchema } from './replies.ts'
import { machineCall, machineOf, readMachine, remember, type Bounds, type Room } from './room.ts'

/** The machines of one tenant, in one request. */
export async function listMachines(room: Room, tenant: string, bounds: Bounds): Promise<MachineList> {
  const { options } = room
  const app = appName(options.appTemplate, tenant)
  const shared = isSharedApp(options.appTemplate)
  const query = shared ? `?${stampFilter(options.controlPlaneId, tenant).toString()}` : ''
  const path = `${appPath(app)}/machines${query}`
  const call: FlyCall = { action: 'list', method: 'GET', path, app, tolerate: [404], claimant: tenant, ...bounds }
  const reply = await room.http(call)
  if (isAbsent(call, reply)) {
    room.apps.forget(app)
    return { machines: [], complete: !room.apps.isFresh(app) }
  }
  const rows = listSchema.safeParse(reply.json)
  if (!rows.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const parsed = rows.data.map((row) => machineSchema.safeParse(row))
  const machines = parsed.flatMap((row) => (row.success ? [machineOf(room, row.data, app)] : []))
  for (const machine of machines) remember(room, machine)
  // A row stamped for another tenant tells that this is not the picture we asked for.
  const stray = machines.some((machine) => machine.owner && machine.owner.tenant !== tenant)
  const mine = machines.filter((machine) => (machine.owner ? machine.owner.tenant === tenant : !shared))
  return {
    machines: mine.filter((machine) => machine.state !== 'destroyed'),
    complete: reply.status === 200 && !stray && parsed.every((row) => row.success),
  }
}

/** One machine; undefined when the API says that it does not exist, or that it is destroyed. */
export async function getMachine(room: Room, ref: MachineRef, bounds: Bounds): Promise<Machine | undefined> {
  const call = machineCall(room, ref, { action: 'get', method: 'GET', bounds, tolerate: [404] })
  const reply = await room.http(call)
  if (isAbsent(call, reply)) return undefined
  const machine = readMachine(room, call, reply)
  if (machine.id !== ref.id) throw flyError(call, reply, { reason: 'Unexpected', why: `machine ${machine.id}` })
  return machine.state === 'destroyed' ? undefined : machine
}
