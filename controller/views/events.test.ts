/** events.k8s.io/v1 Events as clients read, watch and write them, over a real registry of core Events. */
import { describe, expect, it } from 'vitest'
import { settle, TestClock } from '../../system/test-clock.ts'
import type { RegistryEvent } from '../registry/registry.ts'
import { withViews } from '../registry/views.ts'
import { makeNamespace, memoryRegistry, testServer } from '../server/testing.ts'
import { eventView } from './events.ts'

const NEW_STYLE = '/apis/events.k8s.io/v1/namespaces/acme/events'
const CORE = '/api/v1/namespaces/acme/events'
const STRATEGIC = { 'content-type': 'application/strategic-merge-patch+json' }
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

const coreEvent = (name: string, over: object = {}): object => ({
  metadata: { name, namespace: 'acme', labels: { app: 'x' } },
  involvedObject: { kind: 'Sprite', namespace: 'acme', name: 'writer', uid: 'u1', apiVersion: 'v1' },
  reason: 'Created',
  message: 'It was created',
  source: { component: 'c', host: 'h' },
  firstTimestamp: '2026-01-15T11:00:00Z',
  lastTimestamp: '2026-01-15T11:30:00Z',
  count: 3,
  type: 'Normal',
  reportingComponent: 'example.com/c',
  reportingInstance: 'c-1',
  ...over,
})

/** As client-go's new-style recorder sends it as JSON, zero values and all. */
const newStyleEvent = (name: string, over: object = {}): object => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name, namespace: 'acme', creationTimestamp: null },
  eventTime: '2026-01-15T11:59:00.123456Z',
  reportingController: 'example.com/c',
  reportingInstance: 'c-1',
  action: 'Binding',
  reason: 'Scheduled',
  regarding: { kind: 'Sprite', namespace: 'acme', name: 'editor', uid: 'u2' },
  note: 'It was bound',
  type: 'Normal',
  deprecatedSource: {},
  deprecatedFirstTimestamp: null,
  deprecatedLastTimestamp: null,
  ...over,
})

async function serve() {
  const registry = memoryRegistry(new TestClock())
  const view = eventView(registry)
  const server = testServer({ registry: withViews(registry, [view]) })
  await makeNamespace(server)
  const { send } = server
  const names = async (query: string) => {
    const { body } = await send('GET', `${NEW_STYLE}?${query}`)
    return (body as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name)
  }
  return { registry, view, send, names }
}

