/** The emulator's control API under /_emulator/: for tests and people who make things go wrong, and look at what happened. */
import { z } from 'zod'
import { emulatorScriptSchema } from './emulator-script.ts'
import { feedOdditiesSchema, type FeedOddities } from './feed.ts'
import type { FlyEmulator } from './fly-emulator.ts'
import { hostOf } from './hosts.ts'
import { latencyFileSchema } from './latency.ts'
import type { EmulatedMachine } from './model.ts'
import { placementRuleSchema } from './placement.ts'
import type { EmulatorRecords } from './records.ts'
import { readBody } from './request-body.ts'
import { matchPath } from './routes.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'
import type { EmulatedWorld } from './world.ts'

/** What is controlled; `feed` is changed in place. */
export type ControlParts = {
  readonly emulator: Pick<FlyEmulator, 'faults' | 'hosts' | 'placement' | 'journal' | 'machineRequest' | 'setLatency'>
  readonly world: EmulatedWorld
  readonly records: EmulatorRecords
  readonly feed: FeedOddities
}

type ControlRequest = { readonly key: string; readonly query: URLSearchParams; readonly body: unknown }
type ControlRoute = {
  readonly method: string
  readonly path: string
  readonly run: (parts: ControlParts, request: ControlRequest) => Answer
}

const DONE: Answer = { status: 204 }
const NO_MACHINE = refusalAnswer(404, 'no such machine, or nothing of it runs')

const ROUTES: readonly ControlRoute[] = [
  { method: 'GET', path: '/health', run: () => answer({ ok: true }) },
  { method: 'GET', path: '/journal', run: readJournal },
  { method: 'GET', path: '/transitions', run: ({ world }) => answer({ transitions: world.transitions }) },
  { method: 'GET', path: '/machines', run: listMachines },
  { method: 'GET', path: '/faults', run: readFaults },
  { method: 'POST', path: '/faults', run: addFaults },
  { method: 'DELETE', path: '/faults', run: clearFaults },
  { method: 'PUT', path: '/capacity', run: setCapacity },
  { method: 'PUT', path: '/feed', run: setFeed },
  { method: 'PUT', path: '/latency', run: setLatency },
  { method: 'GET', path: '/hosts', run: ({ emulator }) => answer({ hosts: emulator.hosts.list() }) },
  { method: 'POST', path: '/hosts/:key/lose', run: loseHost },
  { method: 'POST', path: '/hosts/:key/return', run: returnHost },
  { method: 'POST', path: '/machines/:key/exit', run: exitMachine },
  { method: 'POST', path: '/machines/:key/migrate', run: migrateMachine },
]

/** Answers a request of the control API; what is asked as a machine is answered as the machine would be. */
export async function controlAnswer(parts: ControlParts, request: Request, url: URL): Promise<Answer | Response> {
  const inside = /^\/_emulator\/machines\/([0-9a-f]{1,64})\/api(\/v1\/.*)$/.exec(url.pathname)
  if (inside) return asMachine(parts, request, { id: inside[1] ?? '', path: `${inside[2] ?? ''}${url.search}` })
  const segments = url.pathname.split('/').slice(2)
  for (const route of ROUTES) {
    const found = route.method === request.method ? matchPath(route.path, segments) : undefined
    if (!found) continue
    const body = parse(await request.text())
    if (body === NOT_JSON) return refusalAnswer(400, 'request body is not JSON')
    return route.run(parts, { key: found.get('key') ?? '', query: url.searchParams, body })
  }
  return refusalAnswer(404, 'no such route of the control API')
}

async function asMachine(
  { emulator }: ControlParts,
  request: Request,
  { id, path }: { readonly id: string; readonly path: string },
): Promise<Response> {
  const text = await request.text()
  const init = { method: request.method, headers: request.headers, ...(text === '' ? {} : { body: text }) }
  return emulator.machineRequest(id, new Request(new URL(path, 'http://emulator'), init))
}

const NOT_JSON = Symbol('not JSON')

function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return NOT_JSON
  }
}

const JOURNAL_PAGE = 1_000

function readJournal({ emulator }: ControlParts, { query }: ControlRequest): Answer {
  const after = Number(query.get('after') ?? 0) || 0
  const rows = emulator.journal.filter((entry) => entry.sequence > after)
  const page = rows.slice(0, JOURNAL_PAGE)
  return answer({ entries: page, more: rows.length > page.length })
}

