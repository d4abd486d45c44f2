/** Tests of duplicate keys: where they stand, how they are told, and that the pass agrees with a simple reader. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parsePatch, readTyped } from './body.ts'
import { parseConfig } from './apply-patch.ts'
import { duplicatesIn, fieldPath } from './duplicates.ts'
import { makeNamespace, SPRITES, testServer, type TestServer } from './testing.ts'

const pathsIn = (text: string): readonly string[] => duplicatesIn(Buffer.from(text)).map(({ path }) => fieldPath(path))

describe('SV40 duplicate keys', () => {
  it.each([
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"a":2,"a":3}', ['a']],
    ['{"a":{"b":1,"b":2},"b":3}', ['a.b']],
    ['{"a":[{"b":1},{"b":1,"b":2}]}', ['a[1].b']],
    ['[{"b":1,"b":2}]', ['[0].b']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"a\\"":1,"a\\"":2}', ['a"']],
    ['{"a":"{\\"b\\":1,\\"b\\":2}","c":"b","b":"c"}', []],
    ['{"a":{},"b":[],"c":[1,2,{}],"d":{"a":1}}', []],
    ['{"__proto__":1,"__proto__":2}', ['__proto__']],
    ['1', []],
  ])('SV40 %s', (text, paths) => {
    expect(pathsIn(text)).toEqual(paths)
  })

  it('SV40 tells at most twenty, and their lines', () => {
    const text = `{${Array.from({ length: 50 }, (_, at) => `"a${at}":1,\n"a${at}":2`).join(',\n')}}`
    const found = duplicatesIn(Buffer.from(text))
    expect(found.length).toBe(20)
    expect(found[1]).toEqual({ path: ['a1'], key: 'a1', line: 4 })
  })

  it('SV40 finds none in what JSON.stringify writes, and each that is planted', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.string(), (value, key) => {
        expect(pathsIn(JSON.stringify(value))).toEqual([])
        const planted = `{"x":${JSON.stringify(value)},${JSON.stringify(key)}:1,${JSON.stringify(key)}:2}`
        expect(duplicatesIn(Buffer.from(planted)).map((one) => one.key)).toContain(key)
      }),
      { numRuns: 500 },
    )
  })

  it('SV40 tells of a JSON patch what it says twice, and what its values do to the object', () => {
    const patch = '[{"op":"add","op":"add","path":"/metadata/labels","value":{"a":"1","a":"2"}}]'
    expect(parsePatch(Buffer.from(patch), 'Warn', true).duplicates).toEqual([
      'json patch duplicate field "[0].op"',
      'json patch duplicate field "[0].value.a"',
      'duplicate field "metadata.labels.a"',
    ])
    expect(parsePatch(Buffer.from(patch), 'Ignore', true).duplicates).toEqual([])
  })
})

describe('SV41 YAML bodies', () => {
  const read = (text: string, validation: 'Strict' | 'Warn' | 'Ignore' = 'Warn') =>
    readTyped(Buffer.from(text), { contentType: 'application/yaml', isBuiltIn: false, validation })

  it('SV41 reads one document by the rules of YAML 1.1, or JSON', () => {
    expect(read('a: 1\nb: [x]\n').value).toEqual({ a: 1, b: ['x'] })
    expect(read('{"a":1}').value).toEqual({ a: 1 })
    for (const text of ['', 'a: [', 'a: 1\n---\nb: 2\n', 'a: yes', '- 1'])
      expect(() => read(text)).toThrow(/decoding YAML/)
  })

  it('SV41 tells duplicate keys by their lines; the last one holds', () => {
    expect(read('a: 1\nb:\n  c: 1\n  c: 2\n')).toEqual({
      value: { a: 1, b: { c: 2 } },
      duplicates: ['line 4: key "c" already set in map'],
    })
    expect(read('a: 1\na: 2\n', 'Strict').duplicates).toEqual([
      'yaml: unmarshal errors:\n  line 2: key "a" already set in map',
    ])
  })

  it('SV41 refuses them in a strict apply', () => {
    expect(() => parseConfig(Buffer.from('a: 1\na: 2\n'), 'Strict')).toThrow(
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key "a" already set in map',
    )
    expect(parseConfig(Buffer.from('{"a":1,"a":2}'), 'Warn')).toEqual({
      value: { a: 2 },
      duplicates: ['line 1: key "a" already set in map'],
    })
  })
})

describe('SV42 on the wire', () => {
  const HEAD = '"apiVersion":"sprites.highera.com/v1alpha1","kind":"Sprite","metadata":{"name":"s"}'
  const twice = `{${HEAD},"spec":{"agentType":"editor","agentType":"copywriter"}}`
  async function acme(): Promise<TestServer> {
    const server = testServer()
    await makeNamespace(server)
    return server
  }

  it('SV42 Strict refuses, duplicates before unknown fields', async () => {
    const server = await acme()
    const body = `{${HEAD},"spec":{"zzz":1,"agentType":"a","agentType":"b"},"aaa":1}`
    const { status, body: answer } = await server.send('POST', `${SPRITES}?fieldValidation=Strict`, { body })
    expect([status, answer]).toMatchObject([
      400,
      {
        reason: 'BadRequest',
        message:
          'Sprite in version "v1alpha1" cannot be handled as a Sprite: strict decoding error: duplicate field "spec.agentType", unknown field "aaa", unknown field "spec.zzz"',
      },
    ])
  })

  it('SV42 Warn tells, Ignore does not, and the last one wins', async () => {
    const server = await acme()
    const warned = await server.send('POST', `${SPRITES}?dryRun=All`, { body: twice })
    expect(warned.response.headers['Warning']).toEqual(['299 - "duplicate field \\"spec.agentType\\""'])
    const ignored = await server.send('POST', `${SPRITES}?fieldValidation=Ignore`, { body: twice })
    expect(ignored.response.headers['Warning']).toBeUndefined()
    expect(ignored).toMatchObject({ status: 201, body: { spec: { agentType: 'copywriter' } } })
  })

  it('SV42 a patch and an apply are judged too', async () => {
    const server = await acme()
    await server.send('POST', SPRITES, { body: twice })
    const patch = '{"metadata":{"labels":{"a":"1","a":"2"}}}'
    const headers = { 'content-type': 'application/merge-patch+json' }
    const warned = await server.send('PATCH', `${SPRITES}/s?dryRun=All`, { body: patch, headers })
    expect(warned.response.headers['Warning']).toEqual(['299 - "duplicate field \\"metadata.labels.a\\""'])
    const strict = await server.send('PATCH', `${SPRITES}/s?fieldValidation=Strict`, { body: patch, headers })
    expect(strict).toMatchObject({ status: 422, body: { details: { causes: [{ field: 'patch' }] } } })
    const applied = await server.send('PATCH', `${SPRITES}/new?fieldManager=m`, {
      body: twice.replace('"s"', '"new"'),
      headers: { 'content-type': 'application/apply-patch+yaml' },
    })
    expect(applied.status).toBe(201)
    expect(applied.response.headers['Warning']).toEqual(['299 - "line 1: key \\"agentType\\" already set in map"'])
  })
})
