/** Before every test file: property tests draw from one seed, so that a run can be repeated; FAST_CHECK_SEED gives another. */
import * as fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['FAST_CHECK_SEED'] ?? 20_261_122) })
