/** A control plane moves from its data folder into a cluster and back: a genuine custom-resource server, real sprites. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isAllOver, stateOf } from '../controller/assembly/fleet-state.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import type { Sprite } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind, type Work } from '../controller/kinds/work/schema.ts'
import { exampleOf, startFleet, type Fleet } from './cluster/fleet.ts'
import { openClusterFront, type ClusterFront } from './cluster/front.ts'
import { spritectl } from './e2e/cli-run.ts'
import { Plane } from './e2e/plane.ts'
import { hasRedisServer, RedisServer } from './e2e/redis-server.ts'
import { completed } from './e2e/workload.ts'
import { installKinds, ORACLE_URL, oracleAbsence, startOracle, type Oracle } from './oracle.ts'

const absence = oracleAbsence() ?? (hasRedisServer ? undefined : 'no redis-server')
const TENANTS = ['acme-corp', 'startup-xyz']
const GROUP = '/apis/sprites.highera.com/v1alpha1'
const MERGE = 'application/merge-patch+json'

describe.skipIf(absence !== undefined)(
  `moves into a cluster${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let oracle: Oracle
    let front: ClusterFront
    let redis: RedisServer
    let folder: string
    let plane: Plane
    let fleet: Fleet | undefined

    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), 'migrate-cluster-'))
      oracle = await startOracle()
      await installKinds(oracle, KINDS)
      front = await openClusterFront(ORACLE_URL)
      redis = await RedisServer.start()
      plane = await Plane.create('serve')
      await writeFile(path.join(folder, 'kubeconfig'), front.kubeconfig)
    }, 120_000)

    afterAll(async () => {
      await fleet?.stop()
      await plane?.destroy()
      await front?.stop()
      await redis?.destroy()
      await oracle?.stop()
      await rm(folder, { recursive: true, force: true })
    }, 60_000)

    test('TF7 with its machines stopped everything goes into a cluster, ends its work there, and comes back', async () => {
      await plane.start()
      for (const tenant of TENANTS)
        for (const manifest of await exampleOf(tenant)) {
          const { namespace } = manifest.metadata
          const plural = KINDS.find(({ kind }) => kind === manifest.kind)?.plural
          await plane.post(`${GROUP}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}`, manifest)
        }
      await plane.until('some work to be done', async () => completed(await plane.list<Work>('work')) >= 1)
      const settings = { KUBECONFIG: path.join(folder, 'kubeconfig'), REDIS_URL: redis.url }
      const move = ['migrate', '--from', `embedded:${plane.folder}`, '--to', 'cluster']
      await plane.stop()
      const early = await spritectl(move, settings)
      expect([early.code, early.stderr]).toEqual([1, expect.stringContaining('suspend its tenant')])

      await plane.start()
      const suspend = (isSuspended: boolean) => ({ spec: { suspend: isSuspended } })
      for (const tenant of TENANTS) await plane.ask('PATCH', `${GROUP}/tenants/${tenant}`, suspend(true), MERGE)
      await plane.until('no machine to run', async () =>
        (await plane.list<Sprite>('sprites')).every(
          ({ status }) => (status?.machine?.state ?? 'stopped') === 'stopped',
        ),
      )
      const before = await plane.list<Work>('work')
      await plane.stop()
      const there = await spritectl(move, settings)
      expect([there.stderr, there.code]).toEqual(['', 0])
      const again = await spritectl(move, settings)
      expect([again.stderr, again.code]).toEqual(['', 0])

      const { controlPlaneId, masterKey } = JSON.parse(await readFile(path.join(plane.folder, 'identity.json'), 'utf8'))
      const variables = { CONTROL_PLANE_ID: controlPlaneId, MASTER_KEY: masterKey, REDIS_URL: redis.url }
      fleet = await startFleet({ kubeconfig: front.kubeconfig, variables })
      for (const tenant of TENANTS)
        await oracle.send('PATCH', `${GROUP}/${tenantKind.plural}/${tenant}`, suspend(false), MERGE)
      const { plane: running } = fleet
      await vi.waitFor(() => expect(isAllOver(stateOf(running.manager.cache))).toBe(true), {
        timeout: 150_000,
        interval: 200,
      })
      const { items } = await running.client.list(workKind)
      expect(items.filter(({ status }) => status?.phase !== 'Completed').map(({ metadata }) => metadata.name)).toEqual(
        [],
      )
      for (const { metadata, status } of before.filter((one) => one.status?.phase === 'Completed'))
        expect(items.find((one) => one.metadata.name === metadata.name)?.status?.attempts).toEqual(status?.attempts)
      await fleet.stop()
      fleet = undefined

      const identity = { CONTROL_PLANE_ID: controlPlaneId, MASTER_KEY: masterKey }
      const back = path.join(folder, 'back')
      const home = await spritectl(['migrate', '--from', 'cluster', '--to', `embedded:${back}`], {
        ...settings,
        ...identity,
      })
      expect([home.stderr, home.code]).toEqual(['', 0])
      expect(home.stdout).toMatch(/^work\.\S+\s+\d+\s+0$/m)
    }, 280_000)
  },
)
