/** Actions through the server: what each declares, what it refuses, who is noted as its manager. Rules: docs/spec/actions.md. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/object.ts'
import { CONTROLLER_ACTOR } from '../../api/admission.ts'
import type { KindDefinition } from '../../api/define-kind.ts'
import { reviewKind } from '../../kinds/review/schema.ts'
import { spriteKind } from '../../kinds/sprite/schema.ts'
import { tenantKind } from '../../kinds/tenant/schema.ts'
import { workKind } from '../../kinds/work/schema.ts'
import { TestClock } from '../../../system/test-clock.ts'
import {
  makeNamespace,
  memoryRegistry,
  testServer,
  type Answer,
  type SendOptions,
  type TestServer,
} from '../testing.ts'
import { resourceFor } from './act.ts'
import { servedActions } from './actions.ts'

const API = '/apis/sprites.highera.com/v1alpha1'
const IN_ACME = `${API}/namespaces/acme`
const CONTROLLER = { actor: CONTROLLER_ACTOR, fieldManager: 'sprites-controller' }
const LIMITS = {
  concurrentSprites: 2,
  spriteIdleTimeoutSeconds: 60,
  priority: 1,
  priorityRouting: false,
  customPersonas: false,
  stoppedMachineRetentionSeconds: 0,
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
}

let clock: TestClock
let server: TestServer
let frozenBy: string | undefined
beforeEach(async () => {
  frozenBy = undefined
  clock = new TestClock()
  const registry = memoryRegistry(clock)
  server = testServer({
    registry,
    clock,
    subresources: servedActions({ registry, clock, frozenBy: () => Promise.resolve(frozenBy) }),
  })
  await makeNamespace(server)
  await seed(tenantKind, '', 'acme', { displayName: 'Acme', plan: 'starter' }, { namespace: 'acme', limits: LIMITS })
})

/** An object with its status, as the controllers would have left it. */
async function seed(kind: KindDefinition, namespace: string, name: string, ...rest: readonly [object, object?]) {
  const [spec, status] = rest
  const resource = resourceFor(server.registry, kind)
  const { apiVersion } = kind
  const metadata = { name, ...(namespace === '' ? {} : { namespace }) }
  const made = await server.registry.create(
    resource,
    namespace,
    { apiVersion, kind: kind.kind, metadata, spec },
    CONTROLLER,
  )
  if (status === undefined) return made
  const patch = { type: 'merge' as const, body: { status } }
  return server.registry.patch(resource, { namespace, name }, patch, { ...CONTROLLER, subresource: 'status' })
}

const post = (path: string, options: SendOptions = {}): Promise<Answer> =>
  server.send('POST', `${IN_ACME}/${path}`, options)
const read = async (path: string): Promise<KubeObject> =>
  (await server.send('GET', `${IN_ACME}/${path}`)).body as KubeObject
const annotationsOf = (answer: Answer): unknown => (answer.body as KubeObject).metadata.annotations
const readyAs = (reason: string) => ({
  type: 'Ready',
  status: 'False',
  reason,
  message: 'm',
  lastTransitionTime: '2026-01-15T12:00:00Z',
})
const messageOf = ({ body }: Answer): string => (body as { readonly message: string }).message

