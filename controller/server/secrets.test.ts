/** Tests of Secret and ConfigMap on the wire: what kubectl and Helm send, and the Tables that they get. */
import { describe, expect, it } from 'vitest'
import { makeNamespace, testServer, type TestServer } from './testing.ts'

const SECRETS = '/api/v1/namespaces/acme/secrets'
const PROTOBUF = { 'content-type': 'application/vnd.kubernetes.protobuf' }
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

const varint = (value: number): Buffer =>
  value < 128
    ? Buffer.from([value])
    : Buffer.concat([Buffer.from([(value % 128) | 128]), varint(Math.floor(value / 128))])
const bytes = (number: number, content: Uint8Array): Buffer =>
  Buffer.concat([varint(number * 8 + 2), varint(content.length), content])
const text = (number: number, content: string): Buffer => bytes(number, Buffer.from(content))
const entry = (number: number, [key, value]: readonly [string, string]): Buffer =>
  bytes(number, Buffer.concat([text(1, key), text(2, value)]))

/** A Secret as client-go encodes it. */
function secretBytes(secret: {
  readonly name: string
  readonly type: string
  readonly labels?: Readonly<Record<string, string>>
  readonly data?: Readonly<Record<string, string>>
  readonly resourceVersion?: string
}): Buffer {
  const meta = [
    text(1, secret.name),
    text(2, ''),
    text(3, ''),
    text(5, ''),
    text(6, secret.resourceVersion ?? ''),
    varint(7 * 8),
    varint(0),
    bytes(8, Buffer.alloc(0)),
    ...Object.entries(secret.labels ?? {}).map((label) => entry(11, label)),
  ]
  const raw = [
    bytes(1, Buffer.concat(meta)),
    ...Object.entries(secret.data ?? {}).map((value) => entry(2, value)),
    text(3, secret.type),
  ]
  const typeMeta = Buffer.concat([text(1, 'v1'), text(2, 'Secret')])
  return Buffer.concat([
    Buffer.from('k8s\0'),
    bytes(1, typeMeta),
    bytes(2, Buffer.concat(raw)),
    text(3, ''),
    text(4, ''),
  ])
}

async function server(): Promise<TestServer> {
  const made = testServer()
  await makeNamespace(made)
  return made
}

type Listed = { readonly items: readonly { readonly metadata: { readonly name: string } }[] }
const namesOf = (body: unknown): readonly string[] => (body as Listed).items.map((item) => item.metadata.name)

describe('secrets on the wire', () => {
  it('SK10 Helm keeps its releases: create, list by owner, update, delete, all typed', async () => {
    const { send } = await server()
    const release = (version: number, status: string) => ({
      name: `sh.helm.release.v1.web.v${version}`,
      type: 'helm.sh/release.v1',
      labels: { name: 'web', owner: 'helm', status, version: String(version), modifiedAt: '1768478400' },
      data: { release: 'H4sIAAAA'.repeat(2_000) },
    })
    const post = (version: number) =>
      send('POST', SECRETS, { body: secretBytes(release(version, 'pending-install')), headers: PROTOBUF })
    expect(await post(1)).toMatchObject({ status: 201, body: { type: 'helm.sh/release.v1' } })
    expect(await post(1)).toMatchObject({ status: 409, body: { reason: 'AlreadyExists' } })
    expect((await post(2)).status).toBe(201)
    await send('POST', SECRETS, { body: { metadata: { name: 'other' }, stringData: { a: 'b' } } })
    const path = `${SECRETS}/${release(1, '').name}`
    const replaced = await send('PUT', path, { body: secretBytes(release(1, 'deployed')), headers: PROTOBUF })
    expect(replaced).toMatchObject({ status: 200, body: { metadata: { labels: { status: 'deployed' } } } })
    const listed = async (selector: string) =>
      namesOf((await send('GET', `${SECRETS}?labelSelector=${encodeURIComponent(selector)}`)).body)
    expect(await listed('owner=helm')).toEqual([release(1, '').name, release(2, '').name])
    expect(await listed('name=web,owner=helm,status=deployed')).toEqual([release(1, '').name])
    expect(await listed('name=web,owner=helm,version=2')).toEqual([release(2, '').name])
    const got = (await send('GET', path)).body as { data: { release: string } }
    expect(Buffer.from(got.data.release, 'base64').toString()).toBe(release(1, '').data.release)
    expect((await send('DELETE', path)).status).toBe(200)
    expect(await listed('owner=helm')).toEqual([release(2, '').name])
  })

  it('SK8 Tables count the keys', async () => {
    const { send } = await server()
    await send('POST', SECRETS, { body: { metadata: { name: 'one' }, stringData: { a: '1', b: '2' } } })
    await send('POST', SECRETS, { body: { metadata: { name: 'two' } } })
    const maps = '/api/v1/namespaces/acme/configmaps'
    await send('POST', maps, { body: { metadata: { name: 'cm' }, data: { a: '1' }, binaryData: { b: '' } } })
    const cells = async (path: string) =>
      ((await send('GET', path, { headers: TABLE })).body as { rows: { cells: unknown[] }[] }).rows.map(
        (row) => row.cells,
      )
    expect(await cells(SECRETS)).toEqual([
      ['one', 'Opaque', 2, '0s'],
      ['two', 'Opaque', 0, '0s'],
    ])
    expect(await cells(maps)).toEqual([['cm', 2, '0s']])
  })

  it('SK7 a strategic merge patch as kubectl apply sends it', async () => {
    const { send } = await server()
    await send('POST', SECRETS, { body: { metadata: { name: 'one' }, data: { a: 'MQ==', b: 'Mg==' } } })
    const patched = await send('PATCH', `${SECRETS}/one`, {
      body: { data: { a: null, c: 'Mw==' }, metadata: { annotations: { n: 'x' } } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    })
    expect(patched).toMatchObject({ status: 200, body: { data: { b: 'Mg==', c: 'Mw==' } } })
    expect(patched.body).not.toHaveProperty('data.a')
  })

  it('SK11 OpenAPI describes their fields, and nothing is kept as sent', async () => {
    const { send } = await server()
    const { body } = await send('GET', '/openapi/v3/api/v1')
    const { schemas } = (body as { components: { schemas: Record<string, object> } }).components
    expect(schemas['io.k8s.api.core.v1.Secret']).toMatchObject({
      properties: { data: { additionalProperties: { type: 'string', format: 'byte' } }, stringData: {}, type: {} },
    })
    expect(schemas['io.k8s.api.core.v1.Secret']).not.toHaveProperty('x-kubernetes-preserve-unknown-fields')
    expect(schemas['io.k8s.api.core.v1.ConfigMap']).toMatchObject({ properties: { data: {}, binaryData: {} } })
  })
})
