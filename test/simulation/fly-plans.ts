/** Every fault that the emulator knows, as plans: each route that the adapter calls with each fault, and what befalls machines. */
import type { EmulatorFault, MachineRule } from '../../controller/providers/fly-emulator/faults.ts'
import type { PlacementShape } from '../../controller/providers/fly-emulator/placement.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { STORE_FAULT_KINDS } from './store-faults.ts'
import type { FlyPlan } from './fly-story.ts'
import type { FlyWorld } from './fly-world.ts'

/** The emulator's routes that the adapter calls. */
export const ROUTES = [
  'createMachine',
  'getMachine',
  'startMachine',
  'stopMachine',
  'destroyMachine',
  'listMachines',
  'listOrgMachines',
  'getApp',
  'createApp',
  'deleteApp',
  'createDeployToken',
] as const

const STATUSES = [400, 401, 403, 404, 408, 409, 412, 422, 429, 500, 502, 503] as const
const ALWAYS = 1_000_000

const EMPTY: Readonly<Record<string, string>> = {
  listMachines: '[]',
  listOrgMachines: '{"machines":[],"next_cursor":"","error_regions":[]}',
}

/** Every fault of a request of this route. */
function requestFaults(action: string): readonly EmulatorFault[] {
  return [
    ...STATUSES.map((status): EmulatorFault => ({ kind: 'status', status })),
    { kind: 'status', status: 429, headers: { 'retry-after': '7' } },
    { kind: 'reset' },
    { kind: 'loseReply' },
    { kind: 'hang' },
    { kind: 'delay', delayMs: 2_000 },
    { kind: 'delay', delayMs: 6_000 },
    ...[408, 500, 502].map((status): EmulatorFault => ({ kind: 'statusAfterCommit', status })),
    { kind: 'body', text: '<html>Bad Gateway</html>' },
    { kind: 'body', text: '{"id":"4d89', contentType: 'application/json' },
    { kind: 'body', text: EMPTY[action] ?? '{}', contentType: 'application/json' },
  ]
}

const nameOf = (fault: object): string => Object.values(fault).map(textOf).join(' ')
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** The route with each fault: at every call, and at one call only, the first, the second … up to `depth`. */
export function routePlans(action: string, depth: number): readonly FlyPlan[] {
  return requestFaults(action).flatMap((fault) => {
    const every: FlyPlan = {
      name: `${action} ${nameOf(fault)} at every call`,
      seed: 1,
      action,
      faults: { requests: [{ action, fault, times: ALWAYS }] },
    }
    const singly = Array.from({ length: depth }, (_, after): FlyPlan => ({
      name: `${action} ${nameOf(fault)} at call ${after + 1}`,
      seed: 2 + after,
      action,
      faults: { requests: [{ action, fault, after }] },
    }))
    return [every, ...singly]
  })
}

const DOWNFALLS: readonly Pick<MachineRule, 'on' | 'fault'>[] = [
  ...(['launch', 'boot'] as const).flatMap((on) => [
    { on, fault: { kind: 'slow' as const, delayMs: 30_000 } },
    { on, fault: { kind: 'stuck' as const } },
    { on, fault: { kind: 'fail' as const } },
  ]),
  { on: 'stop', fault: { kind: 'stuck' } },
  { on: 'destroy', fault: { kind: 'stuck' } },
  ...[{ code: 0 }, { code: 1 }, { signal: 9 }, { oom: true }].map((how) => ({
    on: 'run' as const,
    fault: { kind: 'exit' as const, afterMs: 7_000, ...how },
  })),
]

const NO_ROOM: readonly PlacementShape[] = [
  'region422',
  'region409',
  'region503',
  'quota403',
  'limit422',
  'manifest400',
  'guest400',
  'host409',
]

const ODD_FEEDS = {
  short: { shortPages: 0.9 },
  empty: { emptyPages: 0.9 },
  shuffled: { shuffledPages: 0.9 },
  'without a region': { errorRegions: ['iad'] },
}

/** The host of our first machine that is up goes away at 20 s, and comes back when the faults end. */
async function loseHost(world: FlyWorld, processes: 'live' | 'end'): Promise<void> {
  const host = world.live().find(({ state }) => state === 'started')?.host
  if (host !== undefined) await world.raw('POST', `/_emulator/hosts/${host}/lose`, { processes })
}

async function migrateAll(world: FlyWorld): Promise<void> {
  for (const { id } of world.live()) await world.raw('POST', `/_emulator/machines/${id}/migrate`)
}

const at =
  (when: number, act: (world: FlyWorld) => Promise<void>): NonNullable<FlyPlan['happens']> =>
  async (world, second) => {
    if (second === when) await act(world)
  }

