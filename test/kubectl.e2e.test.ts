/** Real kubectl, from the oldest version to the newest, against the server on https with the local CA. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resourceOf } from '../controller/api/resource-of.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { createRegistry } from '../controller/registry/create-registry.ts'
import { ensureCertificates } from '../controller/server/certificates.ts'
import { writeKubeconfig } from '../controller/server/kubeconfig.ts'
import { createApiServer } from '../controller/server/server.ts'
import { createTokenSet, mintToken } from '../controller/server/tokens.ts'
import { createMemoryStore } from '../controller/store/memory.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { createMetrics } from '../system/metrics.ts'
import { matrix, runWith } from './e2e/kubectl.ts'

const found = matrix()
if (found.length === 0) it.skip('kubectl is not installed: nothing to test with')

type Run = { readonly code: number; readonly out: string }
type World = {
  readonly folder: string
  readonly server: string
  readonly caCert: string
  /** Runs kubectl with the kubeconfig; `input` goes to its standard input. */
  readonly k: (args: readonly string[], input?: object) => Promise<Run>
  readonly close: () => Promise<void>
}

async function start(kubectl: string): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'kubectl-'))
  const ports = { clock: realClock, entropy: realEntropy }
  const registry = createRegistry({
    ...ports,
    store: createMemoryStore(),
    resources: [...CORE_RESOURCES, ...KINDS.map((kind) => resourceOf(kind))],
    builtinAgentTypes: new Set(['copywriter', 'editor']),
  })
  const { token, record } = mintToken({ name: 'admin', groups: ['system:masters'] }, realEntropy)
  const authenticate = createTokenSet([record]).authenticate
  const api = createApiServer({ ...ports, registry, authenticate, log: silentLog, metrics: createMetrics() })
  const { caCert, cert, key } = await ensureCertificates({ ...ports, folder })
  const { httpsPort } = await api.listen({ https: { host: '127.0.0.1', port: 0, cert, key } })
  const server = `https://127.0.0.1:${httpsPort}`
  await writeKubeconfig(join(folder, 'kubeconfig'), { server, caCert, token, namespace: 'acme' })
  const k: World['k'] = async (args, input) => {
    const { code, out, err } = await runWith(kubectl, args, {
      kubeconfig: join(folder, 'kubeconfig'),
      home: folder,
      ...(input === undefined ? {} : { input: JSON.stringify(input) }),
    })
    return { code, out: out + err }
  }
  const close = async (): Promise<void> => {
    await api.close({ graceMs: 100 })
    await rm(folder, { recursive: true, force: true })
  }
  return { folder, server, caCert, k, close }
}

const sprite = (name: string, spec: object = {}, metadata: object = {}): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata: { name, namespace: 'acme', ...metadata },
  spec: { agentType: 'copywriter', ...spec },
})

const READY = {
  status: {
    // kubectl wait believes no condition while the status speaks for an older generation.
    observedGeneration: 1_000,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Test', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
  },
}

