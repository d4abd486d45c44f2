/** The same controllers over a genuine Kubernetes custom-resource server: the example tenants run to the end there. */
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isAllOver, stateOf } from '../controller/assembly/fleet-state.ts'
import { SYSTEM_NAMESPACE } from '../controller/api/namespaces.ts'
import type { KubeObject } from '../controller/api/object.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { planKind } from '../controller/kinds/plan/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind } from '../controller/kinds/work/schema.ts'
import { CORE_RESOURCES, namespaceResource } from '../controller/registry/core.ts'
import { chartScope, renderedChart } from '../scripts/chart-files.ts'
import { realClock } from '../system/clock.ts'
import { openClusterFront, type ClusterFront } from './cluster/front.ts'
import { exampleOf, startFleet, type Fleet } from './cluster/fleet.ts'
import { askedOf, isAllowedBy, type RightsRole } from './cluster/rights.ts'
import { hasRedisServer, RedisServer } from './e2e/redis-server.ts'
import { installKinds, ORACLE_URL, oracleAbsence, startOracle, type Oracle } from './oracle.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const absence = oracleAbsence()
const TENANTS = ['acme-corp', 'startup-xyz']
const TENANT_PATH = `/apis/${tenantKind.apiVersion}/${tenantKind.plural}`
const RUN_MS_MAX = 100_000
const resourceNamed = (kind: string) => CORE_RESOURCES.find((one) => one.kind === kind) ?? namespaceResource

