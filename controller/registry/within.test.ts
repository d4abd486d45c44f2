/** Lists and watches that are narrowed to what a caller may see: whatever is asked, nothing else is ever told. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import { encodeContinue } from './continue-token.ts'
import { eventResource, namespaceResource } from './core.ts'
import type { RegistryEvent, RegistryListOptions, RegistryWatchOptions } from './registry.ts'
import { CONTEXT, planets, testRegistry, widgetBody, widgets, type TestRegistry } from './testing.ts'
import type { ResourceDefinition } from '../api/resource.ts'

const NAMESPACES = ['acme', 'beta', 'beta-2', 'zeta'] as const

async function filled(): Promise<TestRegistry> {
  const room = await testRegistry()
  const { registry } = room
  for (const name of NAMESPACES.slice(1)) await registry.create(namespaceResource, '', { metadata: { name } }, CONTEXT)
  for (const name of NAMESPACES) {
    await registry.create(planets, '', { ...widgetBody(name), kind: 'Planet' }, CONTEXT)
    for (const widget of ['a', 'b', 'c'])
      await registry.create(widgets, name, widgetBody(widget, { color: widget === 'a' ? 'blue' : 'red' }), CONTEXT)
  }
  return room
}

const keysOf = (items: readonly { readonly metadata: { readonly namespace?: string; readonly name: string } }[]) =>
  items.map(({ metadata }) => [metadata.namespace, metadata.name].filter((part) => part !== undefined).join('/'))

/** Every page of a list, as keys. */
async function pagesOf({ registry }: TestRegistry, resource: ResourceDefinition, options: RegistryListOptions) {
  const pages: string[][] = []
  let token: string | undefined
  do {
    const page = await registry.list(resource, { ...options, ...(token === undefined ? {} : { continue: token }) })
    expect(page.remainingItemCount).toBeUndefined()
    pages.push(keysOf(page.items))
    token = page.continue
  } while (token !== undefined)
  return pages
}

function watching({ registry }: TestRegistry, resource: ResourceDefinition, options: RegistryWatchOptions) {
  const controller = new AbortController()
  const events: RegistryEvent[] = []
  const ended = (async () => {
    for await (const event of registry.watch(resource, options, controller.signal)) events.push(event)
  })()
  const said = () =>
    events.map(({ type, object }) => (type === 'BOOKMARK' ? type : `${type} ${keysOf([object]).join('')}`))
  return { said, stop: () => (controller.abort(), ended) }
}

