/** Tests of the sprite's next step, as tables from a situation to what is done, and what then stands in its status. */
import { describe, expect, test } from 'vitest'
import type { SpriteStatus } from './schema.ts'
import { projectOf, TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import { decideSprite } from './decide.ts'
import { withoutMachine } from './machineless.ts'
import {
  activeTenant,
  ago,
  alive,
  configOf,
  DELETING,
  HELD,
  heldSprite,
  machineOf,
  REVOKED,
  seen,
  shown,
  told,
  WAITING,
  without,
  worldOf,
} from './world-builder.ts'
import type { Observation, SpriteWorld } from './world.ts'

type Rows = Record<string, readonly [Partial<SpriteWorld>, string]>

const check = (rows: Rows): void =>
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(decideSprite(worldOf(over)))).toBe(expected)
  })

const always = (status?: SpriteStatus) => heldSprite(status, { spec: { runPolicy: 'Always' } })
const RESTING = 'Stopped'
const condition = (status: 'True' | 'False', reason: string) => ({
  conditions: [{ type: 'Ready', status, reason, message: 'As before', lastTransitionTime: ago(9_000) }],
})

test('SPR3 that is being deleted names the finalizers of others', () => {
  const messageWith = (finalizers: readonly string[]): string | undefined =>
    decideSprite(worldOf({ sprite: heldSprite({}, { metadata: { ...DELETING, finalizers } }) })).conditions[0]?.message
  expect(messageWith(['example.com/stuck'])).toBe(
    'Its machine is gone; whoever set finalizer example.com/stuck has to take it off',
  )
})