describe('sprites/wake and sprites/drain', () => {
  beforeEach(() => seed(spriteKind, 'acme', 'cara', { agentType: 'copywriter' }))
  const WAKE = 'sprites.highera.com/wake-at'
  const DRAIN = 'sprites.highera.com/drain-at'

  test('AC1 wake gives the changed sprite; the wish is an annotation, and its manager is noted', async () => {
    const answer = await post('sprites/cara/wake?fieldManager=tester')
    expect(answer.status).toBe(201)
    expect(annotationsOf(answer)).toEqual({ [WAKE]: new Date(clock.now()).toISOString().replace('Z', '000Z') })
    const [entry] =
      (answer.body as KubeObject).metadata.managedFields?.filter(({ manager }) => manager === 'tester') ?? []
    expect(entry?.operation).toBe('Update')
    expect(answer.body).toEqual(await read('sprites/cara'))
  })

  test('AC2 the same again while it stands writes nothing; once it is served it is asked for anew', async () => {
    const first = await post('sprites/cara/wake')
    await clock.advance(5_000)
    expect((await post('sprites/cara/wake')).body).toEqual(first.body)
    const at = (first.body as KubeObject).metadata.annotations?.[WAKE]
    await server.send('PATCH', `${IN_ACME}/sprites/cara/status`, {
      body: { status: { wokenTime: at } },
      headers: { 'content-type': 'application/merge-patch+json' },
    })
    expect(annotationsOf(await post('sprites/cara/wake'))).not.toEqual({ [WAKE]: at })
  })

  test('AC3 a dry run changes nothing', async () => {
    const before = await read('sprites/cara')
    const answer = await post('sprites/cara/wake?dryRun=All')
    expect(annotationsOf(answer)).toHaveProperty([WAKE])
    expect(await read('sprites/cara')).toEqual(before)
  })

  test('AC12 under a freeze both are refused and leave nothing behind; the message says who froze it', async () => {
    const before = await read('sprites/cara')
    frozenBy = 'the annotation sprites.highera.com/frozen of its tenant'
    for (const action of ['wake', 'drain']) {
      const answer = await post(`sprites/cara/${action}`)
      expect([answer.status, messageOf(answer)]).toEqual([
        409,
        expect.stringContaining(`Cannot ${action} it: its machine is frozen by ${frozenBy}: take that away first`),
      ])
    }
    expect(await read('sprites/cara')).toEqual(before)
    frozenBy = undefined
    expect((await post('sprites/cara/wake')).status).toBe(201)
  })

  test('AC10 wake is refused where it cannot help, and says what would', async () => {
    const patch = (path: string, body: object) =>
      server.send('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } })
    const cara = `${IN_ACME}/sprites/cara`
    await patch(cara, { spec: { runPolicy: 'Stopped' } })
    const stopped = await post('sprites/cara/wake')
    expect(stopped.status).toBe(409)
    expect(messageOf(stopped)).toBe(
      'Operation cannot be fulfilled on sprites.sprites.highera.com "cara": Cannot wake it: spec.runPolicy is "Stopped": set it to OnDemand or Always first',
    )
    await patch(cara, { spec: { runPolicy: 'OnDemand' } })
    await patch(`${API}/tenants/acme`, { spec: { config: { enabledAgents: ['editor'] } } })
    const disallowed = await post('sprites/cara/wake')
    expect([disallowed.status, (disallowed.body as { reason: string }).reason]).toEqual([403, 'Forbidden'])
    expect(messageOf(disallowed)).toContain('enabledAgents')
    await patch(`${API}/tenants/acme`, { spec: { suspend: true, config: { enabledAgents: null } } })
    expect(messageOf(await post('sprites/cara/wake'))).toContain('suspended')
    await patch(`${API}/tenants/acme`, { spec: { suspend: false } })
    await patch(cara, { metadata: { annotations: { 'sprites.highera.com/paused': 'true' } } })
    expect(messageOf(await post('sprites/cara/wake'))).toContain('hands off')
    await patch(cara, { metadata: { annotations: null, finalizers: ['sprites.highera.com/machine'] } })
    await server.send('DELETE', cara)
    expect((await post('sprites/cara/wake')).status).toBe(409)
    expect(messageOf(await post('sprites/cara/drain'))).toContain('is being deleted')
  })

  test('AC11 drain asks nothing of a sprite without a machine, calls off a wake-up, and stands for a machine that runs', async () => {
    const before = await read('sprites/cara')
    expect((await post('sprites/cara/drain')).body).toEqual(before)
    await post('sprites/cara/wake')
    const drained = await post('sprites/cara/drain')
    const said = annotationsOf(drained) as Record<string, string>
    expect(said[DRAIN]).toBe(said[WAKE])
    expect((await post('sprites/cara/drain')).body).toEqual(drained.body)
    const woken = annotationsOf(await post('sprites/cara/wake')) as Record<string, string>
    expect(Date.parse(woken[WAKE] ?? '')).toBeGreaterThan(Date.parse(woken[DRAIN] ?? ''))
  })

  test('AC4 another method is not allowed, a missing object not found, a path of another scope not served', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH'])
      expect((await server.send(method, `${IN_ACME}/sprites/cara/wake`)).status).toBe(405)
    expect((await post('sprites/nobody/wake')).status).toBe(404)
    expect((await server.send('POST', `${API}/sprites/cara/wake`)).status).toBe(404)
    expect((await post('sprites/cara/answer')).status).toBe(404)
  })

  test('AC5 a body is read as its kind: another kind, version or name is refused, an unknown field warned of', async () => {
    const kind = { apiVersion: 'sprites.highera.com/v1alpha1', kind: 'SpriteAction' }
    expect((await post('sprites/cara/wake', { body: { ...kind, metadata: { name: 'cara' }, spec: {} } })).status).toBe(
      201,
    )
    for (const body of [{ kind: 'WorkAction' }, { apiVersion: 'v1' }, { metadata: { name: 'dora' } }, [], 'no'])
      expect((await post('sprites/cara/wake', { body })).status).toBe(400)
    const odd = await post('sprites/cara/wake', { body: { ...kind, spec: { force: true } } })
    expect([odd.status, odd.response.headers['Warning']]).toEqual([201, ['299 - "unknown field \\"spec.force\\""']])
    const strict = await post('sprites/cara/wake?fieldValidation=Strict', { body: { force: true } })
    expect([strict.status, messageOf(strict)]).toEqual([400, 'strict decoding error: unknown field "spec.force"'])
    const wrong = await post('sprites/cara/wake', { body: { spec: 5 } })
    expect(wrong.status).toBe(422)
    expect(messageOf(wrong)).toContain('spec: ')
    const media = await post('sprites/cara/wake', { body: 'a: 1', headers: { 'content-type': 'application/yaml' } })
    expect(media.status).toBe(415)
  })
})

