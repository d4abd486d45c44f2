/** Pods as clients read and watch them, over a real registry of sprites and the API server. */
import { describe, expect, it } from 'vitest'
import { resourceOf } from '../api/resource-of.ts'
import type { KubeObject } from '../api/object.ts'
import { TestClock, settle } from '../../system/test-clock.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import type { RegistryEvent, RegistryWatchOptions } from '../registry/registry.ts'
import { withViews } from '../registry/views.ts'
import { makeNamespace, memoryRegistry, spriteBody, SPRITES, testServer } from '../server/testing.ts'
import { podView } from './pods.ts'

const PODS = '/api/v1/namespaces/acme/pods'
const JSON_MERGE = { 'content-type': 'application/merge-patch+json' }
const MACHINE = {
  name: 'm',
  id: 'm1',
  state: 'started',
  incarnation: 1,
  specHash: 'x',
  since: '2026-01-15T11:00:00Z',
  readyTime: '2026-01-15T11:00:05Z',
  intent: 'Run',
  region: 'fra',
}
const SPRITE_RESOURCE = resourceOf(spriteKind)

async function serve() {
  const clock = new TestClock()
  const registry = memoryRegistry(clock)
  const view = podView(registry)
  const server = testServer({ registry: withViews(registry, [view]) })
  await makeNamespace(server)
  const create = async (name: string, metadata: object = {}) => {
    expect((await server.send('POST', SPRITES, { body: spriteBody(name, { metadata }) })).status).toBe(201)
  }
  const setStatus = async (name: string, status: object) => {
    const answer = await server.send('PATCH', `${SPRITES}/${name}/status`, { body: { status }, headers: JSON_MERGE })
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  }
  const run = async (name: string, machine: object = {}) =>
    setStatus(name, { incarnation: 1, lastMachineId: 'm1', machine: { ...MACHINE, ...machine } })
  const list = async (query = '') => (await server.send('GET', `${PODS}${query}`)).body as List
  return { clock, registry, view, server, create, setStatus, run, list }
}
type List = {
  readonly kind: string
  readonly items: readonly KubeObject[]
  readonly metadata: {
    readonly resourceVersion: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
}
const namesOf = ({ items }: List) => items.map(({ metadata }) => metadata.name)

function follow(view: ReturnType<typeof podView>, options: RegistryWatchOptions) {
  const end = new AbortController()
  const events: RegistryEvent[] = []
  const done = (async () => {
    for await (const event of view.watch({ namespace: 'acme', ...options }, end.signal)) events.push(event)
  })()
  /** What came since it was last asked. */
  const take = async (): Promise<readonly string[]> => {
    await settle()
    return events.splice(0).map(({ type, object }) => `${type} ${object.metadata.name ?? object.kind}`)
  }
  return { events, take, end, done }
}

describe('pods', () => {
  it('VW25 are those of sprites that have, or had, a machine; get is NotFound for the others', async () => {
    const { create, run, list, server } = await serve()
    await create('a')
    await create('b')
    await run('b')
    expect(await list()).toMatchObject({ kind: 'PodList', items: [{ kind: 'Pod', metadata: { name: 'b' } }] })
    expect(await server.send('GET', `${PODS}/b`)).toMatchObject({
      status: 200,
      body: { apiVersion: 'v1', kind: 'Pod' },
    })
    for (const name of ['a', 'c'])
      expect((await server.send('GET', `${PODS}/${name}`)).body).toMatchObject({
        code: 404,
        message: `pods "${name}" not found`,
      })
    expect((await server.send('GET', '/api/v1/pods')).body).toMatchObject({ items: [{ metadata: { name: 'b' } }] })
  })

  it.each([
    ['labelSelector=app.kubernetes.io%2Fcomponent%3Dcopywriter,tier%3Da', ['a']],
    ['labelSelector=tier', ['a']],
    ['fieldSelector=metadata.name%3Db', ['b']],
    ['fieldSelector=status.phase%3DSucceeded', ['b']],
    ['fieldSelector=spec.nodeName%3Dams', ['b']],
    ['fieldSelector=spec.restartPolicy%3DAlways,metadata.namespace%3Dacme', ['a', 'b']],
  ])('VW26 selects by %s', async (query, names) => {
    const { create, run, list } = await serve()
    await create('a', { labels: { tier: 'a' } })
    await create('b')
    await run('a')
    await run('b', { state: 'stopped', intent: 'Stop', region: 'ams' })
    expect(namesOf(await list(`?${query}`))).toEqual(names)
  })

  it('VW26 a field that pods are not selected by is refused', async () => {
    const { server } = await serve()
    const answer = await server.send('GET', `${PODS}?fieldSelector=spec.agentType%3Dx`)
    expect(answer).toMatchObject({ status: 400, body: { reason: 'BadRequest' } })
  })

  it('VW27 pages of pods go through every sprite, and count nothing', async () => {
    const { create, run, list } = await serve()
    const names = Array.from({ length: 30 }, (_, index) => `s${String(index).padStart(2, '0')}`)
    for (const name of names) await create(name)
    for (const name of ['s03', 's04', 's05', 's20', 's29']) await run(name)
    const seen: string[] = []
    let token = ''
    for (let page = 0; page < 30; page++) {
      const found = await list(`?limit=2&continue=${token}`)
      expect(found.items.length).toBeLessThanOrEqual(2)
      expect(found.metadata.remainingItemCount).toBeUndefined()
      seen.push(...namesOf(found))
      token = found.metadata.continue ?? ''
      if (token === '') break
    }
    expect(seen).toEqual(['s03', 's04', 's05', 's20', 's29'])
    expect(token).toBe('')
  })

  it('VW28 a first machine is ADDED, a change MODIFIED, a deleted sprite DELETED', async () => {
    const { view, create, run, list, setStatus, server } = await serve()
    const watch = follow(view, { resourceVersion: (await list()).metadata.resourceVersion })
    await create('a')
    expect(await watch.take()).toEqual([])
    await run('a')
    expect(await watch.take()).toEqual(['ADDED a'])
    await run('a', { intent: 'Stop' })
    await setStatus('a', { machine: null })
    expect(await watch.take()).toEqual(['MODIFIED a', 'MODIFIED a'])
    await server.send('DELETE', `${SPRITES}/a`)
    expect(await watch.take()).toEqual(['DELETED a'])
    watch.end.abort()
    await watch.done
  })

  it('VW28 a new incarnation is DELETED and ADDED; who resumes between the two sees it ADDED again', async () => {
    const { view, create, run, list } = await serve()
    await create('a')
    await run('a')
    const watch = follow(view, { resourceVersion: (await list()).metadata.resourceVersion })
    await run('a', { incarnation: 2, id: 'm2' })
    await settle()
    expect(watch.events.map(({ type }) => type)).toEqual(['DELETED', 'ADDED'])
    const [gone, come] = watch.events
    expect(gone?.object.metadata.uid).not.toBe(come?.object.metadata.uid)
    const resumed = follow(view, { resourceVersion: gone?.object.metadata.resourceVersion ?? '' })
    expect(await resumed.take()).toEqual(['DELETED a', 'ADDED a'])
    for (const each of [watch, resumed]) each.end.abort()
    await Promise.all([watch.done, resumed.done])
  })

  it('VW28 a watch through a selector is told what comes into it and what leaves', async () => {
    const { view, create, run } = await serve()
    await create('a')
    const watch = follow(view, { fieldSelector: 'status.phase=Running' })
    await run('a', { state: 'starting' })
    expect(await watch.take()).toEqual([])
    await run('a')
    expect(await watch.take()).toEqual(['ADDED a'])
    await run('a', { state: 'stopped', intent: 'Stop' })
    expect(await watch.take()).toEqual(['DELETED a'])
    await run('a', { incarnation: 2, id: 'm2' })
    expect(await watch.take()).toEqual(['ADDED a'])
    watch.end.abort()
    await watch.done
  })

  it('VW28 initial events, bookmarks and a resourceVersion that is too old are as for sprites', async () => {
    const { view, clock, create, run } = await serve()
    await create('a')
    await run('a')
    const watch = follow(view, { sendInitialEvents: true, allowBookmarks: true })
    expect(await watch.take()).toEqual(['ADDED a', 'BOOKMARK Pod'])
    await clock.advance(5_000)
    const [bookmark] = watch.events
    expect(bookmark?.object).toMatchObject({ apiVersion: 'v1', kind: 'Pod' })
    watch.end.abort()
    await watch.done
    await expect(follow(view, { resourceVersion: '99999' }).done).rejects.toMatchObject({ reason: 'Expired' })
    expect(() => view.watch({ labelSelector: 'a b' }, AbortSignal.abort())).toThrow(/selector/)
  })

  it('VW29 all watches share one event of each change, all readers one object of each version, and its resourceVersion is the sprite’s', async () => {
    const { view, registry, create, run } = await serve()
    await create('a')
    await run('a')
    const key = { namespace: 'acme', name: 'a' }
    const sprite = await registry.get(
      registry.resources.find(({ plural }) => plural === 'sprites') ?? SPRITE_RESOURCE,
      key,
    )
    const pod = await view.get(key)
    expect(pod.metadata.resourceVersion).toBe(sprite.metadata.resourceVersion)
    expect((await view.list()).items[0]).toBe(pod)
    const watches = [follow(view, {}), follow(view, { labelSelector: 'app.kubernetes.io/name=sprite' })]
    await settle()
    for (const { events } of watches) events.length = 0
    await run('a', { incarnation: 2, id: 'm2' })
    await run('a', { incarnation: 2, id: 'm2', intent: 'Stop' })
    await settle()
    const [one, other] = watches.map(({ events }) => events)
    expect(one?.map(({ type }) => type)).toEqual(['DELETED', 'ADDED', 'MODIFIED'])
    for (const [index, event] of (one ?? []).entries()) expect(other?.[index]).toBe(event)
    for (const { end, done } of watches) {
      end.abort()
      await done
    }
  })

  it('VW25 writes are refused, and what there is instead is told', async () => {
    const { server } = await serve()
    for (const [method, path] of [
      ['POST', PODS],
      ['PUT', `${PODS}/a`],
      ['PATCH', `${PODS}/a`],
      ['DELETE', `${PODS}/a`],
    ] as const) {
      const answer = await server.send(method, path, { body: {}, headers: JSON_MERGE })
      expect(answer).toMatchObject({ status: 405, body: { reason: 'MethodNotAllowed' } })
      expect((answer.body as { message: string }).message).toContain('pods take get, list, watch')
    }
  })

  it('VW25 exec, attach, port-forward and the like are refused in words', async () => {
    const { server } = await serve()
    for (const subresource of ['exec', 'attach', 'portforward', 'eviction', 'ephemeralcontainers']) {
      const answer = await server.send('POST', `${PODS}/a/${subresource}`, { body: {} })
      // kubectl debug falls without details.
      expect(answer).toMatchObject({ status: 404, body: { reason: 'NotFound', details: {} } })
      expect((answer.body as { message: string }).message).toContain(
        `there is no pods/${subresource}; nobody enters a sprite’s machine: read its log`,
      )
    }
  })

  it('VW25 tables, metadata alone and watches of both are what k9s and Argo CD ask for', async () => {
    const { server, create, run } = await serve()
    await create('a')
    await run('a')
    const as = (kind: string) => ({
      headers: { accept: `application/json;as=${kind};v=v1;g=meta.k8s.io,application/json` },
    })
    const table = await server.send('GET', `${PODS}?includeObject=Object`, as('Table'))
    expect(table.body).toMatchObject({
      kind: 'Table',
      columnDefinitions: ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node'].map((name) => ({ name })),
      rows: [{ cells: ['a', '1/1', 'Running', '0', '60m', '<none>', 'fra'], object: { kind: 'Pod' } }],
    })
    const partial = await server.send('GET', PODS, as('PartialObjectMetadataList'))
    expect(partial.body).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata' }],
    })
  })
})