describe('a sprite without a machine', () => {
  check({
    'SPR2 that holds no finalizer takes it and does nothing else': [
      { sprite: heldSprite(undefined, { metadata: { finalizers: [] } }), slot: HELD, assignedWork: 1 },
      'holdFinalizer | Pending | - | False Starting',
    ],
    'SPR1 that is paused is left alone, also when it is being deleted': [
      {
        sprite: heldSprite(
          { phase: 'Idle' },
          { metadata: { ...DELETING, annotations: { 'sprites.highera.com/paused': 'true' } } },
        ),
        slot: HELD,
      },
      '- | Idle | - | True Paused',
    ],
    'SPR1 that is paused heeds the suspension of its tenant all the same': [
      {
        tenant: activeTenant({}, { suspend: true }),
        sprite: heldSprite({ phase: 'Idle' }, { metadata: { annotations: { 'sprites.highera.com/paused': 'true' } } }),
        slot: HELD,
      },
      `releaseSlot | ${RESTING} | - | True Suspended`,
    ],
    'SPR85 that is frozen is left alone, also when it is being deleted': [
      { sprite: heldSprite({ phase: 'Idle' }, { metadata: DELETING }), slot: HELD, frozenBy: 'the setting FREEZE' },
      '- | Idle | - | True Frozen',
    ],
    'SPR3 and without work is asleep': [{}, `- | ${RESTING} | - | True Asleep`],
    'SPR3 that holds a slot it has no use for gives it back': [
      { slot: HELD },
      `releaseSlot | ${RESTING} | - | True Asleep`,
    ],
    'SPR3 that is being deleted gives its slot back first': [
      { sprite: heldSprite({}, { metadata: DELETING }), slot: HELD },
      'releaseSlot | Draining | - | False Deleting',
    ],
    'SPR3 that is being deleted lets the finalizer go last': [
      { sprite: heldSprite({}, { metadata: DELETING }) },
      'releaseFinalizer | Draining | - | False Deleting',
    ],
    'SPR3 that is being deleted and holds no finalizer has nothing left to do': [
      { sprite: heldSprite({}, { metadata: { ...DELETING, finalizers: ['foregroundDeletion'] } }) },
      '- | Draining | - | False Deleting',
    ],
    'SPR3 whose tenant has no limits yet waits for it': [
      { tenant: undefined, config: undefined },
      '- | Pending | - | False TenantNotReady',
    ],
    'SPR3 whose agent type is switched off is stalled': [
      { tenant: activeTenant({}, { config: { enabledAgents: ['editor'] } }), assignedWork: 1 },
      '- | Blocked | - | False AgentTypeNotAllowed Stalled',
    ],
    'SPR3 of a suspended tenant is as it should be': [
      { tenant: activeTenant({}, { suspend: true }), sprite: always() },
      `- | ${RESTING} | - | True Suspended`,
    ],
    'SPR3 of a suspended project is as it should be': [
      { project: projectOf('q1', { spec: { suspend: true } }), sprite: always() },
      `- | ${RESTING} | - | True Suspended`,
    ],
    'SPR3 that never runs is as it should be': [
      { sprite: heldSprite({}, { spec: { runPolicy: 'Stopped' } }), assignedWork: 1 },
      `- | ${RESTING} | - | True Stopped`,
    ],
    'SPR3 whose slot is asked back gives it back and waits, if it has work': [
      { slot: REVOKED, assignedWork: 1 },
      'releaseSlot | Queued | - | False Queued',
    ],
    'SPR3 whose slot is asked back gives it back and sleeps, if it has none': [
      { slot: REVOKED },
      `releaseSlot | ${RESTING} | - | True Asleep`,
    ],
    'SPR4 without its persona is stalled': [
      { personaExists: false, assignedWork: 1 },
      '- | Blocked | - | False PersonaNotFound Stalled',
    ],
    'SPR4 without its persona keeps no slot': [
      { personaExists: false, assignedWork: 1, slot: HELD },
      'releaseSlot | Blocked | - | False PersonaNotFound Stalled',
    ],
    'SPR5 that has work and no slot waits': [{ assignedWork: 1, slot: WAITING }, '- | Queued | - | False Queued'],
    'SPR5 that the ledger has not heard of says what it said': [
      { assignedWork: 1, sprite: heldSprite({ phase: 'Stopped', ...condition('True', 'Asleep') }) },
      '- | Stopped | - | True Asleep',
    ],
    'SPR5 that is new and not heard of says that it begins': [{ assignedWork: 1 }, '- | Pending | - | False Starting'],
    'SPR4 whose persona has come asks for a slot': [
      { assignedWork: 1, sprite: heldSprite({ phase: 'Blocked', ...condition('False', 'PersonaNotFound') }) },
      '- | Pending | - | False Starting',
    ],
    'SPR6 with a slot stores the intent and calls nobody': [
      { assignedWork: 1, slot: HELD },
      '- | Starting | Create | False Starting',
    ],
    'SPR12 that backs off gives its slot to others': [
      {
        sprite: heldSprite({
          phase: 'Failed',
          failures: 1,
          retryTime: ago(-5_000),
          ...condition('False', 'OutOfMemory'),
        }),
        assignedWork: 1,
        slot: HELD,
      },
      'releaseSlot | Failed | - | False OutOfMemory',
    ],
    'SPR12 after three failures in a row is in a crash loop': [
      { sprite: heldSprite({ phase: 'Failed', failures: 3, retryTime: ago(-5_000) }), assignedWork: 1 },
      '- | Failed | - | False CrashLoop',
    ],
    'SPR12 whose back-off is over tries again': [
      { sprite: heldSprite({ phase: 'Failed', failures: 3, retryTime: ago(1_000) }), assignedWork: 1, slot: HELD },
      '- | Starting | Create | False Starting',
    ],
  })

  test('SPR5 waiting says place, limit and holders, in words and as data', () => {
    const { conditions, blockers } = decideSprite(worldOf({ assignedWork: 1, slot: { ...WAITING, position: 3 } }))
    expect(conditions[0]?.message).toBe('Waits for a slot at position 3: 2 of 2 run (b, c)')
    expect(blockers).toMatchObject([
      { reason: 'Queued', limit: 2, used: 2, requested: 1, holders: ['b', 'c'], position: 3 },
    ])
  })

  test('SPR5 waiting names what would have to be raised: the plan, or the tenant’s own limit', () => {
    const fix = (maxConcurrentSprites?: number): string | undefined => {
      const config = maxConcurrentSprites === undefined ? {} : { maxConcurrentSprites }
      const tenant = activeTenant({}, { config })
      return decideSprite(worldOf({ assignedWork: 1, slot: WAITING, tenant })).blockers?.[0]?.fix
    }
    expect(fix()).toContain('choose a plan')
    expect(fix(9)).toContain('choose a plan')
    expect(fix(2)).toContain('raise maxConcurrentSprites')
  })

  test('SPR6 the intent has the next incarnation, its name and what it is made from', () => {
    const decision = decideSprite(worldOf({ assignedWork: 1, slot: HELD, sprite: heldSprite({ incarnation: 4 }) }))
    expect(decision.machine).toEqual({
      name: `a-${heldSprite().metadata.uid.slice(0, 8)}-5`,
      incarnation: 5,
      image: 'sprite:1',
      specHash: 'h1',
      createdTime: TEST_NOW,
      since: TEST_NOW,
      intent: 'Create',
      attemptTime: TEST_NOW,
    })
    expect(decision.requeueAfterMs).toBe(0)
  })

  test('SPR12 the back-off names the moment of the next try', () => {
    const sprite = heldSprite({ phase: 'Failed', failures: 1, retryTime: ago(-5_000) })
    expect(decideSprite(worldOf({ sprite }))).toMatchObject({ retryTime: ago(-5_000), requeueAfterMs: 5_000 })
  })

  test('SPR6 without its limits known it asks for no machine', () => {
    const want = { wants: true, reason: 'Running' } as const
    expect(withoutMachine(worldOf({ slot: HELD, config: undefined }), want).machine).toBeUndefined()
  })
})

