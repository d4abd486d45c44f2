/** Tests of forecasts: what each kind's writes say, in words, and that nothing is said that is not so. */
import { describe, expect, it } from 'vitest'
import {
  activeTenant,
  changed,
  created,
  deleted,
  doing,
  growth,
  holding,
  starter,
  upSprite,
  worldOf,
} from './forecast-builders.ts'
import { forecastIn } from './forecasts.ts'
import { accessTokenOf, personaOf, planOf, projectOf, spriteOf, TEST_NOW, userOf, workOf } from './object-builders.ts'
import { spriteForecast } from './sprite/forecast.ts'

const [web1, web2] = [upSprite('web-1'), upSprite('web-2')]

describe('FC1 a new sprite', () => {
  it('FC1 says that no machine is made until work comes, and the headroom', () => {
    const world = worldOf({ sprites: [web1], ledger: holding(web1) })
    expect(forecastIn(world, created(spriteOf('new')))).toEqual([
      'No machine is made until work comes: 1 of 2 machines of plan "starter" is running',
    ])
  })

  it('FC1 says that a machine is created when it is always on and a slot is free', () => {
    const world = worldOf({ sprites: [web1], ledger: holding(web1) })
    expect(forecastIn(world, created(spriteOf('new', { spec: { runPolicy: 'Always' } })))).toEqual([
      '1 machine will be created: 2 of 2 machines of plan "starter" are then running',
    ])
  })

  it('FC1 says that it waits, and for whom, when no slot is free', () => {
    const busy = [doing('a', 'web-1'), doing('b', 'web-2')]
    const world = worldOf({ sprites: [web1, web2], work: busy, ledger: holding(web1, web2) })
    expect(forecastIn(world, created(spriteOf('new', { spec: { runPolicy: 'Always' } })))).toEqual([
      'Sprite "new" will wait for a slot: 2 of 2 machines of plan "starter" are running (web-1, web-2)',
    ])
  })

  it('FC1 names the tenant when the limit is its own', () => {
    const tenant = activeTenant(growth, { spec: { config: { maxConcurrentSprites: 1 } } })
    expect(forecastIn(worldOf({}, tenant), created(spriteOf('new')))).toEqual([
      'No machine is made until work comes: 0 of 1 machine of tenant "acme" are running',
    ])
  })

  it('FC1 says why it has none when that is not for want of work', () => {
    const world = worldOf({}, activeTenant(starter, { spec: { suspend: true } }))
    expect(forecastIn(world, created(spriteOf('new')))).toEqual([
      'No machine is made: its tenant or project is suspended',
    ])
  })

  it('FC1 counts the work that waits for such a sprite', () => {
    const world = worldOf({ work: [workOf('w', { status: { phase: 'Pending' } })] })
    expect(forecastIn(world, created(spriteOf('new')))).toEqual([
      '1 machine will be created: 1 of 2 machines of plan "starter" is then running',
    ])
  })
})

describe('FC2 a changed or deleted sprite', () => {
  const at = (work: readonly ReturnType<typeof workOf>[] = []) =>
    worldOf({ sprites: [web1, web2], work, ledger: holding(web1, web2) })

  it('FC2 says that the machine is replaced, after the work in progress', () => {
    expect(forecastIn(at([doing('w-1', 'web-1')]), changed(web1, { image: 'other' }))).toEqual([
      'Machine web-1-m-1 will be replaced after the work in progress "w-1": image changed',
    ])
    expect(forecastIn(at(), changed(web1, { image: 'image' }))).toEqual([])
  })

  it('FC2 says that the machine is stopped', () => {
    expect(forecastIn(at([doing('w-1', 'web-1')]), changed(web1, { runPolicy: 'Stopped' }))).toEqual([
      'Machine web-1-m-1 will be destroyed after the work in progress "w-1": spec.runPolicy is Stopped',
    ])
  })

  it('FC2 says that a deleted sprite takes its machine with it, and work goes back', () => {
    const waiting = workOf('w-2', { status: { phase: 'Assigned', assignedSprite: 'web-1', assignedTime: TEST_NOW } })
    expect(forecastIn(at([waiting]), deleted(web1))).toEqual([
      'Machine web-1-m-1 will be destroyed: the sprite is being deleted',
      '1 piece of work goes back to the queue (w-2)',
    ])
    expect(forecastIn(at(), deleted(spriteOf('asleep')))).toEqual([])
  })
})

