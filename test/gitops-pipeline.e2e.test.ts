/** The pipeline's script with a real kubectl and a real control plane: what it prints, and how it ends. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const found = oldestAndNewest()
if (found.length === 0) test.skip('kubectl is not installed: nothing to test with')

type Item = { readonly metadata: { readonly name: string; readonly resourceVersion: string } }

describe.each(found)('%s', (kubectl) => {
  let plane: Plane
  let fleet: string
  beforeAll(async () => {
    plane = await Plane.create()
    await plane.start()
    fleet = await mkdtemp(path.join(tmpdir(), 'fleet-'))
    await cp(path.join(ROOT, 'examples/startup-xyz'), fleet, { recursive: true })
    // Tasks are made once and then move by themselves: a fleet's repository mostly holds what stands.
    await rm(path.join(fleet, 'work.yaml'))
  })
  afterAll(async () => {
    await plane.destroy()
    await rm(fleet, { recursive: true, force: true })
  })

  const script = (step: string): Promise<Run> =>
    runWith(path.join(ROOT, 'examples/gitops/ci/fleet.sh'), [step, fleet], {
      kubeconfig: path.join(plane.folder, 'kubeconfig'),
      home: plane.folder,
      env: { KUBECTL: kubectl },
      timeoutMs: 60_000,
    })

  const revisions = async (): Promise<readonly string[]> =>
    (await plane.list<Item>('tenants'))
      .concat(await plane.list<Item>('sprites'))
      .map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)

  test(`GH7 ${nameOf(kubectl)}: diff shows, apply applies, and the second apply changes nothing`, async () => {
    expect((await script('apply')).code).toBe(0)
    await plane.until('the fleet to settle', async () => {
      const before = await revisions()
      await new Promise<void>((resolve) => setImmediate(resolve))
      return (await settled(plane)) && before.join() === (await revisions()).join()
    })
    const before = await revisions()
    const same = await script('diff')
    expect(same).toMatchObject({ code: 0, out: '' })
    expect((await script('apply')).code).toBe(0)
    expect(await revisions()).toEqual(before)

    const file = path.join(fleet, 'sprites.yaml')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('spec:\n', 'spec:\n  idleTimeoutSeconds: 33\n'))
    const changed = await script('diff')
    expect(changed.code).toBe(1)
    expect(changed.out).toContain('+  idleTimeoutSeconds: 33')
    expect(await revisions()).toEqual(before)

    await writeFile(file, text.replace('agentType:', 'agentTyp:'))
    const wrong = await script('diff')
    expect(wrong.code).toBe(2)
    expect(wrong.err).toContain('agentTyp')
    await writeFile(file, text)
  })
})

type Sprite = { readonly status?: { readonly observedGeneration?: number; readonly phase?: string } }

const settled = async (plane: Plane): Promise<boolean> =>
  (await plane.list<Sprite>('sprites')).every(({ status }) =>
    ['Idle', 'Queued', 'Stopped'].includes(status?.phase ?? ''),
  )
