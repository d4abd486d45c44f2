/** kubectl itself builds the plain manifests of the chart. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { KINDS } from '../controller/kinds/kinds.ts'
import { oldestAndNewest, runWith } from './e2e/kubectl.ts'

const kubectls = oldestAndNewest()

test.skipIf(kubectls.length === 0)(
  'CH9 kubectl kustomize builds every manifest (skipped where there is no kubectl)',
  async () => {
    const root = path.resolve(import.meta.dirname, '..')
    for (const kubectl of kubectls) {
      const built = await runWith(kubectl, ['kustomize', path.join(root, 'charts')], {
        kubeconfig: '/dev/null',
        home: root,
      })
      expect(built).toMatchObject({ code: 0, err: '' })
      expect(built.out.match(/^kind: CustomResourceDefinition$/gm)).toHaveLength(KINDS.length)
      expect(built.out).toContain('kind: Deployment')
    }
  },
)
