/** Actions and scale with real kubectl, the oldest and the newest there is, on a real control plane with real processes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { join } from 'node:path'
import type { Sprite } from '../controller/kinds/sprite/schema.ts'
import { isTerminal, type Work } from '../controller/kinds/work/schema.ts'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'

const API = '/apis/sprites.highera.com/v1alpha1'
const ACME = `${API}/namespaces/acme`
const object = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
})

const found = oldestAndNewest()
if (found.length === 0) it.skip('kubectl is not installed: nothing to test with')

describe.each(found.map((kubectl) => ({ kubectl, name: nameOf(kubectl) })))('$name', ({ kubectl }) => {
  let plane: Plane
  const k = (args: readonly string[], input?: object): Promise<Run> =>
    runWith(kubectl, args, {
      kubeconfig: join(plane.folder, 'kubeconfig'),
      home: plane.folder,
      ...(input === undefined ? {} : { input: JSON.stringify(input) }),
    })
  const ask = (path: string, body: object = {}): Promise<Run> =>
    k(['create', '--raw', `${ACME}/${path}`, '-f', '-'], body)
  const sprite = (): Promise<Sprite> => plane.get<Sprite>(`${ACME}/sprites/cara`)
  const work = (name: string): Promise<Work> => plane.get<Work>(`${ACME}/work/${name}`)

  beforeAll(async () => {
    plane = await Plane.create()
    await plane.start()
    await plane.post(`${API}/tenants`, object('Tenant', 'acme', { displayName: 'Acme', plan: 'growth' }))
    await plane.until('the tenant to be active', async () => {
      const { status } = await plane.get<{ status?: { limits?: object; namespace?: string } }>(`${API}/tenants/acme`)
      return status?.limits !== undefined && (await plane.status('/api/v1/namespaces/acme')) === 200
    })
    await plane.post(`${ACME}/sprites`, object('Sprite', 'cara', { agentType: 'copywriter' }, 'acme'))
  }, 90_000)
  afterAll(() => plane.destroy())

  it('AC10 AC11 a woken sprite runs a process without work, a drained one runs none', async () => {
    await plane.until('the sprite to rest', async () => (await sprite()).status?.phase === 'Stopped')
    const woken = await ask('sprites/cara/wake')
    expect(woken).toMatchObject({ code: 0, out: expect.stringContaining('sprites.highera.com/wake-at') })
    await plane.until('the sprite to be up', async () => (await sprite()).status?.phase === 'Idle')
    expect(await plane.sprites()).toMatchObject([{ tenant: 'acme', sprite: 'cara' }])
    expect((await ask('sprites/cara/drain')).code).toBe(0)
    await plane.until('the sprite to rest again', async () => (await sprite()).status?.phase === 'Stopped')
    expect(await plane.sprites()).toEqual([])
  }, 90_000)

  it('AC20 AC21 a task is cancelled, and done after a retry', async () => {
    await k(['patch', 'sprite', 'cara', '-n', 'acme', '--type', 'merge', '-p', '{"spec":{"runPolicy":"Stopped"}}'])
    const refused = await ask('sprites/cara/wake')
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('spec.runPolicy is "Stopped"')])
    const spec = { type: 'write_copy', description: 'Write a line', agentType: 'copywriter' }
    await plane.post(`${ACME}/work`, object('Work', 'w', spec, 'acme'))
    expect((await ask('work/w/retry')).err).toContain('it has not ended')
    expect((await ask('work/w/cancel', { kind: 'WorkAction' })).code).toBe(0)
    await plane.until('the work to be cancelled', async () => (await work('w')).status?.phase === 'Cancelled')
    await k(['patch', 'sprite', 'cara', '-n', 'acme', '--type', 'merge', '-p', '{"spec":{"runPolicy":"OnDemand"}}'])
    expect((await ask('work/w/retry')).code).toBe(0)
    await plane.until('the work to be done', async () => {
      const { status } = await work('w')
      return status?.retries === 1 && isTerminal(status.phase)
    })
    expect((await work('w')).status?.phase).toBe('Completed')
    expect((await ask('work/w/retry')).err).toContain('it is completed')
  }, 120_000)

  it('AC30 a review is answered by the caller’s name', async () => {
    const spec = { work: 'w', artifact: 'copy', question: 'Good?', reviewer: 'person' }
    await plane.post(
      `${ACME}/work`,
      object('Work', 'open', { type: 'a', description: 'b', agentType: 'editor' }, 'acme'),
    )
    await plane.post(`${ACME}/reviews`, object('Review', 'r', { ...spec, work: 'open' }, 'acme'))
    expect((await ask('reviews/r/answer', { spec: { verdict: 'Fine' } })).err).toContain('spec.verdict')
    expect((await ask('reviews/r/answer', { spec: { verdict: 'Approved' } })).code).toBe(0)
    await plane.until('the review to be answered', async () => {
      const { status } = await plane.get<{ status?: { verdict?: string; by?: string } }>(`${ACME}/reviews/r`)
      return status?.verdict === 'Approved' && status.by !== 'person'
    })
    expect((await ask('reviews/r/answer', { spec: { verdict: 'ChangesRequested' } })).err).toContain('answered already')
  }, 60_000)

  it('AC1 AC4 rights are asked for by the subresource; another method is refused', async () => {
    expect(await k(['auth', 'can-i', 'create', 'sprites/wake', '-n', 'acme'])).toMatchObject({ code: 0, out: 'yes\n' })
    expect((await k(['get', '--raw', `${ACME}/sprites/cara/wake`])).err).toContain('not allow')
    expect((await ask('sprites/nobody/wake')).err).toContain('not found')
  })

  it('AC40 AC41 AC42 kubectl scale sets how many may run at once, within the plan', async () => {
    const before = JSON.parse((await k(['get', '--raw', `${API}/tenants/acme/scale`])).out) as {
      spec: { replicas: number }
    }
    const { replicas } = before.spec
    expect(await k(['scale', 'tenant', 'acme', '--replicas=2', `--current-replicas=${replicas}`])).toMatchObject({
      code: 0,
      out: 'tenant.sprites.highera.com/acme scaled\n',
    })
    const missed = await k(['scale', 'tenant', 'acme', '--replicas=1', '--current-replicas=7'])
    expect([missed.code, missed.err]).toEqual([1, expect.stringContaining('Expected replicas to be 7, was 2')])
    expect((await k(['scale', 'tenant', 'acme', '--replicas=3'])).code).toBe(0)
    const above = await k(['scale', 'tenant', 'acme', '--replicas=500'])
    expect([above.code, above.err]).toEqual([1, expect.stringContaining('(Forbidden)')])
    const table = await k(['get', 'tenant', 'acme', '--subresource=scale'])
    expect(table.out).toMatch(/NAME +DESIRED +AVAILABLE +AGE\nacme +3 +/)
    expect((await k(['scale', 'sprite', 'cara', '-n', 'acme', '--replicas=1'])).code).toBe(1)
  })
})