describe('a narrowed list', () => {
  test('AX10 has the objects of the namespaces alone, in pages of one snapshot, without a count', async () => {
    const room = await filled()
    const within = new Set(['zeta', 'beta', 'nowhere'])
    expect(await pagesOf(room, widgets, { within })).toEqual([
      ['beta/a', 'beta/b', 'beta/c', 'zeta/a', 'zeta/b', 'zeta/c'],
    ])
    expect(await pagesOf(room, widgets, { within, limit: 2 })).toEqual([
      ['beta/a', 'beta/b'],
      ['beta/c', 'zeta/a'],
      ['zeta/b', 'zeta/c'],
    ])
    expect(await pagesOf(room, widgets, { within, fieldSelector: 'spec.color=blue', limit: 1 })).toEqual([
      ['beta/a'],
      ['zeta/a'],
      [],
    ])
    const first = await room.registry.list(widgets, { within, limit: 3 })
    await room.registry.delete(widgets, { namespace: 'zeta', name: 'a' }, {}, CONTEXT)
    const second = await room.registry.list(widgets, { within, limit: 3, continue: first.continue ?? '' })
    expect(keysOf(second.items)).toEqual(['zeta/a', 'zeta/b', 'zeta/c'])
    expect(second.resourceVersion).toBe(first.resourceVersion)
  })

  test('AX10 of cluster-scoped objects has those of the names alone', async () => {
    const room = await filled()
    expect(await pagesOf(room, planets, { within: new Set(['beta', 'zeta']), limit: 1 })).toEqual([['beta'], ['zeta']])
  })

  test('AX10 within nothing is empty, at the newest revision', async () => {
    const room = await filled()
    const found = await room.registry.list(widgets, { within: new Set() })
    expect(found).toEqual({ items: [], resourceVersion: (await room.registry.list(widgets)).resourceVersion })
  })

  test('AX11 no token, limit, selector or namespace shows more', async () => {
    const room = await filled()
    const { resourceVersion } = await room.registry.list(widgets)
    const name = fc.constantFrom('', ...NAMESPACES, 'a', 'aaaa', 'zzzz')
    const asked = fc.record({
      within: fc.uniqueArray(fc.constantFrom(...NAMESPACES)),
      after: fc.option(fc.record({ namespace: name, name: fc.constantFrom('a', 'b', 'c', 'zeta') }), {
        nil: undefined,
      }),
      limit: fc.integer({ min: 0, max: 5 }),
      namespace: fc.constantFrom(undefined, ...NAMESPACES),
      isCluster: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(asked, async ({ within, after, limit, namespace, isCluster }) => {
        const found = await room.registry.list(isCluster ? planets : widgets, {
          within: new Set(within),
          limit,
          ...(namespace === undefined || isCluster ? {} : { namespace }),
          ...(after === undefined ? {} : { continue: encodeContinue({ revision: Number(resourceVersion), after }) }),
        })
        for (const { metadata } of found.items) expect(within).toContain(metadata.namespace ?? metadata.name)
        expect(found.remainingItemCount).toBeUndefined()
      }),
    )
  })
})

describe('a narrowed watch', () => {
  test('AX12 tells of the namespaces alone: at first, of the past, and from then on', async () => {
    const room = await filled()
    const { resourceVersion } = await room.registry.list(widgets)
    const within = new Set(['beta', 'zeta'])
    const fresh = watching(room, widgets, { within, sendInitialEvents: true, allowBookmarks: true })
    await settle()
    expect(fresh.said()).toEqual([
      ...['beta/a', 'beta/b', 'beta/c', 'zeta/a', 'zeta/b', 'zeta/c'].map((key) => `ADDED ${key}`),
      'BOOKMARK',
    ])
    for (const namespace of NAMESPACES) await room.registry.delete(widgets, { namespace, name: 'a' }, {}, CONTEXT)
    await settle()
    expect(fresh.said().slice(7)).toEqual(['DELETED beta/a', 'DELETED zeta/a'])
    const late = watching(room, widgets, { within, resourceVersion })
    await settle()
    expect(late.said()).toEqual(['DELETED beta/a', 'DELETED zeta/a'])
    await room.clock.advance(5_000)
    await settle()
    expect(fresh.said().slice(9)).toEqual(['BOOKMARK'])
    await Promise.all([fresh.stop(), late.stop()])
  })

  test('AX12 of cluster-scoped objects tells of the names alone; within nothing it is silent and lives', async () => {
    const room = await filled()
    const own = watching(room, planets, { within: new Set(['beta']) })
    const none = watching(room, widgets, { within: new Set(), allowBookmarks: true })
    await settle()
    for (const name of NAMESPACES) await room.registry.delete(planets, { namespace: '', name }, {}, CONTEXT)
    await settle()
    expect(own.said()).toEqual(['ADDED beta', 'DELETED beta'])
    await room.clock.advance(5_000)
    await settle()
    expect(none.said()).toEqual(['BOOKMARK'])
    await Promise.all([own.stop(), none.stop()])
  })
})

describe('events about what stands for a namespace', () => {
  async function told(): Promise<TestRegistry> {
    const room = await filled()
    const { registry } = room
    await registry.create(namespaceResource, '', { metadata: { name: 'default' } }, CONTEXT)
    const about = (namespace: string, name: string, involvedObject: object) =>
      registry.create(eventResource, namespace, { metadata: { name }, involvedObject, reason: 'Said' }, CONTEXT)
    const tenant = (name: string) => ({ apiVersion: 'sprites.highera.com/v1alpha1', kind: 'Tenant', name })
    await about('acme', 'own', { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'acme' })
    await about('beta', 'foreign', { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'beta' })
    await about('default', 'acme.1', tenant('acme'))
    await about('default', 'acme.2', { apiVersion: 'v1', kind: 'Namespace', name: 'acme' })
    await about('default', 'beta.1', tenant('beta'))
    // None of these stands for acme, though it is called so.
    await about('default', 'acme.3', { ...tenant('acme'), kind: 'Plan' })
    await about('default', 'acme.4', { ...tenant('acme'), apiVersion: 'example.com/v1' })
    await about('default', 'acme.5', { ...tenant('acme'), namespace: 'beta' })
    await about('default', 'acme.6', { ...tenant('acme'), name: ['acme'] })
    return room
  }
  const within = new Set(['acme'])

  test('AX13 are seen with it, and no others of where they lie', async () => {
    const room = await told()
    expect(await pagesOf(room, eventResource, { within })).toEqual([['acme/own', 'default/acme.1', 'default/acme.2']])
    expect(await pagesOf(room, eventResource, { within, limit: 1 })).toEqual([
      ['acme/own'],
      ['default/acme.1'],
      ['default/acme.2'],
    ])
    expect(await pagesOf(room, eventResource, { within: new Set() })).toEqual([[]])
    expect(await pagesOf(room, eventResource, { within, namespace: 'default' })).toEqual([[]])
    expect(await pagesOf(room, eventResource, { within: new Set(['default']) })).toMatchObject([{ length: 7 }])
    expect(await pagesOf(room, widgets, { within: new Set() })).toEqual([[]])
  })

  test('AX13 are watched with it: at first, of the past, and from then on', async () => {
    const room = await told()
    const { resourceVersion } = await room.registry.list(eventResource)
    const fresh = watching(room, eventResource, { within })
    await settle()
    expect(fresh.said()).toEqual(['ADDED acme/own', 'ADDED default/acme.1', 'ADDED default/acme.2'])
    for (const name of ['acme.1', 'beta.1', 'acme.3'])
      await room.registry.delete(eventResource, { namespace: 'default', name }, {}, CONTEXT)
    const late = watching(room, eventResource, { within, resourceVersion })
    await settle()
    expect(fresh.said().slice(3)).toEqual(['DELETED default/acme.1'])
    expect(late.said()).toEqual(['DELETED default/acme.1'])
    await Promise.all([fresh.stop(), late.stop()])
  })
})

describe('the end of a narrowed list', () => {
  test('AX14 no continue token tells that there is more which may not be seen', async () => {
    const room = await filled()
    for (const [name, resource] of [
      ['acme', planets],
      ['beta', planets],
      ['beta', widgets],
    ] as const) {
      const limit = resource === planets ? 1 : 3
      const page = await room.registry.list(resource, { within: new Set([name]), limit })
      expect(page.items).toHaveLength(limit)
      expect(page.continue, `${name} ${resource.plural}`).toBeUndefined()
    }
    const both = await room.registry.list(planets, { within: new Set(['acme', 'zeta']), limit: 1 })
    expect(both.continue).toBeDefined()
  })
})
