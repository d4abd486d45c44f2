/** Secrets, ConfigMaps and both sorts of events with real kubectl, oldest and newest, against a real control plane. */
import { readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock } from '../system/clock.ts'
import { microTimestamp } from '../system/timestamp.ts'
import { oldestAndNewest, runWith } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'

const found = oldestAndNewest()
if (found.length === 0) it.skip('SK50 kubectl is not installed: nothing to test with')

const PASSWORD = 'hunter2-in-a-secret'

describe.each(found)('%s', (kubectl) => {
  let plane: Plane
  const ns = 'shop'
  beforeAll(async () => {
    plane = await Plane.create()
    await plane.start()
    await ok(['create', 'namespace', ns])
  }, 60_000)
  afterAll(() => plane.destroy())

  /** What kubectl says; rejects when it fails. */
  async function ok(args: readonly string[], input?: object): Promise<string> {
    const { code, out, err } = await runWith(kubectl, args, {
      kubeconfig: join(plane.folder, 'kubeconfig'),
      home: plane.folder,
      ...(input === undefined ? {} : { input: JSON.stringify(input) }),
    })
    if (code !== 0) throw new Error(err + out)
    return out + err
  }
  const inShop = (args: readonly string[], input?: object): Promise<string> => ok(['-n', ns, ...args], input)

  it('SK50 creates, shows, applies, patches and describes secrets', async () => {
    await inShop(['create', 'secret', 'generic', 'plain', `--from-literal=password=${PASSWORD}`])
    expect(await inShop(['get', 'secrets'])).toMatch(/NAME\s+TYPE\s+DATA\s+AGE\nplain\s+Opaque\s+1\s/)
    expect(await inShop(['describe', 'secret', 'plain'])).toMatch(/password:\s+19 bytes/)
    const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'applied' }, stringData: { a: '1', b: '2' } }
    const applyArgs = ['apply', '-f', '-']
    expect(await inShop(applyArgs, manifest)).toContain('created')
    expect(await inShop(applyArgs, { ...manifest, stringData: { a: 'one' } })).toContain('configured')
    const server = ['apply', '--server-side', '--force-conflicts', '-f', '-']
    await inShop(server, { ...manifest, metadata: { name: 'owned' } })
    await inShop(server, { ...manifest, metadata: { name: 'owned' }, stringData: { a: '1' } })
    expect(await inShop(['get', 'secret', 'owned', '-o', 'jsonpath={.data}'])).toBe('{"a":"MQ=="}')
    await inShop(['patch', 'secret', 'owned', '-p', '{"stringData":{"c":"3"}}'])
    expect(await inShop(['get', 'secret', 'owned', '-o', 'jsonpath={.data.c}'])).toBe('Mw==')
    expect(await inShop(['get', 'secrets', '--field-selector=type=Opaque', '-o', 'name'])).toContain('secret/owned')
    await inShop(['delete', 'secret', 'owned'])
    await expect(inShop(['get', 'secret', 'owned'])).rejects.toThrow('secrets "owned" not found')
    expect(await ok(['explain', 'secret.stringData'])).toContain('plain text')
  }, 60_000)

  it('SK50 refuses what kube-apiserver refuses', async () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bad' } }
    const create = (over: object) => inShop(['create', '--validate=false', '-f', '-'], { ...secret, ...over })
    await expect(create({ type: 'kubernetes.io/tls' })).rejects.toThrow('data[tls.crt]: Required value')
    await expect(create({ data: { a: 'no base64!' } })).rejects.toThrow('illegal base64 data at input byte 2')
    const strict = inShop(['create', '-f', '-'], { ...secret, stringDate: {} })
    await expect(strict).rejects.toThrow('unknown field "stringDate"')
  }, 60_000)

  it('SK50 creates config maps from files, and keeps the immutable ones', async () => {
    const file = join(plane.folder, 'app.conf')
    await writeFile(file, 'mode=quiet\n')
    const binary = join(plane.folder, 'blob')
    await writeFile(binary, Buffer.from([0xff, 0x00]))
    await inShop(['create', 'configmap', 'files', `--from-file=${file}`, `--from-file=${binary}`])
    expect(await inShop(['get', 'cm'])).toMatch(/NAME\s+DATA\s+AGE\nfiles\s+2\s/)
    expect(await inShop(['describe', 'cm', 'files'])).toMatch(/mode=quiet[\s\S]*blob: 2 bytes/)
    await inShop(['patch', 'cm', 'files', '--type=merge', '-p', '{"immutable":true}'])
    const change = inShop(['patch', 'cm', 'files', '-p', '{"data":{"app.conf":"x"}}'])
    await expect(change).rejects.toThrow('field is immutable when `immutable` is set')
  }, 60_000)

  it('SK50 shows events in both groups', async () => {
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'seen' },
      eventTime: microTimestamp(realClock.now()),
      reportingController: 'example.com/c',
      reportingInstance: 'c-1',
      action: 'Binding',
      reason: 'Scheduled',
      regarding: { kind: 'ConfigMap', namespace: ns, name: 'files', apiVersion: 'v1' },
      note: 'It was bound',
      type: 'Normal',
    }
    await inShop(['create', '-f', '-'], event)
    const newer = await inShop(['get', 'events.v1.events.k8s.io'])
    expect(newer).toMatch(/LAST SEEN\s+TYPE\s+REASON.*\n.*Normal\s+Scheduled\s+ConfigMap\s+files\s+It was bound/)
    expect(await inShop(['events', '--for', 'configmap/files'])).toContain('It was bound')
    expect(await inShop(['describe', 'cm', 'files'])).toBeDefined()
  }, 60_000)

  it('SK20 no file of the data folder holds what the secrets hold', async () => {
    const all = readdirSync(plane.folder, { recursive: true, withFileTypes: true })
    const files = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    expect(files).toContain(join(plane.folder, 'control-plane.db'))
    const encoded = Buffer.from(PASSWORD).toString('base64').replaceAll('=', '')
    for (const name of files) {
      const bytes = await readFile(name)
      expect([name, bytes.includes(PASSWORD), bytes.includes(encoded)]).toEqual([name, false, false])
    }
    await plane.stop()
    await plane.start()
    expect(await inShop(['get', 'secret', 'plain', '-o', 'jsonpath={.data.password}'])).toContain(encoded)
  }, 60_000)
})
