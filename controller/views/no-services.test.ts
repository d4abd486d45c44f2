/** Services as clients meet them: a collection that is there and empty. */
import { expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import { withViews } from '../registry/views.ts'
import { memoryRegistry, testServer } from '../server/testing.ts'
import { serviceView } from './no-services.ts'

it('VW5 services are an empty list, for kubectl cluster-info, and can be read alone', async () => {
  const clock = new TestClock()
  const server = testServer({ registry: withViews(memoryRegistry(clock), [serviceView(clock)]) })
  const path = '/api/v1/namespaces/kube-system/services'
  const list = await server.send('GET', `${path}?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue`)
  expect(list.body).toMatchObject({
    kind: 'ServiceList',
    apiVersion: 'v1',
    metadata: { resourceVersion: expect.stringMatching(/^[1-9]\d*$/) as string },
    items: [],
  })
  expect((await server.send('GET', `${path}/a`)).body).toMatchObject({ code: 404, reason: 'NotFound' })
  expect((await server.send('POST', path, { body: {} })).status).toBe(405)
})
