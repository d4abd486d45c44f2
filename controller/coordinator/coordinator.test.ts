/** The sprite API over loopback HTTP: who is let in, what is claimed, and what a report writes. Rules: docs/spec/coordinator.md. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spriteHeartbeat } from '../../protocol/channels.ts'
import { announceReply, SPRITE_API, taskSchema } from '../../protocol/coordinator.ts'
import { ApiError } from '../api/errors.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { workKind } from '../kinds/work/schema.ts'
import { IN_PROGRESS, machineUp, startHarness, TENANT, type Harness } from './fake/harness.ts'

const completion = (overrides: object = {}): object => ({
  work: 'w1',
  attempt: 1,
  summary: 'Wrote it',
  deliverables: [],
  handOffs: [],
  reviews: [],
  ...overrides,
})
const key = (name: string) => ({ namespace: TENANT, name })

/** Records that say that a process is to end, whatever it does. */
const OUTGOING = [
  ['to be destroyed', machineUp('cara-uid-2', { intent: 'Destroy' })],
  ['stopped and kept', machineUp('cara-uid-2', { intent: 'Stop', state: 'stopped' })],
  ['gone', undefined],
] as const

let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(async () => {
  await h.close()
  expect(h.clock.pendingTimers).toBe(0)
})

describe('identity', () => {
  it.each([
    ['no token', ''],
    ['rubbish', 'abc'],
    ['a token of another master key', 'spr1_e30_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
  ])('CO1 refuses %s on every route', async (_, token) => {
    for (const path of [...Object.values(SPRITE_API).filter((one) => one !== '/gateway'), '/gateway/v1/messages']) {
      const method = path === SPRITE_API.inbox ? 'GET' : 'POST'
      expect((await h.send(path, {}, { token, method })).status).toBe(401)
    }
    expect(h.client.count('get', 'list', 'patchStatus')).toBe(0)
  })

  it('CO2 an older and a newer incarnation are fenced, counted and recorded', async () => {
    for (const incarnation of [1, 3]) {
      const reply = await h.send(SPRITE_API.claim, {}, { token: h.token('cara', incarnation) })
      expect(reply).toMatchObject({ status: 409, body: { error: { reason: 'Fenced' } } })
    }
    expect(h.events).toEqual([1, 2].map(() => ({ kind: 'Sprite', name: 'cara', reason: 'Fenced' })))
    expect(await h.metrics.expose()).toContain('sprites_coordinator_fenced_total{what="incarnation"} 2')
  })

  it('CO2 the machine of status decides before the last incarnation that was used', async () => {
    h.seedSprite('dora', { status: { incarnation: 2, machine: { incarnation: 3 } as never } })
    expect((await h.send(SPRITE_API.claim, {}, { token: h.token('dora', 3) })).status).toBe(204)
    expect((await h.send(SPRITE_API.claim, {}, { token: h.token('dora', 2) })).status).toBe(409)
  })

  it('CO2 S4 nobody is fenced by a store that has not even the tenant: it was lost, and is asked again', async () => {
    h.client.vanish(spriteKind, key('cara'))
    h.client.vanish(tenantKind, { namespace: '', name: TENANT })
    expect(await h.send(SPRITE_API.claim)).toMatchObject({
      status: 503,
      body: {
        error: { reason: 'Unavailable', message: expect.stringContaining(`the store has no tenant "${TENANT}"`) },
      },
    })
    expect(h.events).toEqual([])
  })

  it('CO2 a sprite that is gone or was made anew under its name is fenced', async () => {
    h.client.vanish(spriteKind, key('cara'))
    expect((await h.send(SPRITE_API.claim)).status).toBe(409)
    h.client.seed({
      kind: 'Sprite',
      metadata: { name: 'cara', namespace: TENANT, uid: 'uid-other' },
      spec: { agentType: 'copywriter' },
      status: { incarnation: 2 },
    })
    expect((await h.send(SPRITE_API.claim)).status).toBe(409)
  })

  it('CO3 answers 405, 413 and 422 with the first issues, and leaves other paths alone', async () => {
    expect((await h.send(SPRITE_API.claim, {}, { method: 'GET' })).status).toBe(405)
    expect((await h.send(SPRITE_API.complete, {}, { raw: `"${'a'.repeat(1_048_576)}"` })).status).toBe(413)
    expect((await h.send(SPRITE_API.complete, {}, { raw: '['.repeat(200) })).status).toBe(422)
    expect((await h.send(SPRITE_API.complete, {}, { raw: '{"a":' })).status).toBe(422)
    const bad = Array.from({ length: 20 }, () => ({ name: 1, extra: 2 }))
    const reply = await h.send(SPRITE_API.complete, completion({ deliverables: bad }))
    expect(reply).toMatchObject({ status: 422, body: { error: { reason: 'Invalid' } } })
    expect((reply.body as { error: { issues: string[] } }).error.issues).toHaveLength(20)
    expect((await h.send('/sprite/v1/claim/')).status).toBe(404)
  })

  it('CO3 a store that is away is 503 with Retry-After, and its words stay inside', async () => {
    h.client.failNext('get', new ApiError('InternalError', 'secret path /var/x'))
    const reply = await h.send(SPRITE_API.claim)
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect(JSON.stringify(reply.body)).not.toContain('secret')
  })
})

describe('announce and heartbeat', () => {
  it('CO4 announce tells who the sprite is and is a sign of life', async () => {
    const beats: unknown[] = []
    await h.bus.subscribe(spriteHeartbeat(TENANT, 'cara'), (message) => beats.push(message))
    const reply = await h.send(SPRITE_API.announce, { startedAtMs: 1, version: '0.1.0' })
    expect(announceReply.parse(reply.body)).toMatchObject({
      sprite: 'cara',
      agentType: 'copywriter',
      incarnation: 2,
      idleTimeoutMs: 60_000,
    })
    expect(beats).toEqual([{ uid: 'uid-cara', incarnation: 2, state: 'idle', atMs: h.clock.now() }])
    expect(h.client.commits).toBe(0)
  })

  it('CO5 a heartbeat goes to the bus, never to the store', async () => {
    const beats: unknown[] = []
    await h.bus.subscribe('sprite:*', (message) => beats.push(message))
    h.seedWork('w1', { status: IN_PROGRESS })
    const body = { state: 'working', work: { name: 'w1', attempt: 1 } }
    expect((await h.send(SPRITE_API.heartbeat, body)).body).toEqual({ directive: 'continue', idleTimeoutMs: 60_000 })
    expect(beats).toMatchObject([{ state: 'working', work: 'w1', incarnation: 2 }])
    expect(h.client.commits).toBe(0)
  })

  it('CO5 drains when the sprite drains or it or its tenant is being deleted', async () => {
    const directive = async (): Promise<unknown> => (await h.send(SPRITE_API.heartbeat, { state: 'idle' })).body
    h.seedSprite('cara', { status: { phase: 'Draining' } })
    expect(await directive()).toEqual({ directive: 'drain', idleTimeoutMs: 60_000 })
    h.seedSprite('cara', { deleting: true })
    expect(await directive()).toEqual({ directive: 'drain', idleTimeoutMs: 60_000 })
  })

  it.each(OUTGOING)('CO5 drains a process whose machine is %s', async (_, machine) => {
    h.seedSprite('cara', { status: { machine } })
    expect((await h.send(SPRITE_API.heartbeat, { state: 'idle' })).body).toMatchObject({ directive: 'drain' })
  })

  it.each([
    ['another attempt', { status: { ...IN_PROGRESS, attempt: 2 } }],
    ['another sprite', { status: { ...IN_PROGRESS, assignedSprite: 'dora' } }],
    ['another incarnation', { status: { ...IN_PROGRESS, incarnation: 3 } }],
    ['a phase that is over', { status: { ...IN_PROGRESS, phase: 'Failed' as const } }],
    ['a cancelled work', { spec: { cancelled: true }, status: IN_PROGRESS }],
  ])('CO5 abandons what is at %s', async (_, options) => {
    h.seedWork('w1', options)
    const body = { state: 'working', work: { name: 'w1', attempt: 1 } }
    expect((await h.send(SPRITE_API.heartbeat, body)).body).toEqual({ directive: 'abandon', idleTimeoutMs: 60_000 })
  })
})

describe('claim', () => {
  it('CO6 writes the attempt by one compare-and-swap and gives the whole task', async () => {
    h.client.seed({
      kind: 'Project',
      metadata: { name: 'q1', namespace: TENANT },
      spec: { displayName: 'Q1', brief: '# Launch' },
    })
    h.seedSprite('ed', { agentType: 'editor' })
    h.seedWork('w1', { spec: { project: 'q1', input: { a: 1 } } })
    h.client.resetCalls()
    const reply = await h.send(SPRITE_API.claim)
    expect(taskSchema.parse(reply.body)).toMatchObject({
      work: 'w1',
      attempt: 1,
      model: 'claude-test',
      input: { a: 1 },
      persona: { name: 'copywriter' },
      brand: { voice: 'Dry' },
      project: { name: 'q1', brief: '# Launch' },
      handOffTargets: [{ agentType: 'editor' }],
    })
    expect(h.work('w1').status).toMatchObject({
      phase: 'InProgress',
      incarnation: 2,
      attempt: 1,
      attemptsTotal: 1,
      startTime: '2026-01-15T12:00:00Z',
      attempts: [{ number: 1, sprite: 'cara', incarnation: 2, startTime: '2026-01-15T12:00:00Z' }],
    })
    expect(h.client.count('patchStatus')).toBe(1)
  })

  it('CO6 claiming again gives the same task and writes nothing', async () => {
    h.seedWork('w1')
    const first = await h.send(SPRITE_API.claim)
    h.client.resetCalls()
    expect((await h.send(SPRITE_API.claim)).body).toEqual(first.body)
    expect(h.client.commits).toBe(0)
  })

  it('CO6 takes the highest priority, then the oldest', async () => {
    h.seedWork('a-young', { spec: { priority: 1 } })
    h.seedWork('b-urgent', { spec: { priority: 9 } })
    expect((await h.send(SPRITE_API.claim)).body).toMatchObject({ work: 'b-urgent' })
  })

  it('CO6 204 when nothing is assigned to it, or what is was cancelled or belongs to its former self', async () => {
    h.seedWork('other', { status: { assignedSprite: 'dora' } })
    h.seedWork('cancelled', { spec: { cancelled: true } })
    h.seedWork('former', { status: { ...IN_PROGRESS, incarnation: 1 } })
    expect((await h.send(SPRITE_API.claim)).status).toBe(204)
  })

  it('CO6 a sprite that drains finishes what it has and starts nothing', async () => {
    h.seedSprite('cara', { status: { phase: 'Draining' } })
    h.seedWork('w1')
    expect((await h.send(SPRITE_API.claim)).status).toBe(204)
    h.seedWork('w2', { status: IN_PROGRESS })
    expect((await h.send(SPRITE_API.claim)).body).toMatchObject({ work: 'w2' })
  })

  it.each(OUTGOING)(
    'CO6 nothing new for a process whose machine is %s: it would be lost at once',
    async (_, machine) => {
      h.seedSprite('cara', { status: { machine } })
      h.seedWork('w1')
      expect((await h.send(SPRITE_API.claim)).status).toBe(204)
      expect(h.work('w1').status).toMatchObject({ phase: 'Assigned' })
    },
  )

  it('CO6 what is being started again may claim before its controller knows that it is up', async () => {
    h.seedSprite('cara', { status: { machine: machineUp('cara-uid-2', { intent: 'Start', state: 'stopped' }) } })
    h.seedWork('w1')
    expect((await h.send(SPRITE_API.claim)).body).toMatchObject({ work: 'w1' })
  })

  it('CO6 a write in between is read again, so that a cancelled work is not started', async () => {
    h.seedWork('w1')
    h.client.beforeNext('patchStatus', () => {
      h.seedWork('w1', { spec: { cancelled: true } })
    })
    expect((await h.send(SPRITE_API.claim)).status).toBe(204)
    expect(h.work('w1').status?.phase).toBe('Assigned')
  })

  it('CO6 without a persona it is 503 and costs no attempt', async () => {
    h.seedSprite('cara', { agentType: 'astrologer' })
    h.seedWork('w1')
    expect((await h.send(SPRITE_API.claim)).status).toBe(503)
    expect(h.work('w1').status?.attemptsTotal).toBeUndefined()
  })

  it('CO7 a persona of the tenant counts only where its limits allow it, its model only from the list', async () => {
    const spec = {
      description: 'Ours',
      model: 'claude-dear',
      effort: 'low',
      maxTokens: 512,
      tools: [],
      mayHandOffTo: [],
    }
    h.client.seed({
      kind: 'Persona',
      metadata: { name: 'copywriter', namespace: TENANT },
      spec: { ...spec, prompt: 'Write as we do here.' },
    })
    h.seedWork('w1')
    expect((await h.send(SPRITE_API.claim)).body).toMatchObject({
      persona: { description: 'Does the work of a copywriter.' },
    })
    h.seedTenant({ limits: { customPersonas: true } })
    expect((await h.send(SPRITE_API.claim)).body).toMatchObject({
      persona: { description: 'Ours' },
      model: 'claude-test',
    })
  })

  it('CO8 carries the results above it, of what it waited for, and the answers to its reviews', async () => {
    const result = (summary: string): object => ({
      phase: 'Completed',
      output: { summary },
      deliverables: [{ name: 'd', mediaType: 'text/plain', content: `Text of ${summary}`, digest: 'x' }],
    })
    h.seedWork('root', { status: result('root') })
    h.seedWork('mid', { spec: { parent: 'root' }, status: result('mid') })
    h.seedWork('side', { status: result('side') })
    h.seedWork('w1', { spec: { parent: 'mid', dependsOn: ['side', 'root'] } })
    h.client.seed({
      kind: 'Review',
      metadata: { name: 'r', namespace: TENANT },
      spec: { work: 'w1', artifact: 'd', question: 'Good?', reviewer: 'person' },
      status: { phase: 'Answered', verdict: 'ChangesRequested', comment: 'Shorter', by: 'ann' },
    })
    const task = taskSchema.parse((await h.send(SPRITE_API.claim)).body)
    expect(task.context.map((one) => one.summary)).toEqual(['root', 'mid', 'side'])
    expect(task.feedback).toEqual([{ artifact: 'd', verdict: 'ChangesRequested', comment: 'Shorter', by: 'ann' }])
  })
})

describe('what stays inside', () => {
  it('S8 CO1 identity comes from the token: another tenant’s work of the same name is not reached', async () => {
    h.client.seed({
      kind: 'Work',
      metadata: { name: 'w1', namespace: 'other', uid: 'x' },
      spec: { type: 't', description: 'd', priority: 0, maxAttempts: 3, cancelled: false },
      status: IN_PROGRESS,
    })
    expect((await h.send(SPRITE_API.complete, completion())).status).toBe(409)
    expect(h.client.peek(workKind, { namespace: 'other', name: 'w1' })?.status?.phase).toBe('InProgress')
  })
})
