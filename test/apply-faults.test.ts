/** Plants faults in our apply code and shows that the differential run sees each: a healthy server of ours is the judge. */
import { afterEach, expect, it, vi } from 'vitest'
import type * as ApplyConfig from '../controller/api/apply/apply-config.ts'
import type * as Managers from '../controller/api/apply/managers.ts'
import type * as Ownership from '../controller/api/apply/ownership.ts'
import type * as Prune from '../controller/api/apply/prune.ts'
import { makeNamespace, literalServer } from '../controller/server/testing.ts'
import { runApplies, type ApplyReport } from './differential/apply-run.ts'
import { planted } from './differential/faults.ts'
import { ours, type Judged } from './differential/servers.ts'
import { SUBJECTS } from './apply-steps.ts'

// Factories run before the imports above are there.
vi.mock('../controller/api/apply/apply-config.ts', async (original) =>
  (await import('./differential/faults.ts')).faultyApply(await original<typeof ApplyConfig>()),
)
vi.mock('../controller/api/apply/prune.ts', async (original) =>
  (await import('./differential/faults.ts')).faultyPrune(await original<typeof Prune>()),
)
vi.mock('../controller/api/apply/managers.ts', async (original) =>
  (await import('./differential/faults.ts')).faultyEntries(await original<typeof Managers>()),
)
vi.mock('../controller/api/apply/ownership.ts', async (original) =>
  (await import('./differential/faults.ts')).faultyTake(await original<typeof Ownership>()),
)

/** Steps of one run; each fault is found long before. */
const STEPS = 600

afterEach(() => planted.clear())

/** Our server with a fault, against ours without: both run the same code, so the fault comes and goes with the call. */
async function runWith(fault: string): Promise<ApplyReport> {
  const faulty = literalServer()
  const healthy = literalServer()
  for (const server of [faulty, healthy]) await makeNamespace(server)
  const [subject] = SUBJECTS
  if (subject === undefined) throw new Error('There is no kind to draw')
  const withFault: Judged = {
    ...ours(faulty),
    send: async (exchange) => {
      planted.add(fault)
      try {
        return await ours(faulty).send(exchange)
      } finally {
        planted.clear()
      }
    },
  }
  return runApplies({
    subject,
    ours: withFault,
    theirs: ours(healthy),
    seed: 3,
    steps: STEPS,
    differencesMax: 1,
    between: async () => {
      for (const server of [faulty, healthy]) await server.clock.advance(400)
    },
  })
}

it('DF2 finds no difference where there is no fault', async () => {
  expect((await runWith('none')).differences).toEqual([])
})

it.each([
  ['a value that is shared is taken for a conflict', 'SharedIsConflict', 409],
  ['a field that left the configuration is kept', 'PruneKeeps', 200],
  ['entries of owners stand in another order', 'EntriesReversed', 200],
  ['force leaves the field with its former owner', 'ForceSharesOwner', 200],
] as const)('DF2 catches that %s', async (_, fault, code) => {
  const [difference] = (await runWith(fault)).differences
  expect(difference?.ours).toMatchObject({ seen: { code } })
})
