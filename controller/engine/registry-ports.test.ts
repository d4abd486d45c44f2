/** Tests of the ports over a registry: that they ask it for the right thing and read its answers rightly. */
import { expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { formatKey, type KubeObject } from '../api/object.ts'
import type { Lease } from './lease.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { silentLog } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import {
  createRegistryEventSink,
  createRegistryLeasePort,
  createRegistryLeasesPort,
  type RegistryNews,
  type RegistryWriter,
} from './registry-ports.ts'

const resource = (group: string, kind: string): ResourceDefinition => ({
  group,
  version: 'v1',
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  scope: 'Namespaced',
  description: '',
  hasStatus: false,
  columns: [],
  selectableFields: [],
})

/** A registry that writes down what it is asked and answers with `answer`. */
function fakeRegistry(answer: () => KubeObject | ApiError) {
  const asked: unknown[] = []
  const reply = (...what: readonly unknown[]): Promise<KubeObject> => {
    asked.push(what)
    const said = answer()
    return said instanceof ApiError ? Promise.reject(said) : Promise.resolve(said)
  }
  const registry: RegistryWriter = {
    resources: [resource('events.k8s.io', 'Event'), resource('', 'Event'), resource('coordination.k8s.io', 'Lease')],
    get: ({ group, kind }, key) => reply('get', `${group}/${kind}`, formatKey(key)),
    create: ({ group, kind }, namespace, body, { actor }) =>
      reply('create', `${group}/${kind}`, namespace, body, actor.name),
    update: ({ group, kind }, key, body) => reply('update', `${group}/${kind}`, formatKey(key), body),
    patch: ({ group, kind }, key, patch) => reply('patch', `${group}/${kind}`, formatKey(key), patch),
  }
  return { registry, asked }
}

const stored: KubeObject = {
  apiVersion: 'v1',
  kind: 'Lease',
  metadata: {
    name: 'leader',
    namespace: 'default',
    uid: 'u',
    resourceVersion: '5',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { holderIdentity: 'a' },
}

test('EE1 events are created and patched as core/v1 Events, by the control plane itself', async () => {
  const { registry, asked } = fakeRegistry(() => stored)
  const sink = createRegistryEventSink(registry)
  await sink.patch('acme', 'x.1', { count: 2, lastTimestamp: '2026-01-01T00:00:00Z' })
  expect(asked).toEqual([
    ['patch', '/Event', 'acme/x.1', { type: 'merge', body: { count: 2, lastTimestamp: '2026-01-01T00:00:00Z' } }],
  ])
  await sink.create('acme', { kind: 'Event' } as never)
  expect(asked[1]).toEqual(['create', '/Event', 'acme', { kind: 'Event' }, 'system:controller'])
})

test('EE6 a registry that serves no events is named as the fault', () => {
  const { registry } = fakeRegistry(() => stored)
  expect(() => createRegistryEventSink({ ...registry, resources: [] })).toThrow('Cannot find "Event"')
})

test('EL2 a store that does not answer is waited for no longer than the signal allows', async () => {
  const { registry } = fakeRegistry(() => stored)
  const silent = (): Promise<never> => new Promise(() => {})
  const port = createRegistryLeasePort({ ...registry, get: silent, create: silent, update: silent })
  const timeout = new AbortController()
  const calls = [
    port.get('default', 'leader', timeout.signal),
    port.create('default', 'leader', {}, timeout.signal),
    port.update(stored as Lease /* it is one */, {}, timeout.signal),
  ]
  timeout.abort(new Error('too late'))
  for (const call of calls) await expect(call).rejects.toThrow('too late')
})

test('EL2 a lease is read, or absent, and written at the version that was read', async () => {
  let answer: KubeObject | ApiError = new ApiError('NotFound', 'none')
  const { registry, asked } = fakeRegistry(() => answer)
  const port = createRegistryLeasePort(registry)
  const { signal } = new AbortController()
  expect(await port.get('default', 'leader', signal)).toBeUndefined()
  answer = new ApiError('Conflict', 'stale')
  await expect(port.get('default', 'leader', signal)).rejects.toThrow('stale')
  answer = stored
  const lease = await port.create('default', 'leader', { holderIdentity: 'a' }, signal)
  await port.update(lease, { holderIdentity: 'b' }, signal)
  expect(asked.slice(2)).toEqual([
    [
      'create',
      'coordination.k8s.io/Lease',
      'default',
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'leader', namespace: 'default' },
        spec: { holderIdentity: 'a' },
      },
      'system:controller',
    ],
    ['update', 'coordination.k8s.io/Lease', 'default/leader', { ...stored, spec: { holderIdentity: 'b' } }],
  ])
})

test('EO11 leases of a registry are listed, and told of when they change, also after the watch has ended', async () => {
  const { registry } = fakeRegistry(() => stored)
  const clock = new TestClock()
  const watches: { push: (news: RegistryNews) => void; end: () => void }[] = []
  const list = async () => ({ items: [stored], resourceVersion: '9' })
  async function* watch(): AsyncGenerator<RegistryNews> {
    const waiting: RegistryNews[] = []
    let wake = (): void => {}
    const over = new AbortController()
    const tell = (): void => wake()
    watches.push({ push: (news) => (waiting.push(news), tell()), end: () => (over.abort(), tell()) })
    while (!over.signal.aborted || waiting.length > 0) {
      const next = waiting.shift()
      if (next !== undefined) yield next
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const port = createRegistryLeasesPort({ ...registry, list, watch }, { clock, log: silentLog })
  const { signal } = new AbortController()
  expect(await port.list('default', signal)).toMatchObject({ resourceVersion: '9', items: [stored] })
  await expect(port.list('default', AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  const seen: (string | undefined)[] = []
  const end = port.watch('default', (lease) => seen.push(lease?.metadata.name))
  await settle()
  watches[0]?.push({ type: 'ADDED', object: stored })
  watches[0]?.push({ type: 'DELETED', object: stored })
  await settle()
  expect(seen).toEqual(['leader', undefined])
  watches[0]?.end()
  await clock.advance(2_000)
  watches[1]?.push({ type: 'MODIFIED', object: stored })
  await settle()
  expect(seen).toEqual(['leader', undefined, 'leader'])
  end()
  watches[1]?.end()
  await clock.advance(5_000)
  expect([watches.length, clock.pendingTimers]).toEqual([2, 0])
})