describe('FC3 what needs no word', () => {
  it('FC3 a sprite that is declared stopped, new or without a machine', () => {
    const stopped = spriteOf('new', { spec: { runPolicy: 'Stopped' } })
    for (const tenant of [activeTenant(starter), activeTenant(starter, { spec: { suspend: true } })]) {
      expect(forecastIn(worldOf({}, tenant), created(stopped))).toEqual([])
      const world = worldOf({ sprites: [spriteOf('new')] }, tenant)
      expect(forecastIn(world, changed(spriteOf('new'), { runPolicy: 'Stopped' }))).toEqual([])
    }
  })

  it('FC3 a write after which the controllers do what they would have done', () => {
    const resting = spriteOf('resting')
    const project = projectOf('q1')
    const tenant = activeTenant(starter)
    const world = worldOf({ sprites: [web1, resting], projects: [project], ledger: holding(web1) }, tenant)
    const guest = { cpuKind: 'shared', cpus: 2, memoryMb: 1024 }
    expect(forecastIn(world, changed(resting, { guest }))).toEqual([])
    expect(forecastIn(world, deleted(resting))).toEqual([])
    expect(forecastIn(world, changed(project, { brief: 'Another brief' }))).toEqual([])
    expect(forecastIn(world, changed(tenant, { displayName: 'Another' }))).toEqual([])
    expect(forecastIn(world, changed(tenant, { config: { maxConcurrentSprites: 1 } }))).toEqual([])
    expect(forecastIn(world, changed(starter, { concurrentSprites: 3 }))).toEqual([])
    // The same machine is not left alone where it is the one that changes.
    expect(forecastIn(world, changed(web1, { guest }))).not.toEqual([])
  })
})

describe('FC4 a project', () => {
  const project = projectOf('q1', {
    spec: {
      agentsNeeded: ['copywriter', 'editor'],
      work: [{ name: 'draft', type: 'write_copy', agentType: 'copywriter', description: 'Write' }],
    },
  })
  const own = (name: string) => ({
    ownerReferences: [
      { apiVersion: project.apiVersion, kind: 'Project', name: 'q1', uid: project.metadata.uid, controller: true },
    ],
    name,
  })

  it('FC4 says which sprites and work it makes, and which machines follow', () => {
    expect(forecastIn(worldOf(), created(project))).toEqual([
      '2 sprites will be created (q1-copywriter, q1-editor)',
      '1 piece of work will be created (q1-draft)',
      '1 machine will be created (q1-copywriter): 1 of 2 machines of plan "starter" is then running',
    ])
  })

  it('FC5 says what goes with it, and what is interrupted', () => {
    const sprite = upSprite('web-1', { metadata: own('web-1') })
    const work = {
      ...doing('q1-draft', 'web-1'),
      metadata: { ...doing('q1-draft', 'web-1').metadata, ...own('q1-draft') },
    }
    const world = worldOf({ projects: [project], sprites: [sprite], work: [work], ledger: holding(sprite) })
    expect(forecastIn(world, deleted(project))).toEqual([
      '1 sprite (web-1) and 1 piece of work, 1 of it open, will be deleted with it',
      '1 piece of work in progress will be interrupted (q1-draft)',
      'Machine web-1-m-1 will be destroyed: the sprite is being deleted',
    ])
    expect(forecastIn(world, { ...deleted(project), isOrphaning: true })).toEqual([])
  })

  it('FC4 says what a suspension stops', () => {
    const sprite = upSprite('web-1', { metadata: own('web-1'), spec: { project: 'q1' } })
    const world = worldOf({ projects: [project], sprites: [sprite], ledger: holding(sprite) })
    const lines = forecastIn(world, changed(project, { suspend: true }))
    expect(lines).toContain('Machine web-1-m-1 will be destroyed: its tenant or project is suspended')
  })
})