describe('work/cancel and work/retry', () => {
  const task = { type: 'write_copy', description: 'Write', agentType: 'copywriter' }
  const W = 'work/w'
  const work = (phase: string, spec: object = {}, status: object = {}) =>
    seed(workKind, 'acme', 'w', { ...task, ...spec }, { phase, ...status })

  test('AC20 cancel declares it; again changes nothing, also once it has come about', async () => {
    await work('InProgress')
    const answer = await post('work/w/cancel')
    expect([answer.status, (answer.body as KubeObject).spec]).toMatchObject([201, { cancelled: true }])
    expect((await post('work/w/cancel')).body).toEqual(answer.body)
    await server.registry.patch(
      resourceFor(server.registry, workKind),
      { namespace: 'acme', name: 'w' },
      { type: 'merge', body: { status: { phase: 'Cancelled' } } },
      { ...CONTROLLER, subresource: 'status' },
    )
    expect((await post('work/w/cancel')).status).toBe(201)
  })

  test.each(['Completed', 'Failed'])('AC20 cancel of what is %s already is refused', async (phase) => {
    await work(phase)
    const answer = await post('work/w/cancel')
    expect([answer.status, messageOf(answer)]).toEqual([
      409,
      expect.stringContaining(`it has ended already: it is ${phase}`),
    ])
  })

  test('AC21 retry counts up, once until it has come about, and revives what was cancelled', async () => {
    await work('Cancelled', { cancelled: true }, { retries: 2 })
    const answer = await post('work/w/retry')
    expect([answer.status, (answer.body as KubeObject).spec]).toMatchObject([201, { cancelled: false, retries: 3 }])
    expect((await post('work/w/retry')).body).toEqual(answer.body)
    expect((await read('work/w')).status).toMatchObject({ phase: 'Cancelled', retries: 2 })
  })

  test.each([
    ['Completed', 'create another work'],
    ['InProgress', 'it has not ended: it is InProgress'],
    ['Pending', 'it has not ended'],
  ])('AC22 retry of what is %s is refused', async (phase, why) => {
    await work(phase)
    const answer = await post('work/w/retry')
    expect([answer.status, messageOf(answer)]).toEqual([409, expect.stringContaining(why)])
  })

  test('AC24 a retry says what failed because of it and stays so, in the order in which to retry it', async () => {
    const because = { phase: 'Failed', conditions: [readyAs('DependencyFailed')] }
    await seed(workKind, 'acme', 'c', { ...task, dependsOn: ['b'] }, because)
    await seed(workKind, 'acme', 'b', { ...task, dependsOn: ['w'] }, because)
    await seed(workKind, 'acme', 'other', { ...task, dependsOn: ['x'] }, because)
    await seed(
      workKind,
      'acme',
      'own',
      { ...task, dependsOn: ['w'] },
      { phase: 'Failed', conditions: [readyAs('AttemptsExhausted')] },
    )
    await work('Failed')
    const answer = await post('work/w/retry')
    expect(answer.status).toBe(201)
    expect(answer.response.headers['Warning']).toEqual([
      '299 - "2 pieces of work that failed because of it stay Failed (b, c): retry each, in this order"',
    ])
    expect((await read('work/b')).status).toMatchObject({ phase: 'Failed' })
  })

  test('AC22 retry is refused where it would end again at once', async () => {
    const soon = new Date(clock.now() + 60_000).toISOString()
    await work('Failed', { deadline: soon, dependsOn: ['x'] })
    await seed(workKind, 'acme', 'x', task, { phase: 'Failed' })
    expect(messageOf(await post('work/w/retry'))).toContain('it depends on x')
    await clock.advance(61_000)
    expect(messageOf(await post('work/w/retry'))).toContain('set a later spec.deadline first')
  })

  test('AC23 a work that was cancelled is revived by a larger count alone', async () => {
    await work('Cancelled', { cancelled: true, retries: 1 })
    const headers = { 'content-type': 'application/merge-patch+json' }
    const patch = (spec: object) => server.send('PATCH', `${IN_ACME}/${W}`, { body: { spec }, headers })
    expect((await patch({ cancelled: false })).status).toBe(422)
    expect((await patch({ cancelled: false, retries: 2 })).status).toBe(200)
  })
})

