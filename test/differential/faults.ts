/** Faulty copies of the modules of server-side apply, for the test that shows that the differential run sees them. */
import type * as ApplyConfig from '../../controller/api/apply/apply-config.ts'
import type * as Managers from '../../controller/api/apply/managers.ts'
import type * as Ownership from '../../controller/api/apply/ownership.ts'
import type * as Prune from '../../controller/api/apply/prune.ts'
import { intersection, pathsOf } from '../../controller/api/apply/field-set.ts'

/** The faults that are there at this moment; empty is healthy. */
export const planted = new Set<string>()

/** `SharedIsConflict`: what another applier owns too is a conflict, though the value is the same. */
export const faultyApply = (real: typeof ApplyConfig): typeof ApplyConfig => ({
  ...real,
  applyConfig: (input) => {
    const applied = real.applyConfig(input)
    if (!planted.has('SharedIsConflict') || input.force || applied.outcome !== 'applied') return applied
    const { manager } = input.writer
    const mine = [...applied.owners.values()].find((owner) => owner.manager === manager && owner.operation === 'Apply')
    const conflicts = [...input.owners.values()]
      .filter((owner) => owner.manager !== manager)
      .flatMap((owner) => pathsOf(intersection(owner.fields, mine?.fields ?? {})).map((path) => ({ owner, path })))
    return conflicts.length === 0 ? applied : { outcome: 'conflicts', conflicts }
  },
})

/** `PruneKeeps`: what left the configuration stays in the object. */
export const faultyPrune = (real: typeof Prune): typeof Prune => ({
  ...real,
  prune: (atom, merged, sets) => (planted.has('PruneKeeps') ? merged : real.prune(atom, merged, sets)),
})

/** `EntriesReversed`: managedFields come in another order. */
export const faultyEntries = (real: typeof Managers): typeof Managers => ({
  ...real,
  entriesOf: (owners) =>
    planted.has('EntriesReversed') ? real.entriesOf(owners)?.toReversed() : real.entriesOf(owners),
})

/** `ForceSharesOwner`: who had a field keeps it when another takes it. */
export const faultyTake = (real: typeof Ownership): typeof Ownership => ({
  ...real,
  takeFrom: (owners, comparison, except) =>
    planted.has('ForceSharesOwner') ? owners : real.takeFrom(owners, comparison, except),
})