/** What befalls machines, regions, hosts and the feed, and what is not known of the service. */
export function worldPlans(): readonly FlyPlan[] {
  const seed = 1
  return [
    { name: 'nothing goes wrong', seed },
    ...DOWNFALLS.flatMap((rule) =>
      [2, ALWAYS].map((times) => ({
        name: `machines: ${rule.on} ${nameOf(rule.fault)} × ${times}`,
        seed,
        faults: { machines: [{ ...rule, times }] },
      })),
    ),
    ...NO_ROOM.flatMap((shape) => [
      { name: `no room in iad: ${shape}`, seed, faults: { placement: [{ shape, region: 'iad' }] } },
      { name: `no room: ${shape}`, seed, faults: { placement: [{ shape }] } },
    ]),
    ...Object.entries(ODD_FEEDS).map(([name, feed]) => ({ name: `feed ${name}`, seed, faults: { feed: { ...feed } } })),
    ...(['live', 'end'] as const).flatMap((processes) =>
      [20, 62, 100].map((second) => ({
        name: `host lost at ${second} s, processes ${processes}`,
        seed,
        happens: at(second, (world) => loseHost(world, processes)),
      })),
    ),
    { name: 'machines migrate', seed, happens: at(20, migrateAll) },
    { name: 'reads lag', seed, slow: { extends: 'fly', readLag: { min: 0, max: 30_000 } } },
    { name: 'reads lag, a little', seed, world: { latency: 'fly-lagging' } },
    { name: 'machines take long', seed, slow: { extends: 'fly', launch: { min: 1_000, max: 70_000 } } },
    ...crashPlans(seed),
    ...quirkPlans(seed),
  ]
}

const SHARED = { appTemplate: 'highera-sprites' }

/** The same in one app for all tenants, in which others' machines are too. */
export function sharedPlans(): readonly FlyPlan[] {
  const routes = ['createMachine', 'getMachine', 'startMachine', 'stopMachine', 'destroyMachine', 'listMachines']
  const faults = routes.flatMap((action) => requestFaults(action).map((fault) => ({ action, fault })))
  return [
    { name: 'one shared app', seed: 1, world: SHARED },
    ...faults.map(({ action, fault }, at): FlyPlan => ({
      name: `one shared app: ${action} ${nameOf(fault)}`,
      seed: 1 + at,
      action,
      world: SHARED,
      faults: { requests: [{ action, fault, probability: 0.5, times: ALWAYS }] },
    })),
    ...crashPlans(1).map((plan) => ({ ...plan, name: `one shared app: ${plan.name}`, world: SHARED })),
  ]
}

/** Writes to the store go wrong, alone and while replies of Fly are lost. */
export function storePlans(): readonly FlyPlan[] {
  const lost = [{ action: '*', fault: { kind: 'loseReply' as const }, probability: 0.2, times: ALWAYS }]
  const kinds = [...STORE_FAULT_KINDS.map((kind) => [kind]), STORE_FAULT_KINDS]
  return kinds.flatMap((some) =>
    [0.05, 0.3, 0.7].flatMap((share, at): FlyPlan[] => {
      const name = `store: ${some.join(' ')} × ${share}`
      const store = { kinds: some, share }
      return [
        { name, seed: 1 + at, store },
        { name: `${name}, replies lost`, seed: 11 + at, store, faults: { requests: lost } },
        { name: `${name}, kill -9`, seed: 21 + at, store, happens: at5s },
      ]
    }),
  )
}

const at5s = async (world: FlyWorld, second: number): Promise<void> => {
  if (second % 25 === 5) await restart(world)
}

const restart = async (world: FlyWorld): Promise<void> => {
  await world.crash()
  await world.start()
}

const crashPlans = (seed: number): readonly FlyPlan[] =>
  [2, 5, 26, 41, 61, 91].map((second) => ({
    name: `control plane killed at ${second} s, replies of creates lost`,
    seed,
    happens: at(second, restart),
    faults: { requests: [{ action: 'createMachine', fault: { kind: 'loseReply' }, times: 3 }] },
  }))

function quirkPlans(seed: number): readonly FlyPlan[] {
  const quirks = [
    { foreignApp: 401 },
    { foreignApp: 404 },
    { nameTaken: 400 },
    { nameTaken: 422 },
    { appNameTaken: 409 },
    { destroyingHasName: false },
    { refusesStartOfStarted: true },
  ] as const
  return quirks.map((quirk) => ({
    name: `quirk ${JSON.stringify(quirk)}, replies lost`,
    seed,
    world: { quirks: quirk },
    faults: { requests: [{ action: '*', fault: { kind: 'loseReply' }, probability: 0.3, times: ALWAYS }] },
  }))
}

/** A mix of everything, drawn from the seed. */
export function mixedPlan(seed: number): FlyPlan {
  const entropy = seededEntropy(seed * 7_919)
  const draw = (): number => entropy.random()
  const pick = <T>(from: readonly T[]): readonly T[] => from.filter(() => draw() < 0.25)
  const requests = ROUTES.flatMap((action) =>
    requestFaults(action)
      .filter(() => draw() < 0.25)
      .map((fault) => ({ action, fault, probability: 0.02 + draw() * 0.1, times: ALWAYS })),
  )
  return {
    name: `mix ${seed}`,
    seed,
    world: {
      ...(draw() < 0.5 ? { latency: 'fly-lagging' as const } : {}),
      ...(draw() < 0.25 ? { appTemplate: 'highera-sprites' } : {}),
    },
    faults: {
      requests,
      machines: pick(DOWNFALLS).map((rule) => ({ ...rule, probability: 0.3, times: 6 })),
      placement: pick(NO_ROOM).map((shape) => ({ shape, probability: 0.3, times: 6 })),
      feed: Object.assign({}, ...pick(Object.values(ODD_FEEDS))) as object,
    },
    ...(draw() < 0.4 ? { store: { kinds: STORE_FAULT_KINDS, share: draw() * 0.3 } } : {}),
    happens: async (world) => {
      if (draw() < 0.02) await loseHost(world, draw() < 0.5 ? 'live' : 'end')
      if (draw() < 0.01) await migrateAll(world)
      if (draw() < 0.015) await restart(world)
    },
  }
}
