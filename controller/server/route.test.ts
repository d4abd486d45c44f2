/** Tests of the routes: every path names one thing. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { routeOf } from './route.ts'

const path = (fields: object): object => ({
  at: 'resource',
  path: { group: '', version: 'v1', namespace: undefined, name: undefined, subresource: undefined, ...fields },
})
const G = { group: 'sprites.highera.com', version: 'v1alpha1' }

describe('routeOf', () => {
  it.each([
    ['/', { at: 'root' }],
    ['/version', { at: 'version' }],
    ['/livez', { at: 'health', check: 'livez' }],
    ['/readyz/', { at: 'health', check: 'readyz' }],
    ['/metrics', { at: 'metrics' }],
    ['/api', { at: 'coreVersions' }],
    ['/apis/', { at: 'groups' }],
    ['/api/v1', { at: 'groupVersion', group: '', version: 'v1' }],
    ['/apis/sprites.highera.com', { at: 'group', group: 'sprites.highera.com' }],
    ['/apis/sprites.highera.com/v1alpha1', { at: 'groupVersion', ...G }],
    ['/openapi/v2', { at: 'openapiV2' }],
    ['/openapi/v3', { at: 'openapiIndex' }],
    ['/openapi/v3/api/v1', { at: 'openapiDocument', group: '', version: 'v1' }],
    ['/openapi/v3/apis/sprites.highera.com/v1alpha1', { at: 'openapiDocument', ...G }],
    ['/apis/sprites.highera.com/v1alpha1/tenants', path({ ...G, plural: 'tenants' })],
    ['/apis/sprites.highera.com/v1alpha1/sprites', path({ ...G, plural: 'sprites' })],
    [
      '/apis/sprites.highera.com/v1alpha1/namespaces/acme/sprites/a/status',
      path({ ...G, plural: 'sprites', namespace: 'acme', name: 'a', subresource: 'status' }),
    ],
    ['/api/v1/namespaces', path({ plural: 'namespaces' })],
    ['/api/v1/namespaces/acme', path({ plural: 'namespaces', name: 'acme' })],
    ['/api/v1/namespaces/acme/status', path({ plural: 'namespaces', name: 'acme', subresource: 'status' })],
    ['/api/v1/namespaces/acme/events', path({ plural: 'events', namespace: 'acme' })],
    ['/api/v1/namespaces/acme/events/e%2e1', path({ plural: 'events', namespace: 'acme', name: 'e.1' })],
    ['/dashboard/index.html', { at: 'elsewhere' }],
    ['/v1/work', { at: 'elsewhere' }],
  ])('SV1 %s', (pathname, route) => {
    expect(routeOf(pathname)).toEqual(route)
  })

  it.each([
    '/api/v1/namespaces/a%2Fb/events',
    '/api//v1',
    '/api/v1/namespaces/%2e%2e/events',
    '/api/v1/x/%zz',
    '/apis/g/v/namespaces/n/p/name/status/more',
    '/openapi/v4',
    '/readyz/etcd',
    '/api/v1/configmaps/'.concat('x'.repeat(254)),
  ])('SV1 %s names nothing', (pathname) => {
    expect(routeOf(pathname)).toEqual({ at: 'nothing' })
  })

  it('SV1 never throws and keeps every name as it was encoded', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 40 })
      .filter((text) => !text.includes('/') && !/^\.{1,2}$/.test(text) && text.isWellFormed())
    fc.assert(
      fc.property(name, name, (namespace, object) => {
        const route = routeOf(
          `/apis/g.io/v1/namespaces/${encodeURIComponent(namespace)}/things/${encodeURIComponent(object)}`,
        )
        expect(route).toEqual(path({ group: 'g.io', plural: 'things', namespace, name: object }))
      }),
    )
    fc.assert(fc.property(fc.webPath(), (pathname) => void routeOf(pathname)))
  })
})
