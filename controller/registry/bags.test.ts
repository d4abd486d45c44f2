/** Tests of Secret and ConfigMap on the write path, and of how their bags are read. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { readBytes } from './bags.ts'
import { configMapResource } from './config-maps.ts'
import type { Registry, WriteContext } from './registry.ts'
import { secretResource } from './secrets.ts'
import { CONTEXT, testRegistry } from './testing.ts'

const b64 = (text: string): string => Buffer.from(text).toString('base64')
const named = (name: string) => ({ metadata: { name } })
const keyOf = (name: string) => ({ namespace: 'acme', name })

const create = (registry: Registry, resource: ResourceDefinition, body: object, context = CONTEXT) =>
  registry.create(resource, 'acme', { ...named('one'), ...body }, context)

async function refusalOf(run: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof ApiError) return error
  throw new Error('It was not refused')
}
const causesOf = (error: ApiError): readonly string[] =>
  (error.details.causes ?? []).map(({ reason, field }) => `${reason} ${field}`)

describe('secrets', () => {
  it('SK1 stringData goes into data, over what is there, and type is Opaque by default', async () => {
    const { registry } = await testRegistry()
    const body = { data: { a: b64('old'), b: b64('b') }, stringData: { a: 'new' } }
    const made = await create(registry, secretResource, body)
    expect(made).toMatchObject({ type: 'Opaque', data: { a: b64('new'), b: b64('b') } })
    expect(made).not.toHaveProperty('stringData')
    expect(made.metadata).not.toHaveProperty('generation')
    const patch = { type: 'merge', body: { stringData: { c: 'é' }, data: { b: null } } } as const
    const patched = await registry.patch(secretResource, keyOf('one'), patch, CONTEXT)
    expect(patched).toMatchObject({ data: { a: b64('new'), c: b64('é') } })
    expect(await registry.get(secretResource, keyOf('one'))).toEqual(patched)
  })

  it('SK1 values are base64, kept in their canonical form', async () => {
    const { registry } = await testRegistry()
    const made = await create(registry, secretResource, { data: { a: 'aGVs\r\nbG8=\n', empty: '', none: null } })
    expect(made).toMatchObject({ data: { a: 'aGVsbG8=', empty: '', none: '' } })
  })

  it('SK1 the writes that change nothing commit nothing, whatever their form', async () => {
    const { registry, commits } = await testRegistry()
    const made = await create(registry, secretResource, { stringData: { a: 'x' } })
    const again = { ...named('one'), stringData: { a: 'x' } }
    expect(await registry.update(secretResource, keyOf('one'), again, CONTEXT)).toEqual(made)
    expect(commits()).toBe(1)
  })

  it.each([
    [
      { data: { a: 'no base64!' } },
      'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 2',
    ],
    [{ data: { a: 'abc' } }, 'illegal base64 data at input byte 0'],
    [{ data: { a: 'a===' } }, 'illegal base64 data'],
    [{ data: { a: 1 } }, 'json: cannot unmarshal number into Go struct field Secret.data of type []uint8'],
    [{ data: ['a'] }, 'json: cannot unmarshal array into Go struct field Secret.data of type map[string][]uint8'],
    [{ stringData: { a: true } }, 'json: cannot unmarshal bool into Go struct field Secret.stringData of type string'],
    [{ type: 3 }, 'json: cannot unmarshal number into Go struct field Secret.type of type v1.SecretType'],
    [{ immutable: 'yes' }, 'json: cannot unmarshal string into Go struct field Secret.immutable of type bool'],
  ])('SK2 a body of a wrong type is BadRequest: %j', async (body, message) => {
    const { registry } = await testRegistry()
    const refusal = await refusalOf(create(registry, secretResource, body))
    expect(refusal).toMatchObject({ reason: 'BadRequest', message: expect.stringContaining(message) as string })
  })

  it('SK2 a patch that makes it of a wrong type is Invalid, and repeats no value', async () => {
    const { registry } = await testRegistry()
    await create(registry, secretResource, {})
    const patch = { type: 'merge', body: { data: { a: 'hunter2!' } } } as const
    const refusal = await refusalOf(registry.patch(secretResource, keyOf('one'), patch, CONTEXT))
    expect(refusal.reason).toBe('Invalid')
    expect(JSON.stringify([refusal.message, refusal.details])).not.toContain('hunter2')
  })

  it.each([
    [{ data: { 'a b': '' } }, ['FieldValueInvalid data[a b]']],
    [{ data: { '': '' } }, ['FieldValueInvalid data[]']],
    [{ data: { '..': '' } }, ['FieldValueInvalid data[..]']],
    [{ data: { ['k'.repeat(254)]: '' } }, [`FieldValueInvalid data[${'k'.repeat(254)}]`]],
    [{ stringData: { a: 'x'.repeat(1024 * 1024 + 1) } }, ['FieldValueTooLong data']],
    [{ type: 'kubernetes.io/tls' }, ['FieldValueRequired data[tls.crt]', 'FieldValueRequired data[tls.key]']],
    [{ type: 'kubernetes.io/basic-auth' }, ['FieldValueRequired data[username]', 'FieldValueRequired data[password]']],
    [{ type: 'kubernetes.io/ssh-auth' }, ['FieldValueRequired data[ssh-privatekey]']],
    [{ type: 'kubernetes.io/ssh-auth', data: { 'ssh-privatekey': '' } }, ['FieldValueRequired data[ssh-privatekey]']],
    [{ type: 'kubernetes.io/dockercfg' }, ['FieldValueRequired data[.dockercfg]']],
    [{ type: 'kubernetes.io/dockerconfigjson' }, ['FieldValueRequired data[.dockerconfigjson]']],
    [
      { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': 'hunter2' } },
      ['FieldValueInvalid data[.dockerconfigjson]'],
    ],
    [
      { type: 'kubernetes.io/service-account-token' },
      ['FieldValueRequired metadata.annotations[kubernetes.io/service-account.name]'],
    ],
  ])('SK3 a secret that breaks its rules is Invalid (%#)', async (body, causes) => {
    const { registry } = await testRegistry()
    const refusal = await refusalOf(create(registry, secretResource, body))
    expect(refusal.reason).toBe('Invalid')
    expect(causesOf(refusal)).toEqual(causes)
    expect(refusal.message).not.toContain('hunter2')
  })

  it.each([
    { type: 'kubernetes.io/tls', data: { 'tls.crt': '', 'tls.key': '' } },
    { type: 'kubernetes.io/basic-auth', data: { password: '' } },
    { type: 'kubernetes.io/ssh-auth', stringData: { 'ssh-privatekey': 'k' } },
    { type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': '{"auths":{}}' } },
    { type: 'helm.sh/release.v1', stringData: { 'a.b_c-D': 'x'.repeat(1024 * 1024) } },
  ])('SK3 a secret that keeps to its rules is stored (%#)', async (body) => {
    const { registry } = await testRegistry()
    await expect(create(registry, secretResource, body)).resolves.toMatchObject({ type: body.type })
  })

  it('SK4 type cannot be changed; absent it is Opaque, which is a change of another', async () => {
    const { registry } = await testRegistry()
    await create(registry, secretResource, { type: 'example.com/own' })
    const refusal = await refusalOf(registry.update(secretResource, keyOf('one'), named('one'), CONTEXT))
    expect(refusal.details.causes).toEqual([
      { reason: 'FieldValueInvalid', field: 'type', message: 'Invalid value: "Opaque": field is immutable' },
    ])
  })

  it.each([
    ['secrets', secretResource, { data: { a: b64('2') } }, ['FieldValueForbidden data']],
    ['secrets', secretResource, { immutable: null }, ['FieldValueForbidden immutable']],
    [
      'secrets',
      secretResource,
      { immutable: false, data: null },
      ['FieldValueForbidden immutable', 'FieldValueForbidden data'],
    ],
    ['configmaps', configMapResource, { binaryData: { b: b64('2') } }, ['FieldValueForbidden binaryData']],
    ['configmaps', configMapResource, { data: { a: '2' } }, ['FieldValueForbidden data']],
  ])('SK5 what is immutable keeps its data and stays so: %s (%#)', async (_plural, resource, change, causes) => {
    const { registry } = await testRegistry()
    await create(registry, resource, { data: { a: b64('1') }, immutable: true })
    const attempt = registry.patch(resource, keyOf('one'), { type: 'merge', body: change }, CONTEXT)
    const refusal = await refusalOf(attempt)
    expect(refusal.reason).toBe('Invalid')
    expect(causesOf(refusal)).toEqual(causes)
    const labels = { type: 'merge', body: { metadata: { labels: { a: 'b' } } } } as const
    await expect(registry.patch(resource, keyOf('one'), labels, CONTEXT)).resolves.toMatchObject({ immutable: true })
    await registry.delete(resource, keyOf('one'), {}, CONTEXT)
  })

  it('SK6 unknown fields are dropped, and told as field validation says', async () => {
    const { registry } = await testRegistry()
    const warnings: string[] = []
    const context = (fieldValidation: NonNullable<WriteContext['fieldValidation']>): WriteContext => ({
      ...CONTEXT,
      fieldValidation,
      warn: (text) => warnings.push(text),
    })
    const body = { ...named('one'), stringDate: { a: 'x' } }
    const refusal = await refusalOf(registry.create(secretResource, 'acme', body, context('Strict')))
    expect(refusal).toMatchObject({
      reason: 'BadRequest',
      message:
        'Secret in version "v1" cannot be handled as a Secret: strict decoding error: unknown field "stringDate"',
    })
    const made = await registry.create(secretResource, 'acme', body, context('Warn'))
    expect(made).not.toHaveProperty('stringDate')
    expect(warnings).toEqual(['unknown field "stringDate"'])
  })

  it('SK7 an applied stringData owns the data that it becomes: the same again writes nothing, a key left out goes', async () => {
    const { registry, commits } = await testRegistry()
    const config = (stringData: object) => ({ apiVersion: 'v1', kind: 'Secret', ...named('one'), stringData })
    const context = { ...CONTEXT, fieldManager: 'flux' }
    const apply = (stringData: object) => registry.apply(secretResource, keyOf('one'), config(stringData), context)
    const first = await apply({ a: '1', b: '2' })
    expect(first.object.metadata.managedFields?.[0]?.fieldsV1).toEqual({ 'f:data': { 'f:a': {}, 'f:b': {} } })
    expect(await apply({ a: '1', b: '2' })).toMatchObject({ created: false, object: first.object })
    expect(commits()).toBe(1)
    const { object } = await apply({ a: '1' })
    expect((object as KubeObject & { data?: object }).data).toEqual({ a: b64('1') })
  })

  it('SK7 an applied field that no Secret has is refused as kube-apiserver does', async () => {
    const { registry } = await testRegistry()
    const body = { apiVersion: 'v1', kind: 'Secret', ...named('one'), dta: { a: 'x' } }
    const applied = registry.apply(secretResource, keyOf('one'), body, { ...CONTEXT, fieldManager: 'flux' })
    const refusal = await refusalOf(applied)
    expect(refusal).toMatchObject({ reason: 'InternalError' })
    expect(refusal.message).toContain('.dta: field not declared in schema')
  })

  it('SK8 secrets are selected by type', async () => {
    const { registry } = await testRegistry()
    await create(registry, secretResource, {})
    await registry.create(secretResource, 'acme', { ...named('two'), type: 'helm.sh/release.v1' }, CONTEXT)
    const { items } = await registry.list(secretResource, { fieldSelector: 'type=helm.sh/release.v1' })
    expect(items.map((item) => item.metadata.name)).toEqual(['two'])
  })
})

describe('config maps', () => {
  it('SK9 data is text, binaryData base64, and no key is in both', async () => {
    const { registry } = await testRegistry()
    const made = await create(registry, configMapResource, { data: { a: 'é' }, binaryData: { b: '/w==' } })
    expect(made).toMatchObject({ data: { a: 'é' }, binaryData: { b: '/w==' } })
    const both = { ...named('two'), data: { a: '' }, binaryData: { a: '' } }
    const refusal = await refusalOf(registry.create(configMapResource, 'acme', both, CONTEXT))
    expect(refusal.details.causes).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: 'data[a]',
        message: 'Invalid value: "a": duplicate of key present in binaryData',
      },
      {
        reason: 'FieldValueInvalid',
        field: 'binaryData[a]',
        message: 'Invalid value: "a": duplicate of key present in data',
      },
    ])
  })

  it('SK9 all values together are at most 1 MiB', async () => {
    const { registry } = await testRegistry()
    const half = Buffer.alloc(512 * 1024)
    const body = { data: { a: 'x'.repeat(512 * 1024) }, binaryData: { b: half.toString('base64') } }
    await expect(create(registry, configMapResource, body)).resolves.toBeDefined()
    const more = { ...named('two'), ...body, data: { a: 'x'.repeat(512 * 1024 + 1) } }
    const refusal = await refusalOf(registry.create(configMapResource, 'acme', more, CONTEXT))
    expect(causesOf(refusal)).toEqual(['FieldValueTooLong '])
  })
})

it('SK1 base64 is read as Go reads it: what any encoder writes comes out the same', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(20), (bytes, cut) => {
      const text = Buffer.from(bytes).toString('base64')
      const faults: string[] = []
      const broken = `${text.slice(0, cut)}\n${text.slice(cut)}`
      expect(readBytes({ a: broken }, 'x', faults).get('a')).toBe(text)
      expect(faults).toEqual([])
    }),
  )
})

it('SK2 whatever is sent is stored or refused by reason, and what is stored is read again as it is', async () => {
  const { registry } = await testRegistry()
  const keys = fc.constantFrom('a', '__proto__', 'constructor', 'b.c', '..', '', ' ', 'k'.repeat(300))
  const value = fc.oneof(fc.base64String({ maxLength: 20 }), fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 1 }))
  const bag = fc.oneof(
    { weight: 4, arbitrary: fc.dictionary(keys, value, { maxKeys: 3 }) },
    { weight: 1, arbitrary: value },
  )
  const body = fc.record(
    {
      data: bag,
      binaryData: bag,
      stringData: bag,
      type: fc.oneof(fc.constantFrom('Opaque', 'kubernetes.io/tls', 'kubernetes.io/dockercfg'), value),
      immutable: fc.oneof(fc.boolean(), value),
    },
    { requiredKeys: [] },
  )
  let count = 0
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(secretResource, configMapResource), body, async (resource, sent) => {
      const name = `n${count++}`
      // As it comes off the wire: own members whatever their names.
      const parsed = JSON.parse(JSON.stringify({ ...sent, ...named(name) })) as object
      const made = await registry.create(resource, 'acme', parsed, CONTEXT).catch((error: unknown) => error)
      if (made instanceof ApiError) {
        expect(['BadRequest', 'Invalid']).toContain(made.reason)
        return
      }
      const stored = await registry.get(resource, keyOf(name))
      expect(stored).toEqual(made)
      const again = JSON.parse(JSON.stringify(stored)) as object
      expect(await registry.update(resource, keyOf(name), again, CONTEXT)).toEqual(stored)
    }),
    { numRuns: 300 },
  )
})
