/** Lists in pieces: the bytes are those of the objects, whatever was sent before. */
import { expect, test } from 'vitest'
import { objectOf } from '../registry/records.ts'
import { objectTextResponse, listTextResponse } from './serialise.ts'

const stored = (name: string, note: string) => {
  const value = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, spec: { note } })
  return objectOf({ collection: 'c', namespace: 'n', name, revision: 1, value })
}

const HEAD = { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '7' } }

/** What a client gets of a body. */
function whole(body: unknown): unknown {
  if (typeof body === 'string') return JSON.parse(body)
  const bytes = body instanceof Uint8Array ? body : Buffer.concat([...(body as Iterable<Uint8Array>)])
  return JSON.parse(Buffer.from(bytes).toString('utf8'))
}

test('SV24 a large list has every object, with and without other letters than ASCII', () => {
  const items = Array.from({ length: 900 }, (_, index) =>
    stored(`o-${index}`, index % 3 === 0 ? 'ä€😀'.repeat(90) : 'x'.repeat(400)),
  )
  expect(whole(listTextResponse(HEAD, items).body)).toEqual({ ...HEAD, items })
})

test('SV24 the same list again is the same, another head is another, a changed object is seen', () => {
  const items = Array.from({ length: 900 }, (_, index) => stored(`o-${index}`, 'x'.repeat(400)))
  whole(listTextResponse(HEAD, items).body)
  const later = { ...HEAD, metadata: { resourceVersion: '8' } }
  expect(whole(listTextResponse(later, items).body)).toEqual({ ...later, items })
  const changed = items.with(450, stored('o-450', 'another'))
  expect(whole(listTextResponse(HEAD, changed).body)).toEqual({ ...HEAD, items: changed })
  expect(whole(listTextResponse(HEAD, changed.slice(1)).body)).toEqual({ ...HEAD, items: changed.slice(1) })
})

test('SV24 a list whose reader went away is not taken for a whole one', () => {
  const items = Array.from({ length: 900 }, (_, index) => stored(`o-${index}`, 'y'.repeat(400)))
  for (const _piece of listTextResponse(HEAD, items).body as Iterable<Uint8Array>) break
  expect(whole(listTextResponse(HEAD, items).body)).toEqual({ ...HEAD, items })
})

test('SV24 an object is sent as it is stored, and what is not stored as it is', () => {
  const object = stored('one', 'ä')
  for (let times = 0; times < 3; times++) expect(whole(objectTextResponse(200, object).body)).toEqual(object)
  const made = { ...object, metadata: { name: 'two' } } as typeof object
  expect(whole(objectTextResponse(201, made).body)).toEqual(made)
})
