/** The definitions of our kinds as clients read, watch, create and apply them, over the API server itself. */
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { TestClock } from '../../system/test-clock.ts'
import type { KubeObject } from '../api/object.ts'
import { KINDS } from '../kinds/kinds.ts'
import { withViews } from '../registry/views.ts'
import { generatedFiles } from '../../scripts/generate.ts'
import { memoryRegistry, testServer, type TestServer } from '../server/testing.ts'
import { crdView } from './crds.ts'

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const SPRITES = 'sprites.sprites.highera.com'
/** What crds/ holds, or would after `npm run generate`. */
const FILES = [...generatedFiles()].filter(([file]) => file.startsWith('crds/'))

const serve = (): TestServer => {
  const clock = new TestClock()
  return testServer({ registry: withViews(memoryRegistry(clock), [crdView(KINDS, clock)]) })
}
/** What the tests look at of an answer. */
type Body = Partial<KubeObject> & {
  readonly items?: readonly KubeObject[]
  readonly reason?: string
  readonly message?: string
  readonly rows?: readonly { readonly cells: readonly unknown[] }[]
}
async function ask(server: TestServer, method: string, at: string, options: Parameters<TestServer['send']>[2] = {}) {
  const { status, body, response } = await server.send(method, at, options)
  return { status, body: body as Body, warning: response.headers['Warning'] }
}
/** The file of crds/ of one kind. */
const fileOf = (name: string) => parse(new Map(FILES).get(`crds/${name}.yaml`) ?? '') as KubeObject
const apply = { 'content-type': 'application/apply-patch+yaml' }

