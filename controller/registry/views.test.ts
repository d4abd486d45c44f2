/** Views beside stored resources: who answers, what is refused, and that stored resources stay as they are. */
import { describe, expect, it } from 'vitest'
import type { ResourceDefinition } from '../api/resource.ts'
import { CONTEXT, testRegistry, widgets } from './testing.ts'
import { withViews, type View } from './views.ts'

const shadows: ResourceDefinition = {
  ...widgets,
  kind: 'Shadow',
  plural: 'shadows',
  singular: 'shadow',
  verbs: ['get', 'list'],
}

/** A view that notes how it is called. */
function noting(resource: ResourceDefinition) {
  const calls: unknown[][] = []
  const view: View = {
    resource,
    get: (...args) => {
      calls.push(['get', ...args])
      return Promise.reject(new Error('nothing there'))
    },
    list: (...args) => {
      calls.push(['list', ...args])
      return Promise.resolve({ items: [], resourceVersion: '7' })
    },
  }
  return { view, calls }
}

describe('registry with views', () => {
  it('VW1 names the views after the stored resources, and asks them without the resource', async () => {
    const { registry } = await testRegistry()
    const { view, calls } = noting(shadows)
    const both = withViews(registry, [view])
    expect(both.resources).toEqual([...registry.resources, shadows])
    expect(await both.list(shadows, { namespace: 'acme' })).toEqual({ items: [], resourceVersion: '7' })
    await expect(both.get(shadows, { namespace: 'acme', name: 'a' })).rejects.toThrow('nothing there')
    expect(calls).toEqual([
      ['list', { namespace: 'acme' }],
      ['get', { namespace: 'acme', name: 'a' }],
    ])
  })

  it('VW1 leaves stored resources to the registry, writes and watches too', async () => {
    const { registry } = await testRegistry()
    const { view, calls } = noting(shadows)
    const both = withViews(registry, [view])
    const body = { apiVersion: 'sprites.highera.com/v1alpha1', kind: 'Widget', metadata: { name: 'a' }, spec: {} }
    const made = await both.create(widgets, 'acme', body, CONTEXT)
    const key = { namespace: 'acme', name: 'a' }
    expect(await registry.get(widgets, key)).toEqual(made)
    const end = new AbortController()
    for await (const event of both.watch(widgets, { namespace: 'acme' }, end.signal)) {
      expect(event).toEqual({ type: 'ADDED', object: made })
      end.abort()
    }
    expect((await both.delete(widgets, key, {}, CONTEXT)).deleted).toBe(true)
    expect(calls).toEqual([])
  })

  it.each(['watch', 'create', 'update', 'patch', 'apply', 'delete'] as const)(
    'VW2 %s of a view that has none is MethodNotAllowed',
    async (method) => {
      const { registry } = await testRegistry()
      const both = withViews(registry, [noting(shadows).view])
      // Whatever the arguments are, the call is refused before they are looked at.
      const call = both[method] as (...args: readonly unknown[]) => unknown
      expect(() => call(shadows, {}, {}, CONTEXT)).toThrow(expect.objectContaining({ reason: 'MethodNotAllowed' }))
    },
  )
})
