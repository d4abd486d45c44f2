/** Tests of the project's decisions: tables for what a person would ask. */
import { describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { projectOf, spriteOf, TEST_NOW, workOf } from '../object-builders.ts'
import type { Work, WorkStatus } from '../work/schema.ts'
import { decideProject } from './decide.ts'
import { statusOf } from './status.ts'
import { own, ownSprite, ownWork, q1, task, worldOf } from './world-builder.ts'
import type { ProjectAction, ProjectDecision, ProjectWorld } from './world.ts'

const line = (action: ProjectAction): string => {
  if (action.do === 'createWork') return ['createWork', action.name, ...action.dependsOn].join(' ')
  if (action.do === 'createSprite') return `createSprite ${action.name} ${action.runPolicy}`
  const tail = action.do === 'setRunPolicy' ? ` ${action.runPolicy}` : ''
  return `${action.do} ${action.sprite.metadata.name}${tail}`
}
const linesOf = (world: ProjectWorld): readonly string[] => decideProject(world).actions.map(line)

const readyOf = ({ status }: ProjectDecision): string => {
  const ready = findCondition(status?.conditions, 'Ready')
  const isStalled = findCondition(status?.conditions, 'Stalled') !== undefined
  return `${status?.phase} ${ready?.status} ${ready?.reason}${isStalled ? ' stalled' : ''}`
}

describe('the sprites of a project', () => {
  test('PJ1 one of each agent type that is needed', () => {
    expect(linesOf(worldOf(q1({ agentsNeeded: ['director', 'editor'], runPolicy: 'Always' })))).toEqual([
      'createSprite q1-director Always',
      'createSprite q1-editor Always',
    ])
  })
  test('PJ1 a name that is too long is cut and keeps a hash', () => {
    const agentType = 'a'.repeat(40)
    const project = projectOf('b'.repeat(30), { spec: { agentsNeeded: [agentType] } })
    const world = worldOf(project)
    const agents = world.agents && { ...world.agents, builtinAgentTypes: new Set([agentType]) }
    const [action] = decideProject({ ...world, agents }).actions
    expect(action).toMatchObject({
      do: 'createSprite',
      name: expect.stringMatching(/^b{30}-[0-9a-f]{8}$|^b{30}-?-[0-9a-f]{8}$/),
    })
  })
  test('PJ2 a name that somebody else has is left to them', () => {
    const foreign = spriteOf('q1-editor', { spec: { agentType: 'editor' } })
    expect(linesOf(worldOf(q1({ agentsNeeded: ['editor'] }), { sprites: [foreign] }))).toEqual([
      expect.stringMatching(/^createSprite q1-editor-[0-9a-f]{8} OnDemand$/),
    ])
  })
  test('PJ2 a name that is still going is waited for', () => {
    const project = q1({ agentsNeeded: ['editor'] })
    const old = projectOf('q1', { metadata: { uid: 'earlier' } })
    const left = ownSprite(old, 'q1-editor', { spec: { agentType: 'editor' } })
    const going = ownSprite(project, 'q1-editor', {
      metadata: { deletionTimestamp: TEST_NOW },
      spec: { agentType: 'editor' },
    })
    expect(linesOf(worldOf(project, { sprites: [left] }))).toEqual([])
    expect(linesOf(worldOf(project, { sprites: [going] }))).toEqual([])
  })
  test('PJ3 suspend stops them, resume lets them go on', () => {
    const suspended = q1({ agentsNeeded: ['copywriter'], suspend: true })
    expect(linesOf(worldOf(suspended, { sprites: [ownSprite(suspended, 'q1-copywriter')] }))).toEqual([
      'setRunPolicy q1-copywriter Stopped',
    ])
    const resumed = q1({ agentsNeeded: ['copywriter'] })
    const stopped = ownSprite(resumed, 'q1-copywriter', { spec: { runPolicy: 'Stopped' } })
    expect(linesOf(worldOf(resumed, { sprites: [stopped] }))).toEqual(['setRunPolicy q1-copywriter OnDemand'])
  })
  test('PJ4 one that is no longer needed goes when it has no task', () => {
    const project = q1()
    const idle = ownSprite(project, 'q1-seo', { spec: { agentType: 'seo' } })
    const busy = ownSprite(project, 'q1-editor', { spec: { agentType: 'editor' }, status: { currentTask: 'w' } })
    const assigned = ownSprite(project, 'q1-director', { spec: { agentType: 'director' } })
    const work = [ownWork('w2', { phase: 'Assigned', assignedSprite: 'q1-director' })]
    expect(linesOf(worldOf(project, { sprites: [idle, busy, assigned], work }))).toEqual(['deleteSprite q1-seo'])
  })
  test('PJ5 sprites that a person declared for it are not touched', () => {
    const declared = spriteOf('mine', { spec: { project: 'q1', runPolicy: 'Always' } })
    const world = worldOf(q1(), { sprites: [declared] })
    expect(linesOf(world)).toEqual([])
    expect(decideProject(world).status?.spritesAssigned).toEqual(['mine'])
  })
  test('PJ6 an agent type that the tenant may not use gets none, and the project says so', () => {
    const world = worldOf(q1({ agentsNeeded: ['director', 'nobody'], work: [task('a', 'nobody')] }))
    expect(linesOf(world)).toEqual(['createSprite q1-director OnDemand'])
    expect(readyOf(decideProject(world))).toBe('Blocked False AgentTypeNotAllowed stalled')
  })
  test('PJ7 paused means hands off', () => {
    const project = projectOf('q1', {
      metadata: { annotations: { 'sprites.highera.com/paused': 'true' } },
      spec: { agentsNeeded: ['director'], work: [task('a')] },
    })
    expect(linesOf(worldOf(project))).toEqual([])
  })
  test('PJ8 while it is being deleted, or its tenant is, nothing is made', () => {
    const deleting = projectOf('q1', {
      metadata: { deletionTimestamp: TEST_NOW },
      spec: { agentsNeeded: ['director'] },
    })
    expect(decideProject(worldOf(deleting))).toEqual({ actions: [] })
    const orphaned = decideProject(worldOf(q1({ agentsNeeded: ['director'] }), { agents: undefined }))
    expect(orphaned.actions).toEqual([])
    expect(readyOf(orphaned)).toBe('Pending False TenantNotReady')
  })
})

describe('the first tasks of a project', () => {
  const tasks = [task('brief', 'director'), task('copy', 'copywriter', ['brief'])]
  test('PJ10 each is made, with its dependencies, and recorded', () => {
    const decision = decideProject(worldOf(q1({ work: tasks })))
    expect(decision.actions.map(line)).toEqual(['createWork q1-brief', 'createWork q1-copy q1-brief'])
    expect(decision.status).toMatchObject({ workCreated: ['brief', 'copy'], workText: '0/2', phase: 'Active' })
  })
  test('PJ11 one that was deleted is not made again', () => {
    expect(linesOf(worldOf(q1({ work: tasks }, { workCreated: ['brief', 'copy'] })))).toEqual([])
  })
  test('PJ12 one that is there and not recorded is recorded, not doubled', () => {
    const project = q1({ work: tasks })
    const work = [workOf('q1-brief', { metadata: own(project), spec: { project: 'q1' } }), ownWork('q1-copy')]
    const decision = decideProject(worldOf(project, { work }))
    expect(decision.actions).toEqual([])
    expect(decision.status?.workCreated).toEqual(['brief', 'copy'])
  })
  test('PJ13 a name that work outside the project has is left to it, and others depend on the right one', () => {
    const lines = linesOf(worldOf(q1({ work: tasks }), { work: [workOf('q1-brief')] }))
    expect(lines[0]).toMatch(/^createWork q1-brief-[0-9a-f]{8}$/)
    expect(lines[1]).toBe(`createWork q1-copy ${lines[0]?.slice('createWork '.length)}`)
  })
  test('PJ14 what the earlier project of the name left is not taken for a task', () => {
    const left = workOf('q1-brief', {
      metadata: own(projectOf('q1', { metadata: { uid: 'earlier' } })),
      spec: { project: 'q1' },
    })
    const decision = decideProject(worldOf(q1({ work: tasks }), { work: [left] }))
    expect(decision.actions).toEqual([])
    expect(decision.status?.workCreated).toEqual([])
  })
  test('PJ15 one that the server refused is not recorded, and the reason is told', () => {
    const world = worldOf(q1({ work: tasks }))
    const { actions } = decideProject(world)
    const status = statusOf(world, actions, [{ name: 'q1-copy', message: 'Cannot do it' }])
    expect(status).toMatchObject({ workCreated: ['brief'], workText: '0/1' })
    expect(findCondition(status.conditions, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'Refused',
      message: 'q1-copy: Cannot do it',
    })
  })
})

describe('the standing of a project', () => {
  const stalled = (reason: string): WorkStatus => ({
    phase: 'Pending',
    conditions: ['Ready', 'Stalled'].map((type) => ({
      type,
      status: type === 'Ready' ? ('False' as const) : ('True' as const),
      reason,
      message: 'm',
      lastTransitionTime: TEST_NOW,
    })),
  })
  const waits: WorkStatus = {
    phase: 'Pending',
    conditions: [
      {
        type: 'Ready',
        status: 'False',
        reason: 'WaitingForDependencies',
        message: 'm',
        lastTransitionTime: TEST_NOW,
      },
    ],
  }
  const rows: Record<string, [readonly Work[], string]> = {
    'PJ20 without work it waits for some': [[], 'Pending True WaitingForWork'],
    'PJ21 with work in hand it is active': [
      [ownWork('a', { phase: 'InProgress' }), ownWork('b', stalled('NoSprite'))],
      'Active True Active',
    ],
    'PJ21 with work that waits for its turn it is active': [[ownWork('a')], 'Active True Active'],
    'PJ22 with all work completed it is completed': [
      [ownWork('a', { phase: 'Completed' }), ownWork('b', { phase: 'Cancelled' })],
      'Completed True Completed',
    ],
    'PJ23 with failed work and nothing else it is blocked': [
      [ownWork('a', { phase: 'Failed' }), ownWork('b', { phase: 'Completed' })],
      'Blocked False WorkFailed stalled',
    ],
    'PJ23 with failed work while other work goes on it is active and not ready': [
      [ownWork('a', { phase: 'Failed' }), ownWork('b', { phase: 'InReview' })],
      'Active False WorkFailed',
    ],
    'PJ24 with nothing that can go on it is blocked': [
      [ownWork('a', stalled('NoSprite')), ownWork('b', waits)],
      'Blocked False Blocked stalled',
    ],
    'PJ25 work of other projects does not count': [
      [workOf('x', { status: { phase: 'Failed' } })],
      'Pending True WaitingForWork',
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [work, expected]) => {
    expect(readyOf(decideProject(worldOf(q1(), { work })))).toBe(expected)
  })
  test('PJ26 suspended says so, whatever its work', () => {
    const work = [ownWork('a', { phase: 'Failed' })]
    expect(readyOf(decideProject(worldOf(q1({ suspend: true }), { work })))).toBe('Suspended True Suspended')
  })
  test('PJ27 deliverables of completed work come oldest first, hand-offs included', () => {
    const delivered = (name: string, time: string, deliverable: string, phase: WorkStatus['phase'] = 'Completed') =>
      ownWork(
        name,
        {
          phase: phase ?? 'Completed',
          completionTime: time,
          deliverables: [{ name: deliverable, mediaType: 'text/plain', content: 'x', digest: 'sha256:1' }],
        },
        { parent: 'a' },
      )
    const work = [
      delivered('b', '2026-01-15T11:00:02Z', 'copy'),
      delivered('a', '2026-01-15T11:00:01Z', 'brief'),
      delivered('c', '2026-01-15T11:00:02Z', 'seo'),
      delivered('d', '2026-01-15T11:00:00Z', 'half', 'Failed'),
    ]
    const names = decideProject(worldOf(q1(), { work })).status?.deliverables?.map((one) => `${one.work}/${one.name}`)
    expect(names).toEqual(['a/brief', 'b/copy', 'c/seo'])
  })
  test('PJ28 blockers of its sprites and work are told once', () => {
    const blocker = { reason: 'Queued', limit: 2, position: 1, fix: 'Wait' }
    const project = q1({ agentsNeeded: ['copywriter'] })
    const sprites = [ownSprite(project, 'q1-copywriter', { status: { blockers: [blocker] } })]
    const work = [ownWork('a', { phase: 'Pending', blockers: [blocker, { reason: 'NoSprite', fix: 'Declare one' }] })]
    const { status } = decideProject(worldOf(project, { sprites, work }))
    expect(status?.blockers).toEqual([{ reason: 'NoSprite', fix: 'Declare one' }, blocker])
  })
})