describe('FC6 a tenant', () => {
  const tenant = activeTenant(growth, {
    status: { usage: { month: '2026-01', tokensUsed: 3_000_000, tokensReserved: 0, spritesSpawned: 3 } },
  })
  const sprites = ['a', 'b', 'c', 'd'].map((name) => upSprite(name, { spec: { runPolicy: 'Always' } }))
  const world = worldOf({ sprites, ledger: holding(...sprites), users: [userOf('ada')] }, tenant)

  it('FC6 says which machines are over the limit of a smaller plan', () => {
    const lines = forecastIn(world, changed(tenant, { plan: 'starter' }))
    expect(lines.join('\n')).toMatch(/^2 machines will be destroyed \(c, d\): the limit is lower than what runs$/m)
    const tokens = starter.spec.monthlyTokens ?? 0
    expect(tokens).toBeLessThan(3_000_000)
    expect(lines.join('\n')).toMatch(/tokens of tenant "acme" are used up already \(3000000\)/)
  })

  it('FC6 says what a suspension stops', () => {
    expect(forecastIn(world, changed(tenant, { suspend: true }))).toEqual([
      '4 machines will be stopped (a, b, c and 1 more): its tenant or project is suspended',
    ])
  })

  it('FC6 says which agent types in use are no longer allowed', () => {
    const lines = forecastIn(world, changed(tenant, { config: { enabledAgents: ['editor'] } }))
    expect(lines.at(-1)).toBe('1 agent type in use may no longer be declared (copywriter): plan "growth" and config')
  })

  it('FC7 counts what goes with it', () => {
    expect(forecastIn(world, deleted(tenant))).toEqual([
      'Everything of tenant "acme" will be deleted: 4 sprites, 1 user',
      '4 machines will be destroyed (a, b, c and 1 more): the sprite is being deleted',
    ])
  })

  it('FC7 says that a namespace takes the same with it, but not the tenant', () => {
    const namespace = (name: string) => ({
      ...tenant,
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { ...tenant.metadata, name },
    })
    expect(forecastIn(world, deleted(namespace('acme')))).toEqual([
      'Everything of tenant "acme" will be deleted: 4 sprites, 1 user',
      '4 machines will be destroyed (a, b, c and 1 more): the sprite is being deleted',
      'Tenant "acme" stays, and has an empty namespace then: delete the Tenant to end it',
    ])
    expect(forecastIn(world, deleted(namespace('nobodys')))).toEqual([])
  })

  it('FC8 a plan: says which machines of which tenants a lower limit takes', () => {
    expect(forecastIn(world, changed(growth, { concurrentSprites: 1 }))).toEqual([
      '3 machines of 1 tenant will be stopped ("acme": 3)',
    ])
    expect(forecastIn(world, changed(starter, { concurrentSprites: 1 }))).toEqual([])
  })
})

describe('FC9 work', () => {
  it('FC9 says who will do it', () => {
    const world = worldOf({ sprites: [web1], ledger: holding(web1) })
    expect(forecastIn(world, created(workOf('w')))).toEqual(['Sprite "web-1" will do it'])
    expect(
      forecastIn(worldOf({ sprites: [spriteOf('s', { status: { phase: 'Stopped' } })] }), created(workOf('w'))),
    ).toEqual([
      '1 machine will be created (s): 1 of 2 machines of plan "starter" is then running',
      'Sprite "s" will do it',
    ])
  })

  it('FC9 says why nobody can', () => {
    expect(forecastIn(worldOf(), created(workOf('w')))).toEqual([
      'No sprite of agent type "copywriter" is declared: it waits until there is one',
    ])
    const owned = spriteOf('s', { spec: { project: 'launch' } })
    expect(forecastIn(worldOf({ sprites: [owned] }), created(workOf('w')))).toEqual([
      'No sprite of agent type "copywriter" is declared; those of project launch do its work alone: set spec.project, or it waits',
    ])
    const stopped = spriteOf('s', { spec: { runPolicy: 'Stopped' } })
    expect(forecastIn(worldOf({ sprites: [stopped] }), created(workOf('w')))).toEqual([
      'No sprite can take it: "s" has runPolicy Stopped',
    ])
    const world = worldOf({ sprites: [web1], work: [doing('a', 'web-1')], ledger: holding(web1) })
    expect(forecastIn(world, created(workOf('w')))).toEqual([
      'It will wait for a free sprite: 1 sprite could do it (web-1)',
    ])
    const suspended = worldOf({ sprites: [web1] }, activeTenant(starter, { spec: { suspend: true } }))
    expect(forecastIn(suspended, created(workOf('w')))).toEqual([
      'It will wait: its tenant is suspended: set spec.suspend to false',
    ])
  })

  it('FC9 says that the budget is used up', () => {
    const condition = {
      type: 'BudgetExhausted',
      status: 'True' as const,
      reason: 'BudgetExhausted',
      message: 'm',
      lastTransitionTime: TEST_NOW,
      observedGeneration: 1,
    }
    const world = worldOf({ sprites: [web1] }, activeTenant(starter, { status: { conditions: [condition] } }))
    expect(forecastIn(world, created(workOf('w')))).toEqual([
      'It will wait: the tenant’s tokens of this month are used up: raise its monthlyTokenBudget or plan, or wait for next month',
    ])
  })

  it('FC10 says that work in progress is interrupted', () => {
    const work = doing('w', 'web-1')
    const world = worldOf({ sprites: [web1], work: [work], ledger: holding(web1) })
    const line = 'Work in progress will be interrupted: sprite "web-1" gives it up'
    expect(forecastIn(world, changed(work, { cancelled: true }))).toEqual([line])
    expect(forecastIn(world, deleted(work))).toEqual([line])
    expect(forecastIn(world, deleted(workOf('done', { status: { phase: 'Completed' } })))).toEqual([])
  })
})

