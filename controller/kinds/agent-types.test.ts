/** Tests of admission where agent types count: Project, Sprite and Work. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { agentTypesInUse, judgeAgentType } from './agent-types.ts'
import { ADMISSIONS } from './index.ts'
import {
  admitLines,
  allPlans,
  personaOf,
  projectOf,
  spriteOf,
  tenantOf,
  TEST_AGENT_TYPES,
  workOf,
  type AdmitCase,
} from './object-builders.ts'

type Row = AdmitCase<KubeObject> & { readonly refused: readonly string[] }

const growth = [tenantOf(), ...allPlans()]
const starter = [tenantOf({ spec: { plan: 'starter' } }), ...allPlans()]
const enterprise = [tenantOf({ spec: { plan: 'enterprise' } }), ...allPlans()]
const PROTECTED = { annotations: { 'sprites.highera.com/protected': 'true' } }

const task = (name: string, dependsOn: string[] = [], agentType = 'copywriter') => ({
  name,
  type: 'write_copy',
  agentType,
  description: 'Write',
  ...(dependsOn.length === 0 ? {} : { dependsOn }),
})
const sprites = (...agentTypes: string[]) =>
  agentTypes.map((agentType, index) =>
    spriteOf(`s-${agentType}`, {
      metadata: { creationTimestamp: `2026-01-01T00:00:0${index}Z` },
      spec: { agentType },
    }),
  )

const rows: Record<string, Row> = {
  'AD40 a project of known agent types is admitted': {
    object: projectOf('p', { spec: { agentsNeeded: ['director', 'editor'], work: [task('copy')] } }),
    world: growth,
    refused: [],
  },
  'AD40 unknown agent types are refused once each, with the nearest name': {
    object: projectOf('p', { spec: { agentsNeeded: ['copywritr'], work: [task('a', [], 'copywritr')] } }),
    world: growth,
    refused: [
      'Invalid spec.agentsNeeded[0]: Cannot use agent type "copywritr": no persona has this name; did you mean "copywriter"?',
    ],
  },
  'AD40 an unknown agent type of a task names the task': {
    object: projectOf('p', { spec: { work: [task('a'), task('b', [], 'zzzzzzzz')] } }),
    world: growth,
    refused: [
      'Invalid spec.work[1].agentType: Cannot use agent type "zzzzzzzz": no persona has this name; there is "copywriter", "director", "editor", "seo", "strategist"',
    ],
  },
  'AD40 a persona of the tenant is an agent type where the plan has custom personas': {
    object: spriteOf('s', { spec: { agentType: 'poet' } }),
    world: [...enterprise, personaOf('poet')],
    refused: [],
  },
  'AD40 a persona that the plan does not allow is refused with the plan that would': {
    object: spriteOf('s', { spec: { agentType: 'poet' } }),
    world: [...growth, personaOf('poet')],
    refused: [
      'Forbidden spec.agentType: Cannot use agent type "poet": plan "growth" has no custom personas; plan "enterprise" would allow it',
    ],
  },
  'AD43 an agent type that is not enabled is refused': {
    object: spriteOf('s', { spec: { agentType: 'seo' } }),
    world: [tenantOf({ spec: { config: { enabledAgents: ['editor', 'copywriter'] } } }), ...allPlans()],
    refused: [
      'Forbidden spec.agentType: Cannot use agent type "seo": spec.config.enabledAgents of the tenant has copywriter, editor; add it there or use one of these',
    ],
  },
  'AD43 a fourth agent type on starter is refused with the plan that would allow it': {
    object: spriteOf('s', { spec: { agentType: 'seo' } }),
    world: [...starter, ...sprites('director', 'editor'), projectOf('p', { spec: { agentsNeeded: ['strategist'] } })],
    refused: [
      'Forbidden spec.agentType: Cannot use agent type "seo": plan "starter" allows 3 agent types and director, editor, strategist are in use; use one of these, or plan "growth" would allow it',
    ],
  },
  'AD43 a further sprite of a type in use is admitted': {
    object: spriteOf('s', { spec: { agentType: 'editor' } }),
    world: [...starter, ...sprites('director', 'editor', 'seo')],
    refused: [],
  },
  'AD43 what is being deleted does not count': {
    object: spriteOf('s', { spec: { agentType: 'seo' } }),
    world: [
      ...starter,
      ...sprites('director', 'editor'),
      spriteOf('old', {
        metadata: { deletionTimestamp: '2026-01-15T11:00:00Z' },
        spec: { agentType: 'strategist' },
      }),
    ],
    refused: [],
  },
  'AD43 a project with a fourth type of its own is refused for that type': {
    object: projectOf('p', { spec: { agentsNeeded: ['director', 'editor', 'seo', 'strategist'] } }),
    world: starter,
    refused: [
      'Forbidden spec.agentsNeeded[3]: Cannot use agent type "strategist": plan "starter" allows 3 agent types and director, editor, seo are in use; use one of these, or plan "growth" would allow it',
    ],
  },
  'AD93 a project above a plan that became smaller still gets a new brief': {
    object: projectOf('p', { spec: { brief: 'New', agentsNeeded: ['director', 'editor', 'seo', 'strategist'] } }),
    old: projectOf('p', { spec: { agentsNeeded: ['director', 'editor', 'seo', 'strategist'] } }),
    world: starter,
    refused: [],
  },
  'AD93 but no further type': {
    object: projectOf('p', { spec: { agentsNeeded: ['director', 'editor', 'seo', 'strategist'] } }),
    old: projectOf('p', { spec: { agentsNeeded: ['director', 'editor', 'seo'] } }),
    world: starter,
    refused: [
      'Forbidden spec.agentsNeeded[3]: Cannot use agent type "strategist": plan "starter" allows 3 agent types and director, editor, seo are in use; use one of these, or plan "growth" would allow it',
    ],
  },
  'AD41 a dependency that is no task is refused with the nearest': {
    object: projectOf('p', { spec: { work: [task('draft'), task('edit', ['draf'])] } }),
    world: growth,
    refused: [
      'Invalid spec.work[1].dependsOn[0]: Cannot depend on task "draf": the project declares no such task; did you mean "draft"?',
    ],
  },
  'AD42 a circle is refused and named': {
    object: projectOf('p', {
      spec: { work: [task('x', ['a']), task('a', ['b']), task('b', ['c']), task('c', ['a'])] },
    }),
    world: growth,
    refused: [
      'Invalid spec.work[1].dependsOn: Cannot order tasks "a → b → c → a": each waits for the next; remove one dependsOn',
    ],
  },
  'AD42 a task that waits for itself is refused': {
    object: projectOf('p', { spec: { work: [task('a', ['a'])] } }),
    world: growth,
    refused: [
      'Invalid spec.work[0].dependsOn: Cannot order tasks "a → a": each waits for the next; remove one dependsOn',
    ],
  },
  'AD42 a diamond is no circle': {
    object: projectOf('p', {
      spec: { work: [task('d', ['b', 'c']), task('b', ['a']), task('c', ['a']), task('a')] },
    }),
    world: growth,
    refused: [],
  },
  'AD51 a sprite of a project that is not there is refused': {
    object: spriteOf('s', { spec: { project: 'q1' } }),
    world: [...growth, projectOf('q1-launch')],
    refused: ['Invalid spec.project: Cannot use project "q1": no Project has this name; there is "q1-launch"'],
  },
  'AD52 a guest above the plan is refused field by field': {
    object: spriteOf('s', { spec: { guest: { cpuKind: 'performance', cpus: 2, memoryMb: 1024 } } }),
    world: growth,
    refused: [
      `Forbidden spec.guest.cpuKind: Cannot set guest.cpuKind to "performance": the tenant's plan sells "shared"; ask for at most that, or take a larger plan`,
      `Forbidden spec.guest.cpus: Cannot set guest.cpus to "2": the tenant's plan sells "1"; ask for at most that, or take a larger plan`,
      `Forbidden spec.guest.memoryMb: Cannot set guest.memoryMb to "1024": the tenant's plan sells "512"; ask for at most that, or take a larger plan`,
    ],
  },
  'AD52 a guest within the plan is admitted': {
    object: spriteOf('s', { spec: { guest: { cpuKind: 'shared', cpus: 1, memoryMb: 256 } } }),
    world: growth,
    refused: [],
  },
  "AD53 an idle time above the tenant's own limit is refused": {
    object: spriteOf('s', { spec: { idleTimeoutSeconds: 200 } }),
    world: [tenantOf({ spec: { config: { spriteIdleTimeoutSeconds: 100 } } }), ...allPlans()],
    refused: [
      `Forbidden spec.idleTimeoutSeconds: Cannot set idleTimeoutSeconds to "200": the tenant's limit is 100; ask for at most 100, or take a larger plan`,
    ],
  },
  'AD93 a sprite of a type that is no longer allowed still changes its run policy': {
    object: spriteOf('s', { spec: { agentType: 'seo', runPolicy: 'Stopped' } }),
    old: spriteOf('s', { spec: { agentType: 'seo' } }),
    world: [...starter, ...sprites('director', 'editor', 'strategist')],
    refused: [],
  },
  'AD40 work of an unknown agent type is refused': {
    object: workOf('w', { spec: { agentType: 'coppywriter' } }),
    world: growth,
    refused: [
      'Invalid spec.agentType: Cannot use agent type "coppywriter": no persona has this name; did you mean "copywriter"?',
    ],
  },
  'AD61 work for a sprite that is not there is refused': {
    object: workOf('w', { spec: { sprite: 'bob' } }),
    world: [...growth, ...sprites('copywriter')],
    refused: ['Invalid spec.sprite: Cannot use sprite "bob": no Sprite has this name; there is "s-copywriter"'],
  },
  'AD61 work for a sprite of another type is refused': {
    object: workOf('w', { spec: { sprite: 's-editor' } }),
    world: [...growth, ...sprites('editor')],
    refused: [
      'Invalid spec.sprite: Cannot use sprite "s-editor": it is of agent type "editor" and spec.agentType is "copywriter"; name one of the two, or a sprite of that type',
    ],
  },
  'AD51 work of a project that is not there is refused': {
    object: workOf('w', { spec: { project: 'q2' } }),
    world: [...growth, projectOf('q1')],
    refused: ['Invalid spec.project: Cannot use project "q2": no Project has this name; did you mean "q1"?'],
  },
  'AD64 work that depends on itself is refused, on others that are not there yet it is not': {
    object: workOf('w', { spec: { dependsOn: ['later', 'w'] } }),
    world: growth,
    refused: ['Invalid spec.dependsOn[1]: Cannot depend on work "w": it is this work itself; name others'],
  },
  'AD65 priority on a plan without priority routing is refused': {
    object: workOf('w', { spec: { priority: 5 } }),
    world: starter,
    refused: [
      'Forbidden spec.priority: Cannot set priority to "5": plan "starter" has no priority routing; leave it out, or plan "growth" would allow it',
    ],
  },
  'AD65 priority with priority routing is admitted': {
    object: workOf('w', { spec: { priority: 5 } }),
    world: growth,
    refused: [],
  },
  'AD65 AD66 a hand-off of the control plane inherits priority and deadline': {
    object: workOf('w', { spec: { priority: 5, deadline: '2026-01-15T11:59:59Z', parent: 'p' } }),
    world: starter,
    isController: true,
    refused: [],
  },
  'AD66 a person cannot pose as a hand-off': {
    object: workOf('w', { spec: { deadline: '2026-01-15T12:00:00Z', parent: 'p' } }),
    world: growth,
    refused: [
      'Invalid spec.deadline: Cannot set deadline to "2026-01-15T12:00:00Z": it is in the past; name a later time or leave it out',
    ],
  },
  'AD66 a deadline that has passed since is not judged again': {
    object: workOf('w', { spec: { deadline: '2026-01-10T12:00:00Z', cancelled: true } }),
    old: workOf('w', { spec: { deadline: '2026-01-10T12:00:00Z' } }),
    world: growth,
    refused: [],
  },
  'AD67 a protected work in progress is not deleted': {
    object: workOf('w', { metadata: PROTECTED, status: { phase: 'InProgress' } }),
    operation: 'DELETE',
    world: growth,
    refused: [
      'Forbidden metadata.annotations: Cannot delete work "w": it is protected and in progress; wait, set spec.cancelled, or remove annotation sprites.highera.com/protected',
    ],
  },
  'AD67 with its tenant it goes': {
    object: workOf('w', { metadata: PROTECTED, status: { phase: 'InProgress' } }),
    operation: 'DELETE',
    world: [tenantOf({ metadata: { deletionTimestamp: '2026-01-15T11:00:00Z' } })],
    refused: [],
  },
  'AD68 a protected sprite is not deleted at work': {
    object: spriteOf('a', { metadata: PROTECTED, status: { currentTask: 'w' } }),
    operation: 'DELETE',
    world: growth,
    refused: [
      'Forbidden metadata.annotations: Cannot delete sprite "a": it is protected and works on w; wait, cancel the work, or remove annotation sprites.highera.com/protected',
    ],
  },
  'AD68 a protected sprite that rests is deleted': {
    object: spriteOf('a', { metadata: PROTECTED }),
    operation: 'DELETE',
    world: growth,
    refused: [],
  },
  'AD68 with its project it goes': {
    object: spriteOf('a', { metadata: PROTECTED, spec: { project: 'q1' }, status: { currentTask: 'w' } }),
    operation: 'DELETE',
    world: growth,
    refused: [],
  },
  'AD69 a protected project is not deleted while work is in progress': {
    object: projectOf('q1', { metadata: PROTECTED }),
    operation: 'DELETE',
    world: [...growth, workOf('w', { spec: { project: 'q1' }, status: { phase: 'InProgress' } })],
    refused: [
      'Forbidden metadata.annotations: Cannot delete project "q1": it is protected and work is in progress (w); wait, cancel the work, or remove annotation sprites.highera.com/protected',
    ],
  },
  'AD69 work of others does not keep it': {
    object: projectOf('q1', { metadata: PROTECTED }),
    operation: 'DELETE',
    world: [...growth, workOf('w', { spec: { project: 'q2' }, status: { phase: 'InProgress' } })],
    refused: [],
  },
}

describe('admission of agent types', () => {
  test.each(Object.entries(rows))('%s', (_, { refused, ...given }) => {
    const admission = ADMISSIONS.get(given.object.kind)
    expect(admission === undefined ? ['no admission'] : admitLines(admission, given)).toEqual(refused)
  })

  // A hand-off of the control plane inherits what a person's may not have.
  const bound = Object.entries(rows).filter(
    ([, { object, refused }]) => refused.length > 0 && !('parent' in (object.spec as object)),
  )
  test.each(bound)('AD94 the control plane too: %s', (_, { refused, ...given }) => {
    const admission = ADMISSIONS.get(given.object.kind)
    expect(admission && admitLines(admission, { ...given, isController: true })).toEqual(refused)
  })

  test('AD43 when a plan shrinks the types that were used first hold', () => {
    const world = { sprites: sprites('director', 'editor', 'seo', 'strategist'), projects: [] }
    const inUse = agentTypesInUse(world)
    const agents = {
      builtinAgentTypes: TEST_AGENT_TYPES,
      personas: [],
      agentTypesLimit: 2,
      customPersonas: false,
      enabledAgents: undefined,
    }
    expect(inUse.map((agentType) => judgeAgentType(agentType, agents, inUse))).toEqual([
      'allowed',
      'allowed',
      'abovePlan',
      'abovePlan',
    ])
  })
})
