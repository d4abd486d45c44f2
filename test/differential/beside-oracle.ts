/** A block of tests over our server and a genuine Kubernetes one, both empty but for our kinds. */
import { afterAll, beforeAll, describe } from 'vitest'
import { literalServer, makeNamespace, type TestServer } from '../../controller/server/testing.ts'
import { KINDS } from '../../controller/kinds/kinds.ts'
import { installKinds, oracleAbsence, startOracle, type Oracle } from '../oracle.ts'

/**
 * Describes tests that ask both servers, which start before the first and end after the last; skipped, with the reason
 * in the title, where there is no oracle. `tests` gets our server as a function: there is none before they run.
 */
export function describeBesideOracle(title: string, tests: (server: () => TestServer) => void): void {
  const absence = oracleAbsence()
  const skipped = absence === undefined ? '' : ` (skipped: ${absence})`
  describe.skipIf(absence !== undefined)(`${title}${skipped}`, () => {
    let oracle: Oracle
    let server: TestServer

    beforeAll(async () => {
      oracle = await startOracle()
      server = literalServer()
      await makeNamespace(server)
      await installKinds(oracle, KINDS)
    })

    afterAll(async () => {
      await oracle?.stop()
    })

    tests(() => server)
  })
}
