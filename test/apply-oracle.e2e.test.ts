/** Random writes by several managers to our server and to a genuine Kubernetes one: what a client sees must be the same. */
import { expect, it } from 'vitest'
import { describeBesideOracle } from './differential/beside-oracle.ts'
import { runApplies } from './differential/apply-run.ts'
import { ours, theirs } from './differential/servers.ts'
import { ALL_SUBJECTS } from './differential/subjects.ts'

/** Steps in all; APPLY_STEPS asks for more. */
const STEPS = Number(process.env['APPLY_STEPS'] ?? 3_000)
const SEED = Number(process.env['APPLY_SEED'] ?? 20261122)
/** Differences that are collected before a run gives up. */
const DIFFERENCES_MAX = Number(process.env['APPLY_DIFFERENCES'] ?? 3)
/** Between two steps, so that entries of owners have different times. */
const STEP_MS = 400

describeBesideOracle('apply and the oracle', (server) => {
  it.each(ALL_SUBJECTS.map((subject, index) => [subject.kind.kind, subject, index] as const))(
    'AP20 DF1 agrees on random writes of %s: objects, managedFields, codes, reasons, causes, resourceVersion',
    { timeout: 3_000_000 },
    async (kind, subject, index) => {
      const { differences, codes } = await runApplies({
        subject,
        ours: ours(server()),
        theirs: theirs(),
        seed: SEED + index,
        steps: Math.ceil(STEPS / ALL_SUBJECTS.length),
        differencesMax: DIFFERENCES_MAX,
        between: () => server().clock.advance(STEP_MS),
      })
      if (process.env['APPLY_STEPS'] !== undefined) console.log(kind, Object.fromEntries(codes))
      expect(differences.map((difference) => JSON.stringify(difference)).join('\n')).toBe('')
      // A run of refusals alone would compare little.
      const applied = (codes.get('PATCH apply-patch+yaml 200') ?? 0) + (codes.get('PATCH apply-patch+yaml 201') ?? 0)
      expect(applied).toBeGreaterThan(STEPS / ALL_SUBJECTS.length / 10)
    },
  )
})