describe('FC11 people and personas', () => {
  it('FC11 says whose persona changes', () => {
    const world = worldOf({ sprites: [web1] }, activeTenant(planOf('enterprise')))
    const plans = [planOf('enterprise')]
    const persona = personaOf('copywriter')
    expect(forecastIn({ ...world, plans }, changed(persona, { prompt: 'Another prompt that is long.' }))).toEqual([
      '1 sprite (web-1) takes this text from the next task on',
    ])
    expect(forecastIn({ ...world, plans }, deleted(persona))).toEqual([
      '1 sprite (web-1) takes the built-in persona from the next task on',
    ])
    expect(forecastIn(worldOf({ sprites: [web1] }), deleted(persona))).toEqual([])
  })

  it('FC12 says who loses a role', () => {
    const ada = userOf('ada', { spec: { role: 'admin' } })
    const world = worldOf({ users: [ada] })
    expect(forecastIn(world, deleted(ada))).toEqual([
      '"ada@acme.test" loses the role "admin" in tenant "acme"',
      'Tenant "acme" has no admin of its own then',
    ])
    expect(forecastIn(world, changed(ada, { role: 'viewer' }))[0]).toBe(
      '"ada@acme.test" is "viewer" and no longer "admin" in tenant "acme"',
    )
    expect(forecastIn(world, created(userOf('bob')))).toEqual([])
  })
})

describe('FC13 an access token', () => {
  const past = '2026-01-15T11:59:59Z'
  const [standing, ended] = [accessTokenOf('ci'), accessTokenOf('old', { spec: { expireTime: past } })]
  const line = 'Token "ci" is refused from now on, also where it is in use'

  it('FC13 says that one is refused once it is deleted, or its end lies in the past', () => {
    expect(forecastIn(worldOf(), deleted(standing))).toEqual([line])
    expect(forecastIn(worldOf(), changed(standing, { expireTime: past }))).toEqual([line])
    expect(forecastIn(worldOf(), changed(standing, { expireTime: TEST_NOW }))).toEqual([line])
  })

  it('FC13 says nothing of one that is new, goes on, or was refused before', () => {
    expect(forecastIn(worldOf(), created(standing))).toEqual([])
    expect(forecastIn(worldOf(), changed(standing, { expireTime: '2026-01-15T12:00:01Z' }))).toEqual([])
    expect(forecastIn(worldOf(), deleted(ended))).toEqual([])
    expect(forecastIn(worldOf(), changed(ended, { expireTime: '2026-01-14T00:00:00Z' }))).toEqual([])
  })
})

describe('FC14 what sets off nothing', () => {
  it('FC14 is silent on labels and annotations, on what is going already, and on other kinds', () => {
    const labelled = { ...web1, metadata: { ...web1.metadata, labels: { a: 'b' } } }
    const world = worldOf({ sprites: [web1], ledger: holding(web1) })
    expect(forecastIn(world, { operation: 'UPDATE', object: labelled, old: web1 })).toEqual([])
    const leaving = { ...web1, metadata: { ...web1.metadata, deletionTimestamp: TEST_NOW } }
    expect(forecastIn(world, changed(leaving, { runPolicy: 'Stopped' }))).toEqual([])
    expect(forecastIn(world, created({ ...web1, kind: 'ConfigMap' }))).toEqual([])
  })

  it('FC15 is silent on a tenant that it does not know, and on one too large to look at', () => {
    const stray = spriteOf('s', { metadata: { namespace: 'elsewhere' } })
    expect(forecastIn(worldOf(), created(stray))).toEqual([])
    const many = Array.from({ length: 2_000 }, (_, index) => spriteOf(`s-${index}`))
    expect(spriteForecast(worldOf({ sprites: many }), { operation: 'CREATE', object: spriteOf('s') })).toEqual([])
  })
})