describe('events.k8s.io', () => {
  it('SK30 a core Event is read in the newer shape', async () => {
    const { send } = await serve()
    await send('POST', CORE, { body: coreEvent('e') })
    const { body } = await send('GET', `${NEW_STYLE}/e`)
    expect(body).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'e', labels: { app: 'x' } },
      eventTime: null,
      regarding: { kind: 'Sprite', name: 'writer' },
      note: 'It was created',
      deprecatedSource: { component: 'c', host: 'h' },
      deprecatedFirstTimestamp: '2026-01-15T11:00:00Z',
      deprecatedLastTimestamp: '2026-01-15T11:30:00Z',
      deprecatedCount: 3,
      reportingController: 'example.com/c',
    })
    for (const field of ['involvedObject', 'message', 'source', 'count', 'reportingComponent'])
      expect(body).not.toHaveProperty(field)
  })

  it('SK31 what a new-style recorder creates and patches is a core Event that tells the same', async () => {
    const { send } = await serve()
    const made = await send('POST', NEW_STYLE, { body: newStyleEvent('e') })
    expect(made).toMatchObject({ status: 201, body: { apiVersion: 'events.k8s.io/v1', note: 'It was bound' } })
    const series = { count: 2, lastObservedTime: '2026-01-15T12:00:00.000000Z' }
    const patched = await send('PATCH', `${NEW_STYLE}/e`, { body: { series }, headers: STRATEGIC })
    expect(patched).toMatchObject({ status: 200, body: { series, note: 'It was bound' } })
    expect((await send('GET', `${CORE}/e`)).body).toMatchObject({
      apiVersion: 'v1',
      involvedObject: { name: 'editor' },
      message: 'It was bound',
      reportingComponent: 'example.com/c',
      eventTime: '2026-01-15T11:59:00.123456Z',
      series,
    })
    const replaced = { ...newStyleEvent('e'), note: 'Once more' }
    expect(await send('PUT', `${NEW_STYLE}/e`, { body: replaced })).toMatchObject({ body: { note: 'Once more' } })
    expect((await send('DELETE', `${NEW_STYLE}/e`)).status).toBe(200)
    expect((await send('GET', `${CORE}/e`)).status).toBe(404)
  })

  it('SK31 what differs in nothing is not written', async () => {
    const { send } = await serve()
    await send('POST', CORE, { body: coreEvent('e') })
    const before = (await send('GET', `${NEW_STYLE}/e`)).body
    const patched = await send('PATCH', `${NEW_STYLE}/e`, { body: { note: 'It was created' }, headers: STRATEGIC })
    expect(patched.body).toEqual(before)
  })

  it('SK32 selectors are those of the newer shape', async () => {
    const { send, names } = await serve()
    await send('POST', CORE, { body: coreEvent('one') })
    await send('POST', NEW_STYLE, { body: newStyleEvent('two', { type: 'Warning', reportingController: 'a,b=c\\' }) })
    const of = (selector: string) => names(`fieldSelector=${encodeURIComponent(selector)}`)
    expect(await of('regarding.name=writer,regarding.kind=Sprite')).toEqual(['one'])
    expect(await of('regarding.uid!=u1')).toEqual(['two'])
    expect(await of('type=Warning,reason=Scheduled')).toEqual(['two'])
    expect(await of(String.raw`reportingController=a\,b\=c\\`)).toEqual(['two'])
    expect(await of('metadata.name=one')).toEqual(['one'])
    expect(await names('labelSelector=app%3Dx')).toEqual(['one'])
    const refused = await send('GET', `${NEW_STYLE}?fieldSelector=involvedObject.name%3Dx`)
    expect(refused).toMatchObject({
      status: 400,
      body: { message: 'field label not supported: involvedObject.name' },
    })
  })

  it('SK32 a watch tells of core Events in the newer shape, from the version that a list gave', async () => {
    const { send, view } = await serve()
    await send('POST', CORE, { body: coreEvent('old') })
    const { resourceVersion } = await view.list({ namespace: 'acme' })
    const events: RegistryEvent[] = []
    const stop = new AbortController()
    const done = (async () => {
      const options = { namespace: 'acme', resourceVersion, fieldSelector: 'regarding.name=editor' }
      for await (const event of view.watch(options, stop.signal)) events.push(event)
    })()
    await settle()
    await send('POST', CORE, { body: coreEvent('not-selected') })
    await send('POST', NEW_STYLE, { body: newStyleEvent('e') })
    await send('DELETE', `${NEW_STYLE}/e`)
    await settle()
    stop.abort()
    await done
    expect(events.map(({ type, object }) => `${type} ${object.apiVersion} ${object.metadata.name}`)).toEqual([
      'ADDED events.k8s.io/v1 e',
      'DELETED events.k8s.io/v1 e',
    ])
    expect(events[0]?.object).toMatchObject({ note: 'It was bound' })
  })

  it.each([
    [{ eventTime: null }, ['FieldValueRequired eventTime']],
    [{ action: '', reason: 'r'.repeat(129) }, ['FieldValueRequired action', 'FieldValueInvalid reason']],
    [{ reportingController: undefined }, ['FieldValueRequired reportingController']],
    [{ note: 'n'.repeat(1_025), type: 'Bad' }, ['FieldValueInvalid note', 'FieldValueInvalid type']],
    [{ deprecatedCount: 1 }, ['FieldValueForbidden deprecatedCount']],
  ])('SK33 an event that lacks what the newer shape needs is Invalid (%#)', async (over, causes) => {
    const { send } = await serve()
    const { status, body } = await send('POST', NEW_STYLE, { body: newStyleEvent('e', over) })
    expect(status).toBe(422)
    const { details } = body as { details: { causes: { reason: string; field: string }[] } }
    expect(details.causes.map(({ reason, field }) => `${reason} ${field}`)).toEqual(causes)
  })

  it('SK33 refusals speak of events.events.k8s.io, unknown fields are told, apply is not offered', async () => {
    const { send } = await serve()
    expect((await send('GET', `${NEW_STYLE}/none`)).body).toMatchObject({
      reason: 'NotFound',
      message: 'events.events.k8s.io "none" not found',
      details: { group: 'events.k8s.io', kind: 'events' },
    })
    await send('POST', NEW_STYLE, { body: newStyleEvent('e') })
    expect((await send('POST', NEW_STYLE, { body: newStyleEvent('e') })).body).toMatchObject({
      reason: 'AlreadyExists',
    })
    const strict = await send('POST', `${NEW_STYLE}?fieldValidation=Strict`, { body: newStyleEvent('f', { nope: 1 }) })
    expect(strict).toMatchObject({ status: 400, body: { reason: 'BadRequest' } })
    expect(strict.body).toMatchObject({
      message: expect.stringContaining('strict decoding error: unknown field "nope"'),
    })
    const applied = await send('PATCH', `${NEW_STYLE}/e?fieldManager=m`, {
      body: newStyleEvent('e'),
      headers: { 'content-type': 'application/apply-patch+yaml' },
    })
    expect(applied.status).toBe(405)
  })

  it('SK32 a Table shows when each was last seen, whatever its recorder', async () => {
    const { send } = await serve()
    await send('POST', CORE, { body: coreEvent('one') })
    await send('POST', NEW_STYLE, { body: newStyleEvent('two') })
    const cells = async (path: string) => {
      const { body } = await send('GET', path, { headers: TABLE })
      return (body as { rows: { cells: unknown[] }[] }).rows.map((row) => row.cells.slice(0, 6))
    }
    const rows = [
      ['one', '30m', 'Normal', 'Created', 'Sprite', 'writer'],
      ['two', '59s', 'Normal', 'Scheduled', 'Sprite', 'editor'],
    ]
    expect(await cells(NEW_STYLE)).toEqual(rows)
    expect(await cells(CORE)).toEqual(rows)
  })

  it('SK31 a collection is deleted', async () => {
    const { send, names } = await serve()
    await send('POST', CORE, { body: coreEvent('one') })
    await send('POST', NEW_STYLE, { body: newStyleEvent('two') })
    expect((await send('DELETE', `${NEW_STYLE}?fieldSelector=type%3DNormal`)).status).toBe(200)
    expect(await names('')).toEqual([])
  })
})