const intended = without(
  machineOf({ intent: 'Create', since: TEST_NOW, attemptTime: TEST_NOW }),
  'id',
  'state',
  'readyTime',
)
const unanswered: Observation = { seen: 'unanswered' }
const starting = (machine = intended) =>
  heldSprite({ phase: 'Starting', incarnation: 1, machine, ...condition('False', 'NoCapacity') })

describe('a sprite whose create is not answered', () => {
  check({
    'SPR7 sends it once its attempt is stored': [
      { sprite: starting(), assignedWork: 1, slot: HELD, observation: unanswered },
      'create | Starting | Create | False Starting',
    ],
    'SPR7 that is an attempt of a process before stores its own first, and says what it said': [
      {
        sprite: starting(),
        assignedWork: 1,
        slot: HELD,
        observation: unanswered,
        listeningSinceMs: TEST_NOW_MS + 1_000,
      },
      '- | Starting | Create | False NoCapacity',
    ],
    'SPR7 whose attempt is too old stores another one': [
      {
        sprite: starting({ ...intended, attemptTime: ago(6_000) }),
        assignedWork: 1,
        slot: HELD,
        observation: unanswered,
      },
      '- | Starting | Create | False NoCapacity',
    ],
    'SPR7 whose attempt was answered stores another one': [
      { sprite: starting(without(intended, 'attemptTime')), assignedWork: 1, slot: HELD, observation: unanswered },
      '- | Starting | Create | False NoCapacity',
    ],
    'SPR8 adopts the machine that a list shows': [
      {
        sprite: starting(),
        assignedWork: 1,
        slot: HELD,
        observation: { seen: 'unanswered', found: shown('created') },
      },
      '- | Starting | Run | False Starting',
    ],
    'SPR9 without a slot asks for no machine, but finds out whether there is one': [
      { sprite: starting(), assignedWork: 1, slot: WAITING, observation: unanswered },
      '- | Draining | Destroy | False Stopping',
    ],
    'SPR9 that nobody wants any more repeats it to learn who has the name': [
      {
        sprite: heldSprite({ phase: 'Starting', machine: intended }, { spec: { runPolicy: 'Stopped' } }),
        slot: HELD,
        observation: unanswered,
      },
      'create | Draining | Destroy | False Stopping',
    ],
    'SPR9 that is being deleted says so': [
      {
        sprite: heldSprite({ phase: 'Starting', machine: intended }, { metadata: DELETING }),
        slot: HELD,
        observation: unanswered,
      },
      'create | Draining | Destroy | False Deleting',
    ],
    'SPR9 once given up is not wanted again before it is known': [
      {
        sprite: starting({ ...intended, intent: 'Destroy' }),
        assignedWork: 1,
        slot: HELD,
        observation: unanswered,
      },
      'create | Draining | Destroy | False Stopping',
    ],
    'SPR9 that two complete lists do not show was never made': [
      {
        sprite: starting({ ...intended, intent: 'Destroy', since: ago(90_000), absentSince: ago(40_000) }),
        observation: { seen: 'unanswered', lookedAtMs: TEST_NOW_MS - 1_000 },
      },
      `- | ${RESTING} | - | True Asleep`,
    ],
    'SPR9 that one complete list does not show is looked for again': [
      {
        sprite: starting({ ...intended, intent: 'Destroy', since: ago(90_000), absentSince: ago(20_000) }),
        observation: { seen: 'unanswered', lookedAtMs: TEST_NOW_MS - 1_000 },
      },
      '- | Draining | Destroy | False Stopping',
    ],
  })

  describe('and was refused as a spec that cannot be', () => {
    const answered = without(intended, 'attemptTime')
    const stalled = {
      conditions: [
        {
          type: 'Stalled',
          status: 'True' as const,
          reason: 'InvalidSpec',
          message: 'No',
          lastTransitionTime: TEST_NOW,
        },
      ],
    }
    const refused = (machine = answered, metadata = {}) =>
      heldSprite({ phase: 'Starting', incarnation: 1, machine, ...stalled }, { metadata })
    const changed = configOf({ specHash: 'h2' })
    check({
      'SPR45 gives another name to another spec at once': [
        { sprite: refused(), assignedWork: 1, slot: HELD, observation: unanswered, config: changed },
        '- | Starting | Create | False Starting',
      ],
      'SPR45 ends at once when nobody wants it': [
        { sprite: refused(answered, DELETING), slot: HELD, observation: unanswered },
        '- | Draining | - | False Deleting',
      ],
      'SPR45 is sent again as long as nothing has changed': [
        { sprite: refused(), assignedWork: 1, slot: HELD, observation: unanswered },
        '- | Starting | Create | nothing',
      ],
      'SPR45 is looked for while an attempt may still take effect': [
        {
          sprite: refused({ ...answered, unansweredTime: ago(10_000) }, DELETING),
          slot: HELD,
          observation: unanswered,
        },
        '- | Draining | Destroy | False Deleting',
      ],
    })

    test('SPR45 the next one has the next incarnation and the new hash', () => {
      const world = worldOf({
        sprite: refused(),
        assignedWork: 1,
        slot: HELD,
        observation: unanswered,
        config: changed,
      })
      expect(decideSprite(world).machine).toMatchObject({ incarnation: 2, specHash: 'h2' })
    })
  })

  test('SPR7 a cut attempt counts as unanswered: it may still take effect', () => {
    const sprite = starting({ ...intended, attemptTime: ago(6_000) })
    const { machine } = decideSprite(worldOf({ sprite, assignedWork: 1, slot: HELD, observation: unanswered }))
    expect(machine).toMatchObject({ unansweredTime: ago(6_000), attemptTime: TEST_NOW })
  })

  test('SPR7 the same create is sent again, with the stored hash and image, when the spec has changed since', () => {
    const world = worldOf({
      sprite: starting(),
      assignedWork: 1,
      slot: HELD,
      observation: unanswered,
      config: configOf({ specHash: 'h2', image: 'sprite:2' }),
    })
    expect(decideSprite(world).actions).toMatchObject([
      { do: 'create', name: intended.name, incarnation: 1, config: { specHash: 'h1', image: 'sprite:1' } },
    ])
  })

  test('SPR9 a list from before it was given up proves nothing', () => {
    const sprite = starting({ ...intended, intent: 'Destroy', since: ago(10_000) })
    const observation: Observation = { seen: 'unanswered', lookedAtMs: TEST_NOW_MS }
    expect(decideSprite(worldOf({ sprite, observation })).machine?.absentSince).toBeUndefined()
  })
})