describe.skipIf(absence !== undefined)(
  `controllers over a cluster${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let oracle: Oracle
    let front: ClusterFront
    let fleet: Fleet

    beforeAll(async () => {
      oracle = await startOracle()
      await installKinds(oracle, KINDS)
      front = await openClusterFront(ORACLE_URL)
      fleet = await startFleet({ kubeconfig: front.kubeconfig })
    }, 90_000)

    afterAll(async () => {
      await fleet?.stop()
      await front?.stop()
      await oracle?.stop()
    }, 60_000)

    const until = (holds: () => Promise<void> | void, timeout = RUN_MS_MAX): Promise<void> =>
      vi.waitFor(holds, { timeout, interval: 200 })

    test('KC6 the example tenants run to the end', { timeout: RUN_MS_MAX + 20_000 }, async () => {
      for (const tenant of TENANTS)
        for (const manifest of await exampleOf(tenant)) {
          const { namespace, name } = manifest.metadata
          const where = namespace === undefined ? '' : `/namespaces/${namespace}`
          const plural = KINDS.find(({ kind }) => kind === manifest.kind)?.plural
          const { code, body } = await oracle.send('POST', `/apis/${manifest.apiVersion}${where}/${plural}`, manifest)
          expect(`${name} ${code} ${body.message ?? ''}`).toBe(`${name} 201 `)
        }
      const startedAtMs = realClock.monotonic()
      await until(() => {
        const state = stateOf(fleet.plane.manager.cache)
        expect(state.tenants.map(({ metadata }) => metadata.name).sort()).toEqual(TENANTS)
        expect(state.work.length).toBeGreaterThan(3)
        expect(isAllOver(state)).toBe(true)
      })
      const { items } = await fleet.plane.client.list(workKind)
      expect(items.map(({ status }) => status?.phase).filter((phase) => phase !== 'Completed')).toEqual([])
      console.log(
        `examples on the oracle: ${items.length} works in ${Math.round(realClock.monotonic() - startedAtMs)} ms`,
      )
      expect((await fleet.plane.client.list(planKind)).items).toHaveLength(3)
    })

    test('KC2 events of the run lie in the tenants’ namespaces', async () => {
      const event = resourceNamed('Event')
      await until(async () => {
        for (const namespace of TENANTS)
          expect((await front.core.list(event, { namespace })).items.length).toBeGreaterThan(2)
      }, 10_000)
    })

    test('KC3 the lease is held, with times to the microsecond', async () => {
      const lease = (await front.core.get(resourceNamed('Lease'), {
        namespace: SYSTEM_NAMESPACE,
        name: 'sprites-controller',
      })) as KubeObject<{ holderIdentity: string; renewTime: string }>
      expect(lease.spec.holderIdentity).not.toBe('')
      expect(lease.spec.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
      expect(fleet.losses()).toBe(0)
    })

    test('KC5 no Secret is listed or watched, and no object of the cluster is served', async () => {
      expect(front.asked.filter((line) => /\/secrets(\?|$)/.test(line))).toEqual([])
      const answer = await fetch(`${httpUrlOf(fleet)}/apis/sprites.highera.com/v1alpha1/sprites`)
      expect(answer.status).toBe(404)
      expect((await fetch(`${httpUrlOf(fleet)}/readyz`)).status).toBe(200)
    })

    test('KC4 a tenant that is deleted goes with its namespace', { timeout: 60_000 }, async () => {
      const key = { namespace: '', name: 'startup-xyz' }
      const namespace = await front.core.get(namespaceResource, key)
      expect(namespace.metadata.labels).toMatchObject({ 'sprites.highera.com/tenant': 'startup-xyz' })
      expect(namespace.metadata.ownerReferences).toMatchObject([{ kind: 'Tenant', name: 'startup-xyz' }])
      await oracle.send('DELETE', `${TENANT_PATH}/${key.name}`)
      await until(async () => {
        await expect(fleet.plane.client.get(tenantKind, key)).rejects.toMatchObject({ reason: 'NotFound' })
        await expect(front.core.get(namespaceResource, key)).rejects.toMatchObject({ reason: 'NotFound' })
      }, 50_000)
    })

    test('KC4 a namespace that was there before is neither taken nor deleted', { timeout: 60_000 }, async () => {
      const context = { actor: { name: 'admin', groups: ['system:masters'] } }
      const key = { namespace: '', name: 'monitoring' }
      await front.core.create(namespaceResource, '', { metadata: { name: 'monitoring' } }, context)
      const spec = { plan: 'starter', displayName: 'Monitoring' }
      const { apiVersion, kind } = tenantKind
      await oracle.send('POST', TENANT_PATH, { apiVersion, kind, metadata: { name: 'monitoring' }, spec })
      await until(async () => {
        const { metadata, status } = await fleet.plane.client.get(tenantKind, key)
        expect(metadata.finalizers).toHaveLength(1)
        expect(status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ reason: 'NamespaceTaken' })
      }, 10_000)
      await oracle.send('DELETE', `${TENANT_PATH}/${key.name}`)
      await until(async () => {
        await expect(fleet.plane.client.get(tenantKind, key)).rejects.toMatchObject({ reason: 'NotFound' })
      }, 50_000)
      expect((await front.core.get(namespaceResource, key)).metadata.deletionTimestamp).toBeUndefined()
    })

    test('KC10 the rights of the chart allow every request that was made', async () => {
      const roles = [...renderedChart(ROOT, chartScope(ROOT)).values()].flatMap((text) =>
        parseAllDocuments(text).map((document) => document.toJS() as RightsRole),
      )
      const asked = [...new Set(front.asked.flatMap((line) => JSON.stringify(askedOf(line) ?? line)))]
      expect(asked.length).toBeGreaterThan(50)
      expect(asked.filter((one) => !isAllowedBy(roles, JSON.parse(one)))).toEqual([])
    })

    test('KC3 another process stands by, and leads when the first one ends', { timeout: 60_000 }, async () => {
      const abort = new AbortController()
      let isLeading = false
      const before = front.asked.length
      const second = startFleet({ kubeconfig: front.kubeconfig, signal: abort.signal }).then((started) => {
        isLeading = true
        return started
      })
      try {
        // Of so many more looks at the lease, the first process alone has not had the time.
        const looks = (): number => front.asked.filter((line) => /GET .*\/leases\//.test(line)).length
        await until(() => expect(front.asked.slice(before).some((line) => /\/accesstokens/.test(line))).toBe(true))
        const seen = looks()
        await until(() => expect(looks()).toBeGreaterThan(seen + 4))
        expect(isLeading).toBe(false)
        await fleet.stop()
        const leader = await second
        const key = { namespace: '', name: 'starter' }
        await until(() => expect(leader.plane.manager.cache.get(planKind, key)).toBeDefined(), 10_000)
      } finally {
        abort.abort(new Error('The test is over'))
        await second.then(
          (started) => started.stop(),
          () => undefined,
        )
      }
    })

    test.skipIf(!hasRedisServer)(
      'KC3 with a common Redis two processes share the tenants (skipped where there is no redis-server)',
      { timeout: 90_000 },
      async () => {
        const redis = await RedisServer.start()
        const fleets: Fleet[] = []
        try {
          const variables = { REDIS_URL: redis.url, CONTROL_PLANE_ID: 'cp-0123456789ab' }
          const shared = { kubeconfig: front.kubeconfig, variables: { ...variables, MASTER_KEY: 'ab'.repeat(32) } }
          fleets.push(await startFleet(shared), await startFleet(shared))
          await until(async () => {
            const { items } = await front.core.list(resourceNamed('Lease'), { namespace: SYSTEM_NAMESPACE })
            const shards = items.filter(({ metadata }) => metadata.name.includes('-shard-'))
            const holders = shards.map(({ spec }) => (spec as { holderIdentity?: string }).holderIdentity)
            expect(shards).toHaveLength(32)
            expect(new Set(holders).size).toBe(2)
          }, 60_000)
        } finally {
          for (const one of fleets) await one.stop()
          await redis.destroy()
        }
      },
    )
  },
)

const httpUrlOf = (fleet: Fleet): string => (fleet.plane as { readonly httpUrl: string }).httpUrl