describe('reviews/answer', () => {
  const question = { work: 'w', artifact: 'copy', question: 'Good?' }
  const review = (reviewer: string, status: object = { phase: 'Open' }) =>
    seed(reviewKind, 'acme', 'r', { ...question, reviewer }, status)
  const answerBody = { apiVersion: 'sprites.highera.com/v1alpha1', kind: 'ReviewAnswer', spec: { verdict: 'Approved' } }

  test('AC30 the answer is declared in the name of the caller; the same again changes nothing, another is refused', async () => {
    await review('person')
    const answer = await post('reviews/r/answer', { body: answerBody })
    expect([answer.status, (answer.body as KubeObject).spec]).toMatchObject([
      201,
      { answer: { verdict: 'Approved', by: 'admin' } },
    ])
    expect((await post('reviews/r/answer', { body: { verdict: 'Approved' } })).body).toEqual(answer.body)
    const other = await post('reviews/r/answer', { body: { verdict: 'ChangesRequested', comment: 'No' } })
    expect([other.status, messageOf(other)]).toEqual([
      409,
      expect.stringContaining('it is answered already: Approved by admin'),
    ])
  })

  test('AC31 a body that does not fit is refused by the name of its field', async () => {
    await review('person')
    const missing = await post('reviews/r/answer')
    expect([missing.status, messageOf(missing)]).toEqual([
      422,
      'ReviewAnswer.sprites.highera.com "r" is invalid: spec.verdict: Required value',
    ])
    const wrong = await post('reviews/r/answer', { body: { spec: { verdict: 'Fine' } } })
    expect(wrong.body).toMatchObject({ code: 422, details: { causes: [{ field: 'spec.verdict' }] } })
  })

  const failed = { type: 'Ready', status: 'False', message: 'No', lastTransitionTime: '2026-01-15T12:00:00Z' }
  test.each([
    ['editor', { phase: 'Open', work: 'r-review' }, 409, 'the editor is to answer it'],
    ['editor', { phase: 'Open', conditions: [{ ...failed, reason: 'ReviewFailed' }] }, 201, ''],
    ['person', { phase: 'Closed' }, 409, 'ended before an answer came'],
    ['editor', { phase: 'Answered', verdict: 'ChangesRequested', by: 'dora' }, 409, 'ChangesRequested by dora'],
    ['editor', { phase: 'Answered', verdict: 'Approved', by: 'dora' }, 201, ''],
  ])('AC32 a review to the %s as %j: %i %s', async (reviewer, status, code, why) => {
    await review(reviewer, status)
    const answer = await post('reviews/r/answer', { body: answerBody })
    expect([answer.status, code === 201 ? '' : messageOf(answer)]).toEqual([code, expect.stringContaining(why)])
  })
})

test('AC6 a write that comes between is not lost: the action is judged anew', async () => {
  await seed(
    workKind,
    'acme',
    'w',
    { type: 'write_copy', description: 'Write', agentType: 'copywriter' },
    { phase: 'Failed' },
  )
  const { registry } = server
  const resource = resourceFor(registry, workKind)
  const key = { namespace: 'acme', name: 'w' }
  let between = 1
  const racing = {
    ...registry,
    patch: async (...args: Parameters<typeof registry.patch>) => {
      if (between-- > 0) {
        const body = { status: { phase: 'Completed' } }
        await registry.patch(resource, key, { type: 'merge', body }, { ...CONTROLLER, subresource: 'status' })
      }
      return registry.patch(...args)
    },
  }
  server = testServer({ registry: racing, clock, subresources: servedActions({ registry: racing, clock }) })
  expect(messageOf(await post('work/w/retry'))).toContain('it is completed')
})
