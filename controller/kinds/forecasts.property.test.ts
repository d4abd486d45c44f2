/** Properties of forecasts over random tenants: they never throw, stay short and stable, and agree with the decisions. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { SENTENCE_CHARS_MAX, SENTENCES_MAX } from './forecast-text.ts'
import type { ForecastWorld, Foretold } from './forecast-world.ts'
import { forecastIn } from './forecasts.ts'
import {
  personaOf,
  planOf,
  projectOf,
  spriteOf,
  TEST_AGENT_TYPES,
  TEST_NOW,
  TEST_NOW_MS,
  tenantOf,
  userOf,
  workOf,
} from './object-builders.ts'
import { machineOf } from './sprite/world-builder.ts'
import { wantsMachine } from './sprite/want.ts'
import { limitsInForce } from './tenant/limits.ts'
import type { TenantObjects } from './tenant/scene.ts'
import { WORK_PHASES } from './work/schema.ts'

const NAMES = ['a', 'b', 'c', 'd'] as const
const flag = fc.boolean()
const agentType = fc.constantFrom('copywriter', 'editor', 'nobody')
const runPolicy = fc.constantFrom<('OnDemand' | 'Always' | 'Stopped')[]>('OnDemand', 'Always', 'Stopped')
const named = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), arbitrary), { selector: ([name]) => name, maxLength: 4 })
const leaving = (isGoing: boolean) => (isGoing ? { deletionTimestamp: TEST_NOW } : {})

const sprites = named(
  fc.record({
    agentType,
    runPolicy,
    isGoing: flag,
    isPaused: flag,
    holds: flag,
    machine: fc.option(
      fc.constantFrom<('Create' | 'Start' | 'Run' | 'Stop' | 'Destroy')[]>('Create', 'Start', 'Run', 'Stop', 'Destroy'),
      { nil: undefined },
    ),
  }),
).map((drawn) =>
  drawn.map(([name, { isGoing, isPaused, holds, machine, ...spec }]) => ({
    holds,
    sprite: spriteOf(name, {
      metadata: { ...leaving(isGoing), ...(isPaused ? { annotations: { 'sprites.highera.com/paused': 'true' } } : {}) },
      spec,
      status: machine === undefined ? {} : { phase: 'Idle', machine: machineOf({ intent: machine, state: 'started' }) },
    }),
  })),
)

const work = named(
  fc.record({
    agentType,
    phase: fc.option(fc.constantFrom(...WORK_PHASES), { nil: undefined }),
    assignedSprite: fc.constantFrom(...NAMES),
    cancelled: flag,
    isGoing: flag,
    dependsOn: fc.option(
      fc.constantFrom(...NAMES).map((name) => [name]),
      { nil: undefined },
    ),
  }),
).map((drawn) =>
  drawn.map(([name, { phase, assignedSprite, isGoing, dependsOn, ...spec }]) =>
    workOf(name, {
      metadata: leaving(isGoing),
      spec: { ...spec, ...(dependsOn === undefined ? {} : { dependsOn }) },
      status: phase === undefined ? {} : { phase, assignedSprite },
    }),
  ),
)

const projects = named(
  fc.record({ agentsNeeded: fc.subarray(['copywriter', 'editor']), suspend: flag, isGoing: flag }),
).map((drawn) =>
  drawn.map(([name, { isGoing, ...spec }]) => projectOf(`p-${name}`, { metadata: leaving(isGoing), spec })),
)

const worlds = fc
  .record({
    sprites,
    work,
    projects,
    limit: fc.constantFrom(0, 1, 2, null),
    suspend: flag,
    isGoing: flag,
    hasPlan: flag,
  })
  .map((drawn) => {
    const plan = planOf('starter', { spec: { concurrentSprites: drawn.limit } })
    const declared = tenantOf({ metadata: leaving(drawn.isGoing), spec: { plan: 'starter', suspend: drawn.suspend } })
    const limits = limitsInForce(declared, plan)
    const tenant = { ...declared, status: limits === undefined ? {} : { limits } }
    const holders = drawn.sprites.flatMap(({ holds, sprite }) =>
      holds ? [{ uid: sprite.metadata.uid, sprite: sprite.metadata.name, since: TEST_NOW }] : [],
    )
    const inside: TenantObjects = {
      sprites: drawn.sprites.map(({ sprite }) => sprite),
      work: drawn.work,
      projects: drawn.projects,
      personas: [personaOf('copywriter')],
      users: [userOf('ada')],
      ledger: { holders },
    }
    const world: ForecastWorld = {
      nowMs: TEST_NOW_MS,
      now: TEST_NOW,
      tenants: [tenant],
      plans: drawn.hasPlan ? [plan] : [],
      inside: () => inside,
      builtinAgentTypes: TEST_AGENT_TYPES,
      defaults: { image: 'image', regions: [] },
    }
    return { world, inside, tenant, plan }
  })

/** Every write that a world invites: each object deleted, a new one of each kind, each spec changed. */
function writesOf({ inside, tenant, plan }: Pick<Drawn, 'inside' | 'tenant' | 'plan'>): readonly Foretold[] {
  const there: readonly KubeObject[] = [
    ...inside.sprites,
    ...inside.work,
    ...inside.projects,
    ...inside.personas,
    ...inside.users,
    tenant,
    plan,
  ]
  const changes: readonly Readonly<Record<string, unknown>>[] = [
    { runPolicy: 'Stopped', suspend: true, cancelled: true, role: 'viewer', concurrentSprites: 1, image: 'x' },
    { runPolicy: 'Always', suspend: false, cancelled: false, role: 'admin', concurrentSprites: 3, agentsNeeded: [] },
    { plan: 'gone' },
  ]
  return [
    ...there.map((object): Foretold => ({ operation: 'DELETE', object, old: object })),
    ...there.flatMap((old) =>
      changes.map((change): Foretold => {
        const spec = Object.fromEntries(
          Object.entries(change).filter(([name]) => Object.hasOwn(old.spec as object, name) || name === 'image'),
        )
        return { operation: 'UPDATE', object: { ...old, spec: { ...(old.spec as object), ...spec } }, old }
      }),
    ),
    ...[spriteOf('new'), workOf('new'), projectOf('new', { spec: { agentsNeeded: ['editor'] } })].map(
      (object): Foretold => ({ operation: 'CREATE', object }),
    ),
  ]
}

