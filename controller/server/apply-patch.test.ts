/** Apply over the wire: parameters, JSON and YAML bodies, codes. */
import { beforeEach, describe, expect, it } from 'vitest'
import { applyParams, parseConfig } from './apply-patch.ts'
import { makeNamespace, SPRITES, spriteBody, testServer, type TestServer } from './testing.ts'

const headers = { 'content-type': 'application/apply-patch+yaml' }

describe('apply', () => {
  let server: TestServer
  beforeEach(async () => {
    server = testServer()
    await makeNamespace(server)
  })
  const apply = (query: string, body: unknown, path = `${SPRITES}/a`) =>
    server.send('PATCH', `${path}?${query}`, { body, headers })

  it('AP16 answers 201 for what it creates and 200 for what it finds', async () => {
    expect((await apply('fieldManager=me', spriteBody('a'))).status).toBe(201)
    const again = await apply('fieldManager=me&force=true', spriteBody('a'))
    expect(again.body).toMatchObject({ metadata: { managedFields: [{ manager: 'me', operation: 'Apply' }] } })
    expect(again.status).toBe(200)
  })

  it('AP16 reads YAML as well as JSON, by the rules of YAML 1.1', async () => {
    const yaml = `apiVersion: sprites.highera.com/v1alpha1
kind: Sprite
metadata:
  name: a # the name
spec: {agentType: copywriter, idleTimeoutSeconds: 7}
`
    expect((await apply('fieldManager=me', yaml)).body).toMatchObject({ spec: { idleTimeoutSeconds: 7 } })
  })

  it('AP16 needs a fieldManager', async () => {
    expect((await apply('force=true', spriteBody('a'))).body).toMatchObject({
      code: 422,
      details: { causes: [{ reason: 'FieldValueRequired', field: 'fieldManager' }] },
    })
  })

  it('AP8 answers conflicts as kube-apiserver does', async () => {
    await apply('fieldManager=one', spriteBody('a', { spec: { idleTimeoutSeconds: 1 } }))
    const refused = await apply('fieldManager=two&force=false', spriteBody('a', { spec: { idleTimeoutSeconds: 2 } }))
    expect(refused.body).toMatchObject({
      code: 409,
      reason: 'Conflict',
      details: { causes: [{ reason: 'FieldManagerConflict', field: '.spec.idleTimeoutSeconds' }] },
    })
  })

  it('AP13 applies status at its own path', async () => {
    await apply('fieldManager=one', spriteBody('a'))
    const body = { ...spriteBody('a'), status: { phase: 'Idle' } }
    const applied = await apply('fieldManager=ctl', body, `${SPRITES}/a/status`)
    expect(applied.body).toMatchObject({ status: { phase: 'Idle' } })
  })

  it.each(['', 'a: [', 'a: 1\n---\nb: 2', 'just text', `a: ${'['.repeat(100)}`, new Uint8Array([0xff])])(
    'AP16 refuses %j as a body',
    async (body) => {
      expect((await apply('fieldManager=me', body)).body).toMatchObject({ code: 400, reason: 'BadRequest' })
    },
  )
})

describe('reading', () => {
  it('AP16 force is a Go boolean', () => {
    const force = (query: string) => applyParams(new URLSearchParams(`fieldManager=m${query}`)).force
    expect([force(''), force('&force=false'), force('&force=true'), force('&force')]).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  it('AP16 braces in a text are no nesting', () => {
    const text = `spec: {prompt: '${'{'.repeat(100)}'}`
    expect(parseConfig(Buffer.from(text)).value).toEqual({ spec: { prompt: '{'.repeat(100) } })
  })
})
