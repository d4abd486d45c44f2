/** Real kubectl against a whole control plane: writes say what they set off, and none says it twice. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'

const KUBECTLS = oldestAndNewest()

const object = (kind: string, name: string, spec: object, namespace?: string): string =>
  JSON.stringify({
    apiVersion: 'sprites.highera.com/v1alpha1',
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec,
  })

/** What the server says; of its own annotation kubectl warns by itself. */
const warningsOf = ({ err }: Run): readonly string[] =>
  err.split('\n').filter((line) => line.startsWith('Warning: ') && !line.includes('last-applied-configuration'))

describe.skipIf(KUBECTLS.length === 0)(`forecasts${KUBECTLS.length === 0 ? ' (skipped: no kubectl)' : ''}`, () => {
  let plane: Plane

  beforeAll(async () => {
    plane = await Plane.create()
    await plane.start()
    const [kubectl = ''] = KUBECTLS
    const options = { kubeconfig: join(plane.folder, 'kubeconfig'), home: plane.folder, timeoutMs: 60_000 }
    const tenant = object('Tenant', 'fc', { displayName: 'FC', plan: 'starter' })
    await runWith(kubectl, ['apply', '-f', '-'], { ...options, input: tenant })
    await runWith(kubectl, ['wait', '--for=condition=Ready', 'tenant/fc', '--timeout=60s'], options)
  }, 120_000)

  afterAll(() => plane.destroy())

  it.each(KUBECTLS.map((kubectl) => [nameOf(kubectl), kubectl] as const))(
    'FC1 %s prints the warnings of apply, dry run and delete; a second apply has none',
    async (version, kubectl) => {
      const ask = (args: readonly string[], input = ''): Promise<Run> =>
        runWith(kubectl, ['-n', 'fc', ...args], {
          kubeconfig: join(plane.folder, 'kubeconfig'),
          home: plane.folder,
          input,
        })
      const name = version.replaceAll('.', '-')
      const sprite = object('Sprite', name, { agentType: 'copywriter' }, 'fc')
      const asleep = ['Warning: No machine is made until work comes: 0 of 2 machines of plan "starter" are running']
      expect(warningsOf(await ask(['apply', '--dry-run=server', '-f', '-'], sprite))).toEqual(asleep)
      expect(warningsOf(await ask(['apply', '-f', '-'], sprite))).toEqual(asleep)
      const again = await ask(['apply', '-f', '-'], sprite)
      expect([again.out, again.err]).toEqual([`sprite.sprites.highera.com/${name} unchanged\n`, ''])
      const always = object('Sprite', name, { agentType: 'copywriter', runPolicy: 'Always' }, 'fc')
      const serverSide = ['apply', '--dry-run=server', '--server-side', '--force-conflicts', '-f', '-']
      expect(warningsOf(await ask(serverSide, always))).toEqual([
        'Warning: 1 machine will be created: 1 of 2 machines of plan "starter" is then running',
      ])
      const work = object('Work', `${name}-lost`, { type: 'a', description: 'd', agentType: 'editor' }, 'fc')
      expect(warningsOf(await ask(['create', '--dry-run=server', '-f', '-'], work))).toEqual([
        'Warning: No sprite of agent type "editor" is declared: it waits until there is one',
      ])
      expect(warningsOf(await ask(['label', 'sprite', name, 'a=b']))).toEqual([])
      const everything = warningsOf(await ask(['delete', 'tenant', 'fc', '--dry-run=server']))
      expect(everything.at(-1)).toMatch(/^Warning: Everything of tenant "fc" will be deleted: .*1 sprite/)
      expect(warningsOf(await ask(['delete', 'sprite', name]))).toEqual([])
    },
    60_000,
  )
})
