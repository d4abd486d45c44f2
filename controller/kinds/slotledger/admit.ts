/** Decides whether a write of a SlotLedger may go on. Pure. */
import type { Admission } from '../../api/admission.ts'
import { forbidden, isController } from '../admission.ts'
import type { SlotLedger } from './schema.ts'

/** AD80: the control plane alone writes slot ledgers; this holds for every operation and for updates without spec too. */
export const slotLedgerAdmission: Admission<SlotLedger> = {
  // All that it holds is status.
  judgesStatus: true,
  needs: () => [],
  admit: (request) =>
    isController(request)
      ? []
      : [
          forbidden(
            'metadata.name',
            `Cannot write SlotLedger "${request.object.metadata.name}" as "${request.actor.name}": the control plane alone keeps it; change the Plan or the Tenant's config instead`,
          ),
        ],
}
