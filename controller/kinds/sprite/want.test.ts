/** Tests of whether a sprite should have a machine: the strongest reason against it wins. */
import { expect, test } from 'vitest'
import { projectOf } from '../object-builders.ts'
import { activeTenant, ago, DELETING, heldSprite, machineOf, without, worldOf } from './world-builder.ts'
import { idleTimeoutSeconds, wantsMachine, type WantWorld } from './want.ts'

/** Everything that speaks against a machine, from the strongest reason to the mildest. */
const AGAINST: readonly (readonly [string, (world: WantWorld) => WantWorld])[] = [
  [
    'Deleting',
    (world) => ({ ...world, sprite: { ...world.sprite, metadata: { ...world.sprite.metadata, ...DELETING } } }),
  ],
  ['TenantNotReady', (world) => ({ ...world, tenant: world.tenant && { ...world.tenant, status: {} } })],
  ['AgentTypeNotAllowed', (world) => ({ ...world, sprite: withSpec(world, { agentType: 'director' }) })],
  ['Suspended', (world) => ({ ...world, project: projectOf('q1', { spec: { suspend: true } }) })],
  ['Stopped', (world) => ({ ...world, sprite: withSpec(world, { runPolicy: 'Stopped' }) })],
  ['Revoked', (world) => ({ ...world, isRevoked: true })],
  ['BackingOff', (world) => ({ ...world, sprite: { ...world.sprite, status: { retryTime: ago(-1_000) } } })],
]

const withSpec = (world: WantWorld, spec: Partial<WantWorld['sprite']['spec']>): WantWorld['sprite'] => ({
  ...world.sprite,
  spec: { ...world.sprite.spec, ...spec },
})

const wanting = (): WantWorld => ({
  ...worldOf({ assignedWork: 1, tenant: activeTenant({}, { config: { enabledAgents: ['copywriter'] } }) }),
  isRevoked: false,
})

test('SPR30 with work and nothing against it, it wants a machine', () => {
  expect(wantsMachine(wanting())).toEqual({ wants: true, reason: 'Running' })
})

test.each(AGAINST.map(([reason], at) => ({ reason, at })))(
  'SPR30 $reason speaks against a machine, whatever milder reasons there are',
  ({ reason, at }) => {
    const alone = AGAINST[at]?.[1](wanting()) ?? wanting()
    expect(wantsMachine(alone)).toEqual({ wants: false, reason })
    const withMilder = AGAINST.slice(at).reduceRight((world, [, apply]) => apply(world), wanting())
    expect(wantsMachine(withMilder)).toEqual({ wants: false, reason })
  },
)

test('SPR30 the suspension of the tenant counts as that of the project', () => {
  const world = { ...wanting(), tenant: activeTenant({}, { suspend: true }) }
  expect(wantsMachine(world).reason).toBe('Suspended')
})

test('SPR30 a tenant that is being deleted is not ready', () => {
  const tenant = activeTenant()
  const world = { ...wanting(), tenant: { ...tenant, metadata: { ...tenant.metadata, ...DELETING } } }
  expect(wantsMachine(world).reason).toBe('TenantNotReady')
})

test('SPR31 a sprite that runs always wants a machine without work, one on demand does not', () => {
  const idle = { ...wanting(), assignedWork: 0 }
  expect(wantsMachine({ ...idle, sprite: withSpec(idle, { runPolicy: 'Always' }) }).wants).toBe(true)
  expect(wantsMachine(idle)).toEqual({ wants: false, reason: 'Asleep' })
})

const idle = (status: NonNullable<WantWorld['sprite']['status']>, idleTimeout?: number): WantWorld => ({
  ...wanting(),
  assignedWork: 0,
  sprite: heldSprite(status, idleTimeout === undefined ? {} : { spec: { idleTimeoutSeconds: idleTimeout } }),
})

test('SPR31 a machine that is up stays for its idle time', () => {
  const machine = machineOf()
  expect(wantsMachine(idle({ machine, idleSince: ago(59_000) }))).toEqual({
    wants: true,
    reason: 'Running',
    idleLeftMs: 1_000,
  })
  expect(wantsMachine(idle({ machine, idleSince: ago(60_000) }))).toEqual({ wants: false, reason: 'Asleep' })
})

test('SPR31 a machine that is not ready, or of which no idle time is known, is not idle', () => {
  expect(wantsMachine(idle({ machine: without(machineOf(), 'readyTime'), idleSince: ago(99_000) })).wants).toBe(true)
  expect(wantsMachine(idle({ machine: machineOf() })).wants).toBe(true)
})

test.each(['Stop', 'Destroy'] as const)('SPR31 a machine on its way to %s is not idle time but rest', (intent) => {
  expect(wantsMachine(idle({ machine: machineOf({ intent }), idleSince: ago(1_000) })).reason).toBe('Asleep')
})

test('SPR31 the idle time is its own within its tenant’s', () => {
  expect(idleTimeoutSeconds(heldSprite(), 60)).toBe(60)
  expect(idleTimeoutSeconds(heldSprite({}, { spec: { idleTimeoutSeconds: 5 } }), 60)).toBe(5)
  expect(idleTimeoutSeconds(heldSprite({}, { spec: { idleTimeoutSeconds: 90 } }), 60)).toBe(60)
})
