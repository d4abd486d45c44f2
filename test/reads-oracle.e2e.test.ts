/** Watches and lists of our server and of a genuine Kubernetes one, under the same writes: the same events and pages. */
import { expect, it } from 'vitest'
import { realClock } from '../system/clock.ts'
import { describeBesideOracle } from './differential/beside-oracle.ts'
import { runReads } from './differential/reads-run.ts'
import { ours, theirs } from './differential/servers.ts'
import { ALL_SUBJECTS } from './differential/subjects.ts'
import { runVerbs } from './differential/verbs-run.ts'

/** Writes in all; READS_STEPS asks for more. */
const STEPS = Number(process.env['READS_STEPS'] ?? 750)
const SEED = Number(process.env['READS_SEED'] ?? 20261122)
const WAIT_MS = 20

describeBesideOracle('reads and the oracle', (server) => {
  it.each(ALL_SUBJECTS.map((subject, index) => [subject.kind.kind, subject, index] as const))(
    'DF3 agrees on watches and lists of %s under the same writes',
    { timeout: 3_000_000 },
    async (kind, subject, index) => {
      const { difference, counts } = await runReads({
        subject,
        ours: ours(server()),
        theirs: theirs(),
        seed: SEED + index,
        steps: Math.ceil(STEPS / ALL_SUBJECTS.length),
        wait: () => realClock.sleep(WAIT_MS),
        prefix: 'r',
      })
      if (process.env['READS_STEPS'] !== undefined) console.log(kind, counts)
      expect(difference).toBeUndefined()
      expect(counts.events).toBeGreaterThan(0)
    },
  )

  it.each(ALL_SUBJECTS.map((subject) => [subject.kind.kind, subject] as const))(
    'DF4 agrees on deletions, dry runs, status and replaces of %s',
    async (_, subject) => {
      const difference = await runVerbs(subject, 'verbs-a', { ours: ours(server()), theirs: theirs() })
      expect(difference).toBeUndefined()
    },
  )
})