describe('definitions of our kinds', () => {
  it('VW10 are those of crds/, established, with what a server stamps on', async () => {
    const { body } = await ask(serve(), 'GET', CRDS)
    const names = (body.items ?? []).map(({ metadata }) => metadata.name)
    expect(names.map((name) => `crds/${name}.yaml`)).toEqual(FILES.map(([file]) => file).sort())
    for (const item of body.items ?? []) {
      expect(item.spec).toEqual({ ...(fileOf(item.metadata.name).spec as object), conversion: { strategy: 'None' } })
      expect(item.metadata.uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(item.metadata).toMatchObject({ generation: 1, creationTimestamp: expect.any(String) as string })
      expect(item.status).toMatchObject({
        storedVersions: ['v1alpha1'],
        conditions: [{ status: 'True' }, { status: 'True' }],
      })
    }
    expect(new Set((body.items ?? []).map(({ metadata }) => metadata.uid)).size).toBe(names.length)
  })

  it('VW10 are the same after a restart', async () => {
    const [before, after] = [await ask(serve(), 'GET', CRDS), await ask(serve(), 'GET', CRDS)]
    expect(after.body).toEqual(before.body)
  })

  it('VW11 are discovered, printed as a table, and described in OpenAPI', async () => {
    const server = serve()
    const found = await ask(server, 'GET', '/apis/apiextensions.k8s.io/v1')
    expect(found.body).toMatchObject({
      resources: [{ shortNames: ['crd', 'crds'], verbs: ['create', 'get', 'list', 'patch', 'watch'] }],
    })
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const table = await ask(server, 'GET', `${CRDS}/${SPRITES}`, { headers: { accept } })
    expect(table.body.rows?.[0]?.cells).toEqual([SPRITES, '2026-01-01T00:00:00Z'])
    const openapi = await server.send('GET', '/openapi/v3/apis/apiextensions.k8s.io/v1')
    // Text or bytes: a catalog is no stream.
    expect(Buffer.from(openapi.response.body as string).toString()).toContain('openAPIV3Schema')
  })

  it('VW12 creating one is AlreadyExists, and any other is refused', async () => {
    const server = serve()
    const known = await ask(server, 'POST', CRDS, { body: fileOf(SPRITES) })
    expect(known).toMatchObject({ status: 409, body: { reason: 'AlreadyExists' } })
    const file = fileOf(SPRITES)
    const body = { ...file, metadata: { name: 'certificates.cert-manager.io' } }
    const other = await ask(server, 'POST', CRDS, { body })
    expect(other).toMatchObject({ status: 405, body: { reason: 'MethodNotAllowed' } })
    expect(other.body.message).toContain('Cannot define "certificates.cert-manager.io"')
    expect(await ask(server, 'POST', CRDS, { body: { ...file, metadata: {} } })).toMatchObject({ status: 400 })
  })

  it('VW13 applying what is served gives it back without a word; a difference is told, and not taken', async () => {
    const server = serve()
    const at = `${CRDS}/${SPRITES}?fieldManager=test`
    const served = (await ask(server, 'GET', at)).body
    const same = await ask(server, 'PATCH', at, { body: JSON.stringify(fileOf(SPRITES)), headers: apply })
    expect(same).toEqual({ status: 200, body: served, warning: undefined })
    const changed = { ...fileOf(SPRITES), spec: { ...(served.spec as object), scope: 'Cluster' } }
    const other = await ask(server, 'PATCH', at, { body: JSON.stringify(changed), headers: apply })
    expect(other).toMatchObject({ status: 200, body: served })
    expect(String(other.warning)).toContain('is built into the control plane')
    expect((await ask(server, 'GET', at)).body).toEqual(served)
  })

  it('VW13 a label that cannot be kept is told; an annotation, as kubectl apply leaves one, is not', async () => {
    const server = serve()
    const at = `${CRDS}/${SPRITES}`
    const headers = { 'content-type': 'application/merge-patch+json' }
    const noted = await ask(server, 'PATCH', at, { body: { metadata: { annotations: { a: 'b' } } }, headers })
    expect(noted).toMatchObject({ status: 200, warning: undefined })
    const labelled = await ask(server, 'PATCH', at, { body: { metadata: { labels: { a: 'b' } } }, headers })
    expect(String(labelled.warning)).toContain('was not taken')
    const json = { 'content-type': 'application/json-patch+json' }
    const replaced = [{ op: 'replace', path: '/spec/scope', value: 'Cluster' }]
    const operated = await ask(server, 'PATCH', at, { body: replaced, headers: json })
    expect(String(operated.warning)).toContain('was not taken')
    expect(
      (await ask(server, 'PATCH', at, { body: [{ op: 'test', path: '/kind', value: 1 }], headers: json })).status,
    ).toBe(422)
    expect((await ask(server, 'PATCH', `${CRDS}/no.where`, { body: {}, headers })).status).toBe(404)
  })

  it.each([
    ['another name', { metadata: { name: 'other' } }],
    ['another kind', { kind: 'Other' }],
    ['no name', { metadata: {} }],
  ])('VW13 an applied configuration of %s is BadRequest', async (_title, part) => {
    const body = JSON.stringify({ ...fileOf(SPRITES), ...part })
    const answer = await ask(serve(), 'PATCH', `${CRDS}/${SPRITES}?fieldManager=test`, { body, headers: apply })
    expect(answer).toMatchObject({ status: 400, body: { reason: 'BadRequest' } })
  })

  it('VW13 applying a definition that is not ours is refused', async () => {
    const body = JSON.stringify({ ...fileOf(SPRITES), metadata: { name: 'no.where' } })
    const answer = await ask(serve(), 'PATCH', `${CRDS}/no.where?fieldManager=test`, { body, headers: apply })
    expect(answer).toMatchObject({ status: 405, body: { reason: 'MethodNotAllowed' } })
  })

  it.each([
    ['PUT', `${CRDS}/${SPRITES}`],
    ['DELETE', `${CRDS}/${SPRITES}`],
    ['DELETE', CRDS],
  ])('VW14 %s %s is MethodNotAllowed and says what there is', async (method, at) => {
    const answer = await ask(serve(), method, at, { body: method === 'PUT' ? fileOf(SPRITES) : undefined })
    expect(answer).toMatchObject({ status: 405, body: { reason: 'MethodNotAllowed' } })
    expect(answer.body.message).toContain('create, get, list, patch, watch')
  })
})