/** The truth, with nothing of what is in a config. */
function listMachines({ records }: ControlParts): Answer {
  const rows = [...records.machines.values()].map((machine: EmulatedMachine) => ({
    id: machine.id,
    app: machine.app,
    name: machine.name,
    state: machine.state,
    region: machine.region,
    host: hostOf(machine),
    host_status: machine.hostStatus,
    metadata: machine.config.metadata,
    has_process: machine.run !== undefined,
  }))
  return answer({ machines: rows })
}

function readFaults({ emulator, world, feed }: ControlParts): Answer {
  return answer({
    requests: emulator.faults.rules(),
    machines: world.faults.rules(),
    placement: emulator.placement.rules(),
    feed,
  })
}

/** Adds to what is there; hosts are counted from now, and a feed takes the place of the one before. */
function addFaults({ emulator, world, feed }: ControlParts, { body }: ControlRequest): Answer {
  const script = readBody(emulatorScriptSchema.omit({ seed: true, rates: true, quirks: true }), body)
  if (!script.ok) return script.refusal
  for (const rule of script.value.requests) emulator.faults.add(rule)
  for (const rule of script.value.machines) world.faults.add(rule)
  for (const rule of script.value.placement) emulator.placement.add(rule)
  emulator.hosts.plan(script.value.hosts)
  if (typeof body === 'object' && body !== null && 'feed' in body) Object.assign(feed, script.value.feed)
  return DONE
}

function clearFaults({ emulator, world, feed }: ControlParts): Answer {
  emulator.faults.clear()
  world.faults.clear()
  emulator.placement.clear()
  Object.assign(feed, feedOdditiesSchema.parse({}))
  return DONE
}

const capacitySchema = z.strictObject({
  region: z.string().max(64),
  /** Null lifts the limit. */
  machines: z.int().min(0).max(10_000_000).nullable(),
  shape: placementRuleSchema.shape.shape.default('region422'),
})

/** How many machines a region takes, in place of what was said of it before. */
function setCapacity({ emulator: { placement } }: ControlParts, { body }: ControlRequest): Answer {
  const read = readBody(capacitySchema, body)
  if (!read.ok) return read.refusal
  const { region, machines, shape } = read.value
  const others = placement.rules().filter((rule) => rule.region !== region || rule.app !== undefined)
  placement.clear()
  for (const rule of others) placement.add(rule)
  if (machines !== null) placement.add({ shape, region, room: machines })
  return DONE
}

function setFeed({ feed }: ControlParts, { body }: ControlRequest): Answer {
  const read = readBody(feedOdditiesSchema, body)
  if (!read.ok) return read.refusal
  Object.assign(feed, read.value)
  return DONE
}

function setLatency({ emulator }: ControlParts, { body }: ControlRequest): Answer {
  const read = readBody(latencyFileSchema, body)
  if (!read.ok) return read.refusal
  emulator.setLatency(read.value)
  return DONE
}

const loseSchema = z.strictObject({ processes: z.enum(['live', 'end']).default('live') })

function loseHost({ emulator }: ControlParts, { key, body }: ControlRequest): Answer {
  const read = readBody(loseSchema, body)
  if (!read.ok) return read.refusal
  return answer({ machines: emulator.hosts.lose(key, read.value.processes) })
}

function returnHost({ emulator }: ControlParts, { key }: ControlRequest): Answer {
  return answer({ machines: emulator.hosts.restore(key) })
}

const exitSchema = z.strictObject({
  code: z.int().min(0).max(255).optional(),
  signal: z.int().min(1).max(64).optional(),
  oom: z.boolean().default(false),
})

function exitMachine({ world }: ControlParts, { key, body }: ControlRequest): Answer {
  const read = readBody(exitSchema, body)
  if (!read.ok) return read.refusal
  if (!world.machine(key)?.run) return NO_MACHINE
  const { code, signal, oom } = read.value
  const exit = oom ? { code: 137, signal: 9, oom } : { code: code ?? (signal === undefined ? 1 : 128 + signal) }
  world.crash(key, { ...exit, ...(signal === undefined ? {} : { signal }) })
  return DONE
}

function migrateMachine({ emulator }: ControlParts, { key }: ControlRequest): Answer {
  return emulator.hosts.migrate(key) ? DONE : NO_MACHINE
}
