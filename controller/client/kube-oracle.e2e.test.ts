/** The kube client keeps the Client contract over a genuine Kubernetes server, as far as our own kinds go. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock } from '../../system/clock.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { planKind } from '../kinds/plan/schema.ts'
import { reviewKind } from '../kinds/review/schema.ts'
import { userKind } from '../kinds/user/schema.ts'
import { installKinds, ORACLE_URL, oracleAbsence, startOracle, type Oracle } from '../../test/oracle.ts'
import { clientContract } from './contract.ts'
import { createKubeClient } from './kube.ts'
import { layWire } from '../../test/e2e/wire.ts'

const KINDS = [userKind, reviewKind, planKind]
const absence = oracleAbsence()
const started = { count: 0 }

describe.skipIf(absence !== undefined)(`the oracle${absence === undefined ? '' : ` (skipped: ${absence})`}`, () => {
  let oracle: Oracle

  beforeAll(async () => {
    oracle = await startOracle()
    await installKinds(oracle, KINDS)
  })

  afterAll(async () => {
    await oracle?.stop()
  })

  it('CL9 is up, and serves the kinds of the contract', async () => {
    expect((await oracle.send('GET', `/apis/${userKind.apiVersion}/users`)).code).toBe(200)
  })

  clientContract('kube over the oracle', async () => {
    const wire = await layWire(Number(new URL(ORACLE_URL).port))
    const cluster = { server: `http://127.0.0.1:${wire.port}`, 'insecure-skip-tls-verify': true }
    const text = JSON.stringify({
      'current-context': 'o',
      clusters: [{ name: 'o', cluster }],
      users: [{ name: 'o', user: {} }],
      contexts: [{ name: 'o', context: { cluster: 'o', user: 'o' } }],
    })
    const client = createKubeClient({
      config: { from: 'Text', text },
      fieldManager: 'test',
      clock: realClock,
      entropy: seededEntropy(7),
    })
    started.count += 1
    return {
      client,
      // The oracle has no namespaces of its own: any name will do.
      namespace: `contract-${started.count}`,
      interrupt: wire.cut,
      dispose: async () => {
        await client.close()
        await wire.close()
      },
    }
  })
})