type Drawn = {
  readonly world: ForecastWorld
  readonly inside: TenantObjects
  readonly tenant: ReturnType<typeof tenantOf>
  readonly plan: ReturnType<typeof planOf>
}

it('FC14 any write: never throws, at most five sentences of at most 200 characters, none twice', () => {
  fc.assert(
    fc.property(worlds, (drawn) => {
      for (const change of writesOf(drawn)) {
        const sentences = forecastIn(drawn.world, change)
        expect(sentences.length).toBeLessThanOrEqual(SENTENCES_MAX)
        expect(new Set(sentences).size).toBe(sentences.length)
        for (const sentence of sentences) {
          expect(sentence.length).toBeLessThanOrEqual(SENTENCE_CHARS_MAX)
          expect(sentence).not.toMatch(/undefined|NaN|\[object/)
        }
      }
    }),
    { numRuns: 300 },
  )
})

it('FC14 any write: the order in which objects are seen makes no difference', () => {
  fc.assert(
    fc.property(worlds, (drawn) => {
      const { inside, world } = drawn
      const turned = {
        ...inside,
        sprites: inside.sprites.toReversed(),
        work: inside.work.toReversed(),
        projects: inside.projects.toReversed(),
        ledger: { holders: inside.ledger.holders?.toReversed() ?? [] },
      }
      for (const change of writesOf(drawn))
        expect(forecastIn({ ...world, inside: () => turned }, change)).toEqual(forecastIn(world, change))
    }),
    { numRuns: 200 },
  )
})

it('FC1 a new sprite: a machine is foretold only when it is wanted and a slot is free', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(worlds, runPolicy, ({ world, inside, tenant, plan }, policy) => {
      const object = spriteOf('new', { spec: { runPolicy: policy } })
      const sentences = forecastIn(world, { operation: 'CREATE', object })
      const limits = limitsInForce(tenant, world.plans.length === 0 ? undefined : plan)
      const want = (assignedWork: number) =>
        wantsMachine({
          nowMs: world.nowMs,
          sprite: object,
          tenant: { ...tenant, status: limits === undefined ? {} : { limits } },
          project: undefined,
          assignedWork,
          isRevoked: false,
        })
      const held = inside.ledger.holders?.length ?? 0
      const limit = limits?.concurrentSprites ?? Infinity
      for (const sentence of sentences) {
        if (sentence.startsWith('1 machine will be created: ')) {
          seen.add('created')
          expect(want(1).wants).toBe(true)
          expect(held).toBeLessThan(limit)
        }
        if (sentence.startsWith('Sprite "new" will wait for a slot')) {
          seen.add('waits')
          expect(want(1).wants).toBe(true)
          expect(limit).not.toBe(Infinity)
        }
        if (sentence.startsWith('No machine is made')) {
          seen.add('none')
          expect(want(0).wants).toBe(false)
        }
      }
    }),
    { numRuns: 1_000 },
  )
  expect([...seen].sort()).toEqual(['created', 'none', 'waits'])
})

it('FC2 a sprite that is stopped or deleted: an end is foretold only of a machine that there is', () => {
  fc.assert(
    fc.property(worlds, ({ world, inside }) => {
      for (const sprite of inside.sprites) {
        const sentences = forecastIn(world, { operation: 'DELETE', object: sprite, old: sprite })
        const isTold = sentences.some((sentence) => /^Machine .* will be destroyed/.test(sentence))
        const isThere = sprite.status?.machine !== undefined && sprite.status.machine.intent !== 'Destroy'
        if (isTold && inside.sprites.length === 1) expect(isThere).toBe(true)
        const others = inside.sprites.filter((one) => one !== sprite && one.status?.machine !== undefined)
        if (!isThere && others.length === 0) expect(isTold).toBe(false)
      }
    }),
    { numRuns: 300 },
  )
})
