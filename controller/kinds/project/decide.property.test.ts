/** Properties of the project's decisions over random worlds. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { faultsOf } from '../decision-checks.ts'
import { projectOf, spriteOf, TEST_AGENT_TYPES, TEST_NOW, workOf } from '../object-builders.ts'
import { statusPatch } from '../status.ts'
import { decideProject } from './decide.ts'
import { projectKind } from './schema.ts'
import { own, ownSprite, q1, task, worldOf } from './world-builder.ts'
import type { ProjectDecision, ProjectWorld } from './world.ts'

describe('any project', () => {
  const agentTypes = fc.constantFrom(...TEST_AGENT_TYPES, 'nobody')
  const phases = fc.constantFrom(
    undefined,
    'Pending',
    'Assigned',
    'InProgress',
    'InReview',
    'Completed',
    'Failed',
    'Cancelled',
  )
  const items = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 })
  const worlds = fc
    .record({
      agentsNeeded: fc.uniqueArray(agentTypes, { maxLength: 5 }),
      tasks: items,
      created: items,
      suspend: fc.boolean(),
      runPolicy: fc.constantFrom<('OnDemand' | 'Always')[]>('OnDemand', 'Always'),
      limit: fc.constantFrom(null, 0, 1, 3),
      hasTenant: fc.boolean(),
      sprites: fc.uniqueArray(
        fc.record({
          agentType: agentTypes,
          by: fc.constantFrom('us', 'earlier', 'person'),
          isGoing: fc.boolean(),
          isBusy: fc.boolean(),
          runPolicy: fc.constantFrom<('OnDemand' | 'Stopped')[]>('OnDemand', 'Stopped'),
        }),
        { selector: (sprite) => sprite.agentType, maxLength: 5 },
      ),
      work: fc.uniqueArray(
        fc.record({
          name: fc.constantFrom('a', 'b', 'c', 'd', 'other'),
          by: fc.constantFrom('us', 'earlier', 'person', 'stranger'),
          phase: phases,
          isGoing: fc.boolean(),
        }),
        { selector: (work) => work.name, maxLength: 5 },
      ),
    })
    .map((drawn) => {
      const { agentsNeeded, suspend, runPolicy } = drawn
      const project = q1(
        { agentsNeeded, suspend, runPolicy, work: drawn.tasks.map((name) => task(name)) },
        { workCreated: drawn.created },
      )
      const earlier = projectOf('q1', { metadata: { uid: 'earlier' } })
      const meta = (by: string, isGoing: boolean) => ({
        ...(by === 'us' ? own(project) : by === 'earlier' ? own(earlier) : {}),
        ...(isGoing ? { deletionTimestamp: TEST_NOW } : {}),
      })
      const sprites = drawn.sprites.map(({ agentType, by, isGoing, isBusy, ...spec }) =>
        spriteOf(`q1-${agentType}`, {
          metadata: meta(by, isGoing),
          spec: { agentType, project: 'q1', ...spec },
          status: isBusy ? { currentTask: 'x' } : {},
        }),
      )
      const work = drawn.work.map(({ name, by, phase, isGoing }) =>
        workOf(`q1-${name}`, {
          metadata: meta(by, isGoing),
          spec: by === 'stranger' ? {} : { project: 'q1' },
          status: phase === undefined ? {} : { phase },
        }),
      )
      const world = worldOf(project, { sprites, work, limit: drawn.limit })
      return drawn.hasTenant ? world : { ...world, agents: undefined }
    })

  /** The world after the decision was carried out and published. */
  const after = (world: ProjectWorld, { actions, status }: ProjectDecision): ProjectWorld => {
    const deleted = new Set(actions.flatMap((one) => (one.do === 'deleteSprite' ? [one.sprite.metadata.name] : [])))
    const policies = new Map(
      actions.flatMap((one) => (one.do === 'setRunPolicy' ? [[one.sprite.metadata.name, one.runPolicy] as const] : [])),
    )
    const sprites = [
      ...world.sprites
        .filter((sprite) => !deleted.has(sprite.metadata.name))
        .map((sprite) => ({
          ...sprite,
          spec: { ...sprite.spec, runPolicy: policies.get(sprite.metadata.name) ?? sprite.spec.runPolicy },
        })),
      ...actions.flatMap((one) =>
        one.do === 'createSprite'
          ? [ownSprite(world.project, one.name, { spec: { agentType: one.agentType, runPolicy: one.runPolicy } })]
          : [],
      ),
    ]
    const made = actions.flatMap((one) =>
      one.do === 'createWork' ? [workOf(one.name, { metadata: own(world.project), spec: { project: 'q1' } })] : [],
    )
    const project = { ...world.project, ...(status === undefined ? {} : { status }) }
    const agents = world.agents && { ...world.agents, sprites, projects: [project] }
    return { ...world, project, sprites, work: [...world.work, ...made], agents }
  }

  test('PJ30 converges in one pass: nothing more to do, nothing more to write', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const first = decideProject(world)
        const next = after(world, first)
        const second = decideProject(next)
        expect(second.actions).toEqual([])
        expect(faultsOf(projectKind, first.status ?? {})).toEqual([])
        expect(statusPatch(next.project.status, second.status ?? {})).toBeUndefined()
      }),
      { numRuns: 3000 },
    )
  })

  test('PJ31 never two creates of one name, never over what is there, never two actions on one object', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { actions } = decideProject(world)
        const targets = actions.map((one) =>
          one.do === 'createWork'
            ? `Work/${one.name}`
            : `Sprite/${one.do === 'createSprite' ? one.name : one.sprite.metadata.name}`,
        )
        expect(new Set(targets).size).toBe(targets.length)
        const there = new Set([
          ...world.sprites.map((sprite) => `Sprite/${sprite.metadata.name}`),
          ...world.work.map((work) => `Work/${work.metadata.name}`),
        ])
        const creates = targets.filter((_, index) => actions[index]?.do.startsWith('create'))
        expect(creates.filter((name) => there.has(name))).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  test('PJ32 what is not ours, or is busy, is never deleted or changed', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        for (const action of decideProject(world).actions) {
          if (action.do !== 'deleteSprite' && action.do !== 'setRunPolicy') continue
          expect(action.sprite.metadata.ownerReferences?.[0]?.uid).toBe(world.project.metadata.uid)
          if (action.do === 'deleteSprite') expect(action.sprite.status?.currentTask).toBeUndefined()
        }
      }),
      { numRuns: 1000 },
    )
  })
})
