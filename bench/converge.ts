/** From a spec that is written to the create request at the provider, on the embedded store, against one bare durable write. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Client } from '../controller/client/client.ts'
import type { Manager } from '../controller/engine/manager.ts'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createFakeMachines } from '../controller/providers/fake/fake-machines.ts'
import type { MachineProvider } from '../controller/providers/machines.ts'
import { realClock, type Clock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { percentile, type Row } from './table.ts'
import { CONTROL_PLANE, openWorld } from './world.ts'

const TENANTS = 50
const SPRITES = 500
/** Between two applies, in ms: 20 a second, as performance.md's row 1 has it. */
const PACE_MS = 50
/** What an apply may take until the create is sent, in ms. */
const AIM_MS = { p50: 10, p99: 50 } as const

/** p50 and p99 of apply → create over 500 single applies on 50 tenants, beside a bare durable write and beside the aim. */
export async function benchConverge(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-converge-'))
  const world = await openConverging(join(folder, 'store.db'))
  const bare = openBare(join(folder, 'bare.db'))
  const [waits, floors]: [number[], number[]] = [[], []]
  try {
    for (let tenant = 0; tenant < TENANTS; tenant++) await world.addTenant(`tenant-${tenant}`)
    for (let index = 0; index < SPRITES; index++) {
      waits.push(await world.applySprite(`tenant-${index % TENANTS}`, `s${index}`))
      floors.push(bare.write(index))
      await realClock.sleep(PACE_MS)
    }
    return (['p50', 'p99'] as const).flatMap((name) => {
      const share = name === 'p50' ? 0.5 : 0.99
      const [oursMs, floorMs, aimMs] = [percentile(waits, share), percentile(floors, share), AIM_MS[name]]
      const row = { what: `spec written -> create request, ${name}`, ours: `${oursMs.toFixed(1)} ms` }
      return [
        { ...row, divisor: `one bare durable write ${floorMs.toFixed(2)} ms`, ratio: oursMs / floorMs },
        { ...row, divisor: `aim ${aimMs} ms`, ratio: oursMs / aimMs, aim: { ratio: 1, atMost: true } },
      ]
    })
  } finally {
    bare.close()
    await world.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function openBare(path: string): { write: (index: number) => number; close: () => void } {
  const database = new DatabaseSync(path)
  database.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE kv(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID',
  )
  const put = database.prepare('INSERT OR REPLACE INTO kv(k, v) VALUES (?, ?)')
  return {
    write: (index) => {
      const startedMs = realClock.monotonic()
      put.run(`key-${index}`, 'x'.repeat(1000))
      return realClock.monotonic() - startedMs
    },
    close: () => database.close(),
  }
}

async function openConverging(path: string) {
  const arrived = new Map<string, (atMs: number) => void>()
  const world = await openWorld(path, () => {
    const machines = createFakeMachines({
      clock: realClock,
      entropy: realEntropy,
      controlPlaneId: CONTROL_PLANE,
      steps: { min: 0, max: 0 },
    })
    return tellingCreates(machines, (sprite) => arrived.get(sprite)?.(realClock.monotonic()))
  })
  return { ...operations({ ...world, arrived, clock: realClock }), close: world.close }
}

/** What the benchmark does to the world, and how long it took until the provider was asked. */
function operations(world: {
  readonly client: Client
  readonly manager: Manager
  readonly arrived: Map<string, (atMs: number) => void>
  readonly clock: Clock
}) {
  const { client, manager, arrived, clock } = world
  return {
    addTenant: async (name: string) => {
      await client.create(tenantKind, {
        metadata: { name },
        spec: { displayName: name, plan: 'enterprise', config: {}, brand: {}, suspend: false },
      })
      await manager.whenIdle()
    },
    applySprite: async (namespace: string, name: string) => {
      const { promise, resolve } = Promise.withResolvers<number>()
      arrived.set(name, resolve)
      const startedMs = clock.monotonic()
      await client.create(spriteKind, {
        metadata: { name, namespace },
        spec: { agentType: 'copywriter', runPolicy: 'Always' },
      })
      const waitMs = (await promise) - startedMs
      await manager.whenIdle()
      return waitMs
    },
  }
}

/** The machines, with a word at each create: only when the request is made is looked at. */
function tellingCreates(machines: MachineProvider, onCreate: (sprite: string) => void): MachineProvider {
  return Object.assign(Object.create(machines) as MachineProvider, {
    create: (...args: Parameters<MachineProvider['create']>) => {
      onCreate(args[0].owner.sprite)
      return machines.create(...args)
    },
    list: machines.list.bind(machines),
    get: machines.get.bind(machines),
    start: machines.start.bind(machines),
    stop: machines.stop.bind(machines),
    destroy: machines.destroy.bind(machines),
    removeTenant: machines.removeTenant.bind(machines),
  })
}