const withMachine = (machine = machineOf(), phase: SpriteStatus['phase'] = 'Idle') =>
  heldSprite({
    phase,
    incarnation: machine.incarnation,
    machine,
    idleSince: ago(1_000),
    ...condition('True', 'Running'),
  })
const gone: Observation = { seen: 'absent', listed: { atMs: TEST_NOW_MS, isLive: false } }
const listed = (ms: number, isLive: boolean): Observation => ({
  seen: 'absent',
  listed: { atMs: TEST_NOW_MS - ms, isLive },
})

const DISPUTES: readonly (readonly [string, Observation])[] = [
  ['shown alive by a newer list', listed(0, true)],
  ['missing from an older list alone', listed(1_000, false)],
  ['in no complete list', { seen: 'absent' }],
]

describe('a machine that is not there', () => {
  test.each([
    [5_000, 2_500],
    [10_000, 5_000],
    [500_000, 30_000],
  ])('SPR10 whose absence is disputed for %i ms is looked for again after %i ms', (forMs, thenMs) => {
    const sprite = withMachine(machineOf({ absentSince: ago(forMs) }))
    const decision = decideSprite(worldOf({ sprite, slot: HELD, observation: listed(0, true) }))
    expect(decision).toMatchObject({ requeueAfterMs: thenMs, requeueReason: 'absence-disputed' })
  })

  check({
    'SPR10 is looked for a second time': [
      { sprite: withMachine(), slot: HELD, observation: gone, assignedWork: 1 },
      '- | Starting | Run | False Replacing',
    ],
    'SPR10 is not believed gone before the second look is late enough': [
      { sprite: withMachine(machineOf({ absentSince: ago(4_000) })), slot: HELD, observation: gone, assignedWork: 1 },
      '- | Starting | Run | False Replacing',
    ],
    'SPR10 that no look has shown since its create is not believed gone so soon: reads lag': [
      {
        sprite: withMachine(without(machineOf({ state: 'created', absentSince: ago(44_000) }), 'readyTime')),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
      },
      '- | Starting | Run | False Replacing',
    ],
    'SPR10 that no look has shown since its create is gone in the end': [
      {
        sprite: withMachine(without(machineOf({ state: 'created', absentSince: ago(45_000) }), 'readyTime')),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
      },
      '- | Failed | - | False MachineExited',
    ],
    'SPR10 that reports is not believed gone so soon': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(44_000) })),
        slot: HELD,
        observation: gone,
        presence: alive(),
        assignedWork: 1,
      },
      '- | Starting | Run | False Replacing',
    ],
    'SPR10 that still reports then is asked for by name: another may have it': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(45_000) })),
        slot: HELD,
        observation: gone,
        presence: alive(),
        assignedWork: 1,
      },
      '- | Idle | Destroy | True Running',
    ],
    ...Object.fromEntries(
      DISPUTES.map(([what, observation]) => [
        `SPR10 that two looks by id do not find, ${what}, is not believed gone`,
        [
          { sprite: withMachine(machineOf({ absentSince: ago(5_000) })), slot: HELD, observation, assignedWork: 1 },
          '- | Starting | Run | False Replacing',
        ],
      ]),
    ),
    'SPR10 that lists show for long against each look by id: it says so': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(599_000) })),
        slot: HELD,
        observation: listed(0, true),
        assignedWork: 1,
      },
      '- | Starting | Run | Unknown AbsenceDisputed',
    ],
    'SPR10 is gone in the end, whatever lists say': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(600_000) })),
        slot: HELD,
        observation: listed(0, true),
        assignedWork: 1,
      },
      '- | Failed | - | False MachineExited',
    ],
    'SPR10 that was stopped says Stopping': [
      { sprite: withMachine(machineOf({ intent: 'Stop' })), slot: HELD, observation: gone },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR10 of a sprite that is being deleted says Deleting': [
      {
        sprite: heldSprite({ phase: 'Draining', machine: machineOf({ intent: 'Destroy' }) }, { metadata: DELETING }),
        slot: HELD,
        observation: gone,
      },
      '- | Draining | Destroy | False Deleting',
    ],
    'SPR10 is never believed gone while an unanswered create may make it': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(10_000), unansweredTime: ago(20_000) })),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
      },
      '- | Starting | Run | False Replacing',
    ],
    'SPR10 after an unanswered create is asked for by name': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(10_000), unansweredTime: ago(40_000) })),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
      },
      '- | Idle | Destroy | True Running',
    ],
    'SPR11 after a clean end is cleared, and the same write says that it sleeps': [
      {
        sprite: withMachine(machineOf({ intent: 'Stop', absentSince: ago(5_000) }), 'Draining'),
        slot: HELD,
        observation: gone,
      },
      `- | ${RESTING} | - | True Asleep`,
    ],
    'SPR11 of a sprite that runs always is followed by the intent for the next': [
      {
        sprite: heldSprite(
          { phase: 'Draining', incarnation: 1, machine: machineOf({ intent: 'Destroy', absentSince: ago(5_000) }) },
          { spec: { runPolicy: 'Always' } },
        ),
        slot: HELD,
        observation: gone,
      },
      '- | Starting | Create | False Starting',
    ],
    'SPR11 that left idle by itself is no failure': [
      {
        sprite: withMachine(machineOf({ absentSince: ago(5_000) })),
        slot: HELD,
        observation: gone,
        presence: alive({ state: 'gone' }),
      },
      `- | ${RESTING} | - | True Asleep`,
    ],
    'SPR12 that nobody stopped is a failure': [
      { sprite: withMachine(machineOf({ absentSince: ago(5_000) })), slot: HELD, observation: gone, assignedWork: 1 },
      '- | Failed | - | False MachineExited',
    ],
    'SPR12 that was lost keeps saying why while its absence is confirmed': [
      {
        sprite: heldSprite({
          phase: 'Failed',
          failures: 1,
          machine: machineOf({ intent: 'Destroy' }),
          ...condition('False', 'OutOfMemory'),
        }),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
      },
      '- | Failed | Destroy | False OutOfMemory',
    ],
    'SPR12 that was lost is followed by a back-off': [
      {
        sprite: heldSprite({
          phase: 'Failed',
          failures: 1,
          machine: machineOf({ intent: 'Destroy', absentSince: ago(5_000) }),
          ...condition('False', 'OutOfMemory'),
        }),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
      },
      '- | Failed | - | False OutOfMemory',
    ],
  })

  const ended = (failures: number, readyAgoMs: number, random = 0) =>
    decideSprite(
      worldOf({
        sprite: heldSprite({
          phase: 'Idle',
          failures,
          machine: machineOf({ absentSince: ago(5_000), readyTime: ago(readyAgoMs) }),
        }),
        slot: HELD,
        observation: gone,
        assignedWork: 1,
        random,
      }),
    )

  test.each([
    [0, 5_000],
    [1, 10_000],
    [6, 320_000],
    [7, 600_000],
    [50, 600_000],
  ])('SPR12 after %i failures before it the next try is put off by %i ms', (failures, delayMs) => {
    expect(ended(failures, 60_000)).toMatchObject({ failures: failures + 1, retryTime: ago(-delayMs) })
  })

  test('SPR12 the jitter shortens the wait by at most 30 %', () => {
    expect(ended(1, 60_000, 1).retryTime).toBe(ago(-7_000))
  })

  test('SPR12 a machine that was ready for two minutes ends the row of failures', () => {
    expect(ended(6, 120_000)).toMatchObject({ failures: 1, retryTime: ago(-5_000) })
  })
})

