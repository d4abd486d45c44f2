/** Real kubectl against a real control plane: sprites as pods, their logs, and the definitions of our kinds. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Pod } from '../controller/views/pod-of.ts'
import { nameOf, oldestAndNewest, runWith } from './e2e/kubectl.ts'
import { killQuietly, Plane } from './e2e/plane.ts'

const GROUP = '/apis/sprites.highera.com/v1alpha1'
const PODS = '/api/v1/namespaces/startup/pods'
const found = oldestAndNewest()
if (found.length === 0) it.skip('kubectl is not installed: nothing to test with')

const writer = 'writer'
const object = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  spec,
})

let plane: Plane
beforeAll(async () => {
  plane = await Plane.create()
  await plane.start()
  await plane.post(`${GROUP}/tenants`, object('Tenant', 'startup', { displayName: 'Startup', plan: 'starter' }))
  const inRoom = `${GROUP}/namespaces/startup`
  const sprite = { agentType: 'copywriter', runPolicy: 'Always' }
  await plane.post(`${inRoom}/sprites`, object('Sprite', writer, sprite, 'startup'))
  const work = { type: 'write_copy', agentType: 'copywriter', description: 'Write the announcement' }
  await plane.post(`${inRoom}/work`, object('Work', 'task', work, 'startup'))
  await plane.until('the sprite to be at work', async () => (await log()).includes('"msg":"claimed"'), 40_000)
})
afterAll(() => plane.destroy())

const log = async (): Promise<string> => (await plane.ask('GET', `${PODS}/${writer}/log`)).text

/** Runs kubectl in the namespace of a tenant, expects this end of it, and gives what it printed. */
async function run(kubectl: string, args: string, isRefused = false): Promise<string> {
  const kubeconfig = join(plane.folder, 'kubeconfig')
  const all = ['--namespace', 'startup', ...args.split(' ')]
  const { code, out, err } = await runWith(kubectl, all, { kubeconfig, home: plane.folder })
  expect(code !== 0, `kubectl ${args}\n${out}${err}`).toBe(isRefused)
  return out + err
}

describe.each(found.map((kubectl) => [nameOf(kubectl), kubectl] as const))('%s', (_name, kubectl) => {
  const ok = (args: string): Promise<string> => run(kubectl, args)
  const refused = (args: string): Promise<string> => run(kubectl, args, true)

  it('VW25 prints, describes, selects and waits for pods', async () => {
    const rows = await ok('get pods -o wide')
    expect(rows).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE/)
    expect(rows).toMatch(new RegExp(`^${writer} +1/1 +Running +0 +\\d+\\w* +<none> +\\w+`, 'm'))
    expect(await ok(`describe pod ${writer}`)).toContain(`Controlled By:  Sprite/${writer}`)
    expect(await ok('get po -l app.kubernetes.io/name=sprite --field-selector status.phase=Running -o name')).toContain(
      `pod/${writer}`,
    )
    await ok(`wait --for=condition=Ready pod/${writer} --timeout=20s`)
    await ok('explain pods.status.containerStatuses')
    expect(await refused(`delete pod ${writer}`)).toContain('pods take get, list, watch')
  })

  it('VW30 VW31 VW33 prints logs: all, the last lines, since, with timestamps, of a selector, of the machine before', async () => {
    const all = await ok(`logs ${writer}`)
    expect(all.split('\n')[0]).toContain('"level":"info"')
    expect((await ok(`logs ${writer} --tail=2`)).trimEnd().split('\n')).toHaveLength(2)
    expect(await ok(`logs ${writer} --since-time=2100-01-01T00:00:00Z`)).toBe('')
    expect(await ok(`logs ${writer} --since=1h`)).toContain('"msg":"claimed"')
    expect(await ok(`logs ${writer} --timestamps --tail=1`)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z \{/)
    expect(await ok(`logs ${writer} --limit-bytes=10`)).toBe(all.slice(0, 10))
    expect(await ok('logs -l app.kubernetes.io/name=sprite --prefix --tail=1')).toContain(`[pod/${writer}/sprite] {`)
    expect(await refused(`logs ${writer} --previous`)).toContain('previous terminated container "sprite"')
    expect(await refused(`logs ${writer} -c web`)).toContain('container web is not valid')
  })

  it('VW10 VW13 VW14 takes crds/ from a repository, and finds nothing to do', async () => {
    const applied = await ok('apply -f crds/')
    expect(applied).toContain('sprites.sprites.highera.com unchanged')
    expect(applied).not.toMatch(/configured|Warning/)
    expect(await ok('apply --server-side -f crds/')).not.toContain('Warning')
    await ok('diff -f crds/')
    await ok('wait --for=condition=Established crd/sprites.sprites.highera.com --timeout=20s')
    expect(await ok('get crds')).toContain('sprites.sprites.highera.com')
    await ok('explain crd.spec.versions')
    expect(await refused('create -f crds/plans.sprites.highera.com.yaml')).toContain('AlreadyExists')
    expect(await refused('delete -f crds/plans.sprites.highera.com.yaml')).toContain('MethodNotAllowed')
  })

  it('VW5 tells where the control plane runs', async () => {
    expect(await ok('cluster-info')).toContain('Kubernetes control plane')
  })
})

it('VW23 VW33 a machine that was killed is another pod, and its log is that of the machine before', async () => {
  const [kubectl] = found
  if (kubectl === undefined) return
  const before = await plane.get<Pod>(`${PODS}/${writer}`)
  for (const { pid, sprite } of await plane.sprites()) if (sprite === writer) killQuietly(pid)
  await plane.until('another machine to be ready', async () => {
    const { metadata, status } = await plane.get<Pod>(`${PODS}/${writer}`)
    return metadata.uid !== before.metadata.uid && status?.containerStatuses[0]?.ready === true
  })
  expect(await run(kubectl, `get pod ${writer}`)).toMatch(new RegExp(`^${writer} +1/1 +Running +1 `, 'm'))
  expect(await run(kubectl, `logs ${writer} --previous`)).toContain('"msg":"claimed"')
  expect(await run(kubectl, `logs ${writer}`)).not.toContain('"msg":"claimed"')
})

it('VW32 kubectl logs -f ends by itself when the machine has ended', async () => {
  const [kubectl] = found
  if (kubectl === undefined) return
  const followed = run(kubectl, `logs -f ${writer}`)
  await run(kubectl, `patch sprite ${writer} --type=merge -p {"spec":{"runPolicy":"Stopped"}}`)
  expect(await followed).toContain('"msg":"announced"')
  const { status } = await plane.get<Pod>(`${PODS}/${writer}`)
  expect(status?.phase).toBe('Succeeded')
})