describe.each(found)('%s', (kubectl) => {
  let world: World
  beforeAll(async () => {
    world = await start(kubectl)
  })
  afterAll(() => world.close())

  /** Runs kubectl, expects success and gives the output. */
  const ok = async (args: string, input?: object): Promise<string> => {
    const { code, out } = await world.k(args.split(' '), input)
    expect(`${code} ${out}`).toMatch(/^0 /)
    return out
  }
  /** Runs kubectl, expects failure and gives the output. */
  const fails = async (args: string, input?: object): Promise<string> => {
    const { code, out } = await world.k(args.split(' '), input)
    expect(`${code} ${out}`).toMatch(/^[1-9]/)
    return out
  }

  it('SV9 discovers the kinds and the version', async () => {
    expect(await ok('version')).toContain('Server Version')
    expect(await ok('api-resources')).toMatch(/sprites +spr +sprites\.highera\.com\/v1alpha1 +true +Sprite/)
    expect(await ok('api-versions')).toContain('sprites.highera.com/v1alpha1')
  })

  it('SV5 makes a namespace, by protobuf from 1.32 on', async () => {
    expect(await ok(`create namespace acme`)).toContain('created')
    expect(await ok('get ns acme')).toContain('Active')
  })

  it('SV2 creates, reads and prints objects', async () => {
    expect(await ok(`create -f -`, sprite('a', {}, { labels: { app: 'x' } }))).toContain(
      'sprite.sprites.highera.com/a created',
    )
    expect(await ok(`create -f -`, sprite('b', { agentType: 'editor' }))).toContain('created')
    expect(await ok('get sprites')).toMatch(/^NAME +AGENT +PHASE +READY +PROJECT +TASK +AGE\na +copywriter/)
    expect(await ok('get spr -A -o wide')).toMatch(/^NAMESPACE +NAME .*MACHINE/)
    expect(await ok('get sprite a -o yaml')).toContain('apiVersion: sprites.highera.com/v1alpha1')
    expect(await ok('get fleet -o name')).toContain('sprite.sprites.highera.com/a')
  })

  it('SV3 selects by label and field, and pages', async () => {
    expect(await ok('get sprites -l app=x -o name')).toBe('sprite.sprites.highera.com/a\n')
    expect(await ok('get sprites --field-selector spec.agentType=editor -o name')).toBe(
      'sprite.sprites.highera.com/b\n',
    )
    expect(await fails('get sprites --field-selector spec.zzz=1')).toContain('field label not supported')
    expect((await ok('get sprites --chunk-size=1 -o name')).trim().split('\n')).toHaveLength(2)
  })

  it('SV6 reports what is wrong in kubectl’s own words', async () => {
    expect(await fails('get sprite zzz')).toContain('sprites.sprites.highera.com "zzz" not found')
    expect(await fails(`create -f -`, sprite('a'))).toContain('already exists')
    expect(await fails(`create -f -`, sprite('c', { runPolicy: 'Sometimes' }))).toContain('spec.runPolicy')
    expect(await fails('create -f -', sprite('c', { zzz: 1 }))).toContain(
      'strict decoding error: unknown field "spec.zzz"',
    )
    const other = { ...sprite('c', {}, { namespace: 'nowhere' }) }
    expect(await fails(`create -n nowhere -f -`, other)).toContain('namespaces "nowhere" not found')
  })

  it('SV5 applies from the client, and again without a change', async () => {
    expect(await ok('apply -f -', sprite('d', { idleTimeoutSeconds: 10 }))).toContain('created')
    expect(await ok('apply -f -', sprite('d', { idleTimeoutSeconds: 10 }))).toContain('unchanged')
    expect((await world.k(['diff', '-f', '-'], sprite('d', { idleTimeoutSeconds: 11 }))).code).toBe(1)
    expect(await ok('apply -f -', sprite('d', { idleTimeoutSeconds: 11 }))).toContain('configured')
    expect(await ok('apply -f -', sprite('d'))).toContain('configured')
    expect(await ok('get sprite d -o jsonpath={.spec.idleTimeoutSeconds}')).toBe('')
  })

  it('SV5 patches, labels, annotates and replaces', async () => {
    expect(await ok('patch sprite a --type=merge -p {"spec":{"idleTimeoutSeconds":20}}')).toContain('patched')
    expect(await ok('patch sprite a --type=merge -p {"spec":{"idleTimeoutSeconds":20}}')).toContain('no change')
    expect(await ok('patch sprite a --type=json -p [{"op":"remove","path":"/spec/idleTimeoutSeconds"}]')).toContain(
      'patched',
    )
    expect(await fails('patch sprite a -p {"spec":{"idleTimeoutSeconds":20}}')).toContain('is not supported')
    expect(await ok('label sprite a team=red')).toContain('labeled')
    expect(await ok('annotate sprite a note=hello')).toMatch(/annotated?\n$/)
    const live = JSON.parse(await ok('get sprite a -o json')) as Record<string, object>
    expect(await ok(`replace -f -`, { ...live, spec: { ...live['spec'], idleTimeoutSeconds: 30 } })).toContain(
      'replaced',
    )
    expect(await fails(`replace -f -`, { ...live, spec: { ...live['spec'], idleTimeoutSeconds: 40 } })).toContain(
      'Conflict',
    )
  })

  it('SV10 explains kinds and fields', async () => {
    expect(await ok('explain sprites')).toMatch(/KIND: +Sprite/)
    expect(await ok('explain sprites.spec.idleTimeoutSeconds')).toContain('seconds')
    expect(await fails('explain sprites.spec.zzz')).toContain('does not exist')
  })

  it('SV7 watches a change', async () => {
    const watching = world.k(['get', 'sprites', '-w', '--output-watch-events', '--request-timeout=4s'])
    await realClock.sleep(1_500)
    await ok('patch sprite b --type=merge -p {"spec":{"idleTimeoutSeconds":50}}')
    await ok(`create -f -`, sprite('w'))
    await ok('delete sprite w --wait=false')
    const { out } = await watching
    expect(out).toMatch(/MODIFIED +b[^]*ADDED +w[^]*DELETED +w/)
  })

  it('SV7 waits for a condition that comes later, and for a deletion', async () => {
    const waiting = world.k(['wait', '--for=condition=Ready', 'sprite/a', '--timeout=20s'])
    const status = JSON.stringify(READY)
    expect((await world.k(['patch', 'sprite', 'a', '--subresource=status', '--type=merge', '-p', status])).code).toBe(0)
    expect((await waiting).out).toContain('condition met')
    const gone = world.k(['wait', '--for=delete', 'sprite/b', '--timeout=20s'])
    await realClock.sleep(500)
    expect(await ok('delete sprite b')).toContain('deleted')
    expect((await gone).code).toBe(0)
  })

  it('SV2 describes an object with its events', async () => {
    const uid = await ok('get sprite a -o jsonpath={.metadata.uid}')
    const involvedObject = {
      apiVersion: 'sprites.highera.com/v1alpha1',
      kind: 'Sprite',
      name: 'a',
      namespace: 'acme',
      uid,
    }
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'a.1', namespace: 'acme' },
      involvedObject,
      reason: 'Tested',
      message: 'hello',
      type: 'Normal',
      count: 1,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      source: { component: 'test' },
    }
    await ok(`create -f -`, event)
    expect(await ok('describe sprite a')).toMatch(/Events:[^]*Tested/)
    expect(await ok('get events')).toContain('Tested')
    expect(await ok('events --for sprite/a')).toContain('Tested')
  })

  it('SV2 deletes, waiting until a finalizer lets go', async () => {
    await ok('patch sprite a --type=merge -p {"metadata":{"finalizers":["test.io/hold"]}}')
    expect(await fails('delete sprite a --timeout=1s')).toContain('timed out')
    const deleting = world.k(['delete', 'sprite', 'a', '--timeout=20s'])
    await realClock.sleep(500)
    await ok('patch sprite a --type=merge -p {"metadata":{"finalizers":null}}')
    expect((await deleting).code).toBe(0)
    expect(await fails('get sprite a')).toContain('not found')
    await ok('delete sprites --all')
    expect(await ok('get sprites')).toContain('No resources found')
  })

  it('SV11 takes the token and nothing less', async () => {
    expect(await ok('auth can-i create sprites')).toContain('yes')
    const ca = join(world.folder, 'ca.crt')
    await writeFile(join(world.folder, 'empty'), '')
    const bare = ['--kubeconfig', join(world.folder, 'empty'), '--server', world.server, '--certificate-authority', ca]
    const wrong = await world.k([...bare, '--token=sprt_wrong', 'get', 'sprites', '-A'])
    expect(wrong.code).not.toBe(0)
    expect(wrong.out).toMatch(/Unauthorized|logged in/)
    const strange = await world.k([
      '--kubeconfig',
      join(world.folder, 'empty'),
      '--server',
      world.server,
      '--token=x',
      'get',
      'sprites',
    ])
    expect(strange.out).toMatch(/certificate/)
  })

  it('AP6 AP8 AP14 applies on the server: again, in conflict, by force, and after client-side apply', async () => {
    await ok('apply -f -', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'acme' } })
    expect(await ok('apply --server-side -f -', sprite('ssa'))).toContain('serverside-applied')
    const version = await ok('get sprite ssa -o jsonpath={.metadata.resourceVersion}')
    expect(await ok('apply --server-side -f -', sprite('ssa'))).toContain('serverside-applied')
    expect(await ok('get sprite ssa -o jsonpath={.metadata.resourceVersion}')).toBe(version)
    const changed = sprite('ssa', { idleTimeoutSeconds: 9 })
    await ok('apply --server-side --field-manager=other -f -', changed)
    const other = sprite('ssa', { idleTimeoutSeconds: 8 })
    expect(await fails('apply --server-side -f -', other)).toContain('conflict with "other": .spec.idleTimeoutSeconds')
    await ok('apply --server-side --force-conflicts -f -', other)
    expect(await ok('get sprite ssa --show-managed-fields -o yaml')).toContain('operation: Apply')
    // What client-side apply set is kubectl's own: it moves to server-side apply without a conflict.
    await ok('apply -f -', sprite('moved', { idleTimeoutSeconds: 5 }))
    await ok('apply --server-side -f -', sprite('moved', { idleTimeoutSeconds: 6 }))
    await ok('apply --server-side -f -', sprite('moved'))
    expect(await ok('get sprite moved -o jsonpath={.spec.idleTimeoutSeconds}')).toBe('')
    expect(await ok('apply --server-side --dry-run=server -f -', sprite('dry'))).toContain('serverside-applied')
    expect(await fails('get sprite dry')).toContain('NotFound')
    await ok('delete sprite ssa moved')
  })
})