describe('a machine that cannot be seen', () => {
  const idle = withMachine()
  const going = { ...idle, metadata: { ...idle.metadata, deletionTimestamp: TEST_NOW } }
  check({
    'SPR13 leads to no conclusion': [
      { sprite: withMachine(), observation: { seen: 'unknown', reason: 'Unavailable', message: 'No answer' } },
      '- | Idle | Run | Unknown ProviderUnavailable',
    ],
    'SPR13 on a host out of reach still counts': [
      { sprite: withMachine(), slot: HELD, observation: seen('started', { hostReachable: false }), assignedWork: 1 },
      '- | Idle | Run | Unknown HostUnreachable',
    ],
    'SPR13 does not read Idle when its sprite is to go': [
      { sprite: going, observation: { seen: 'unknown', reason: 'CredentialsInvalid', message: 'Fly answered 401' } },
      '- | Draining | Run | Unknown CredentialsInvalid',
    ],
    'SPR13 does not read Idle on a host out of reach when its sprite is to go': [
      { sprite: going, slot: HELD, observation: seen('started', { hostReachable: false }) },
      '- | Draining | Run | Unknown HostUnreachable',
    ],
    'SPR13 of a sprite that is to go drains its task when it is seen again': [
      {
        sprite: going,
        currentWork: { name: 'w', project: undefined },
        observation: { seen: 'unknown', reason: 'Unavailable', message: 'No answer' },
      },
      '- | Idle | Run | Unknown ProviderUnavailable',
    ],
    'SPR13 that was not looked at stays as it is': [{ sprite: withMachine() }, '- | Idle | Run | True Running'],
  })
})

const startingUp = without(machineOf({ state: 'created', since: ago(10_000) }), 'readyTime')

describe('a machine that should run', () => {
  const at = (machine: ReturnType<typeof machineOf>, phase: SpriteStatus['phase'] = 'Starting') => ({
    sprite: withMachine(machine, phase),
    slot: HELD,
    assignedWork: 1,
  })
  check({
    'SPR15 is starting until it reports': [
      { ...at(startingUp), observation: seen('started') },
      '- | Starting | Run | False Starting',
    ],
    'SPR15 is starting while the provider makes it': [
      { ...at(startingUp), observation: seen('created') },
      '- | Starting | Run | False Starting',
    ],
    'SPR15 is at work from the first sign of life on': [
      { ...at(startingUp), observation: seen('started'), presence: alive() },
      '- | Idle | Run | True Running',
    ],
    'SPR15 is not ready by a sign of life from before its last start': [
      { ...at(startingUp), observation: seen('started'), presence: alive({ lastSeenAtMs: TEST_NOW_MS - 12_000 }) },
      '- | Starting | Run | False Starting',
    ],
    'SPR15 is not ready by a sign of life of another incarnation': [
      { ...at(startingUp), observation: seen('started'), presence: alive({ incarnation: 2 }) },
      '- | Starting | Run | False Starting',
    ],
    'SPR15 is not ready by a sign of life of a sprite of the same name before it': [
      { ...at(startingUp), observation: seen('started'), presence: alive({ uid: 'another' }) },
      '- | Starting | Run | False Starting',
    ],
    'SPR15 that takes too long to be made is lost': [
      { ...at({ ...startingUp, since: ago(180_000) }), observation: seen('created') },
      'destroy-lost | Failed | Destroy | False StartTimeout',
    ],
    'SPR15 that never reports is lost': [
      { ...at({ ...startingUp, since: ago(180_000) }), observation: seen('started') },
      'destroy-lost | Failed | Destroy | False StartTimeout',
    ],
    'SPR15 that nobody could have heard is waited for anew': [
      {
        ...at({ ...startingUp, since: ago(180_000) }),
        observation: seen('started'),
        listeningSinceMs: TEST_NOW_MS - 179_000,
      },
      '- | Starting | Run | False Starting',
    ],
    'SPR15 that is on its way down is waited for': [
      { ...at({ ...startingUp, since: ago(180_000) }), observation: seen('stopping') },
      '- | Starting | Run | False Starting',
    ],
    'SPR18 with a task is working': [
      {
        ...at(machineOf(), 'Idle'),
        observation: seen('started'),
        presence: alive(),
        currentWork: { name: 'w', project: undefined },
      },
      '- | Working | Run | True Running',
    ],
    'SPR16 that has fallen silent is lost': [
      {
        ...at(machineOf(), 'Idle'),
        observation: seen('started'),
        presence: alive({ lastSeenAtMs: TEST_NOW_MS - 45_000 }),
      },
      'destroy-lost | Failed | Destroy | False HeartbeatLost',
    ],
    'SPR16 is not silent before this process has listened for so long': [
      { ...at(machineOf(), 'Idle'), observation: seen('started'), listeningSinceMs: TEST_NOW_MS - 44_000 },
      '- | Idle | Run | True Running',
    ],
    'SPR17 that ran out of memory is lost, and says so': [
      { ...at(machineOf(), 'Idle'), observation: seen('stopped', { exit: { atMs: TEST_NOW_MS, oomKilled: true } }) },
      'destroy | Failed | Destroy | False OutOfMemory',
    ],
    'SPR17 that ended with a code is lost': [
      { ...at(machineOf(), 'Idle'), observation: seen('stopped', { exit: { atMs: TEST_NOW_MS, code: 1 } }) },
      'destroy | Failed | Destroy | False MachineExited',
    ],
    'SPR17 that left idle the moment before it was wanted is no failure': [
      {
        ...at(machineOf(), 'Idle'),
        observation: seen('stopped', { exit: { atMs: TEST_NOW_MS, code: 0 } }),
        config: configOf({ autoDestroy: false }),
      },
      '- | Idle | Stop | True Running',
    ],
    'SPR17 that left with code 0 too soon to have idled is lost': [
      {
        ...at(machineOf({ readyTime: ago(4_000) }), 'Idle'),
        observation: seen('stopped', { exit: { atMs: TEST_NOW_MS, code: 0 } }),
      },
      'destroy | Failed | Destroy | False MachineExited',
    ],
    'SPR17 that is suspended is lost': [
      { ...at(machineOf(), 'Idle'), observation: seen('suspended') },
      'destroy | Failed | Destroy | False MachineExited',
    ],
    'SPR17 that left by itself and is kept is asleep': [
      {
        ...at(machineOf(), 'Idle'),
        observation: seen('stopped'),
        presence: alive({ state: 'draining' }),
        config: configOf({ autoDestroy: false }),
      },
      '- | Idle | Stop | True Running',
    ],
    'SPR17 that left by itself and is being destroyed as the plan has it is no failure': [
      { ...at(machineOf(), 'Idle'), observation: seen('destroying'), presence: alive({ state: 'gone' }) },
      '- | Draining | Destroy | False Replacing',
    ],
    'SPR17 that left by itself under a plan that keeps none is destroyed without blame': [
      { ...at(machineOf(), 'Idle'), observation: seen('stopped'), presence: alive({ state: 'gone' }) },
      'destroy | Draining | Destroy | False Replacing',
    ],
    'SPR17 that reached its hard deadline is replaced without blame': [
      {
        ...at(machineOf(), 'Idle'),
        observation: seen('stopped', { exit: { atMs: TEST_NOW_MS, code: 5 } }),
        config: configOf({ autoDestroy: false }),
      },
      'destroy | Draining | Destroy | False Replacing',
    ],
    'SPR14 whose spec has changed stops first': [
      { ...at(machineOf(), 'Idle'), observation: seen('started'), config: configOf({ specHash: 'h2' }) },
      'stop | Draining | Stop | False Replacing',
    ],
    'SPR14 whose spec has changed first finishes its task': [
      {
        ...at(machineOf(), 'Working'),
        observation: seen('started'),
        currentWork: { name: 'w', project: undefined },
        config: configOf({ specHash: 'h2' }),
      },
      'drain | Draining | Run | False Replacing',
    ],
    'SPR19 that is stopped and kept is meant to start, when there is a slot': [
      { ...at(machineOf({ intent: 'Stop', state: 'stopped' }), 'Stopped'), observation: seen('stopped') },
      '- | Starting | Start | False Starting',
    ],
    'SPR19 that is stopped and kept waits for a slot': [
      {
        ...at(machineOf({ intent: 'Stop', state: 'stopped' }), 'Stopped'),
        slot: WAITING,
        observation: seen('stopped'),
      },
      '- | Queued | Stop | False Queued',
    ],
    'SPR19 is started once the attempt is stored': [
      {
        ...at(
          without(
            machineOf({ intent: 'Start', state: 'stopped', since: TEST_NOW, attemptTime: TEST_NOW }),
            'readyTime',
          ),
        ),
        observation: seen('stopped'),
      },
      'start | Starting | Start | False Starting',
    ],
    'SPR19 is not started by the attempt of a process before': [
      {
        ...at(
          without(
            machineOf({ intent: 'Start', state: 'stopped', since: TEST_NOW, attemptTime: TEST_NOW }),
            'readyTime',
          ),
        ),
        observation: seen('stopped'),
        listeningSinceMs: TEST_NOW_MS + 1_000,
      },
      '- | Starting | Start | True Running',
    ],
    'SPR19 is not started without a slot': [
      {
        ...at(
          without(
            machineOf({ intent: 'Start', state: 'stopped', since: TEST_NOW, attemptTime: TEST_NOW }),
            'readyTime',
          ),
        ),
        slot: WAITING,
        observation: seen('stopped'),
      },
      '- | Queued | Stop | False Queued',
    ],
    'SPR19 that is still stopping comes to rest first': [
      { ...at(machineOf({ intent: 'Stop' }), 'Draining'), observation: seen('stopping') },
      '- | Draining | Stop | False Stopping',
    ],
  })

  test('SPR10 a look that finds it ends its absence', () => {
    const world = worldOf({
      ...at(machineOf({ absentSince: ago(2_000) })),
      observation: seen('started'),
      presence: alive(),
    })
    expect(decideSprite(world).machine).not.toHaveProperty('absentSince')
  })

  test('SPR10 a fresh look after the time of an unanswered create ends its doubt; an earlier one does not', () => {
    const world = (ms: number, isFresh: boolean) =>
      worldOf({
        ...at(machineOf({ unansweredTime: ago(ms) })),
        observation: { seen: 'present', machine: shown('started'), isFresh },
        presence: alive(),
      })
    expect(decideSprite(world(30_000, true)).machine).not.toHaveProperty('unansweredTime')
    expect(decideSprite(world(29_000, true)).machine).toHaveProperty('unansweredTime')
    expect(decideSprite(world(30_000, false)).machine).toHaveProperty('unansweredTime')
  })

  test('SPR18 it looks again when it would be silent or idle for too long, whichever is first', () => {
    const idle = worldOf({ sprite: withMachine(), slot: HELD, observation: seen('started'), presence: alive() })
    expect(decideSprite(idle)).toMatchObject({ requeueAfterMs: 44_000, requeueReason: 'heartbeat' })
    const late = heldSprite({ phase: 'Idle', incarnation: 1, machine: machineOf(), idleSince: ago(50_000) })
    expect(decideSprite({ ...idle, sprite: late })).toMatchObject({
      requeueAfterMs: 10_000,
      requeueReason: 'idle-timeout',
    })
  })
})
